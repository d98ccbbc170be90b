package sales

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"tillstream/kv/record"
)

const (
	head = "nr,item,text,qty,price,at,card\n"
	day  = "2026-01-02 10:00:00"
)

func testMap() *Map {
	return &Map{Currency: "EUR", Returns: Returns{Prefix: "C"}, Columns: Columns{Receipt: "nr", Item: "item",
		Description: "text", Quantity: "qty", UnitPrice: "price", Time: "at", Customer: "card"}}
}

func mustRead(t *testing.T, text string, m *Map) ([]Receipt, Report) {
	t.Helper()
	receipts, report, err := Read(strings.NewReader(text), "test", m)
	if err != nil {
		t.Fatal(err)
	}
	checkReport(t, receipts, report)
	return receipts, report
}

// checkReport holds the law that nothing is lost in silence.
func checkReport(t *testing.T, receipts []Receipt, report Report) {
	t.Helper()
	lines := 0
	for i := range receipts {
		lines += len(receipts[i].Lines)
	}
	if report.LinesRead != lines+report.RowsRefused || report.ReceiptsRead != len(receipts) {
		t.Errorf("%d lines in %d receipts, but the report says %+v", lines, len(receipts), report)
	}
	if (report.RowsRefused > 0) != (len(report.Refusals) > 0) || len(report.Refusals) > min(report.RowsRefused, MaxRefusals) {
		t.Errorf("%d rows refused, %d refusals kept", report.RowsRefused, len(report.Refusals))
	}
}

// sketch writes receipts as short text: number, customer, total, and quantities.
func sketch(receipts []Receipt) string {
	var b strings.Builder
	for i := range receipts {
		r := &receipts[i]
		fmt.Fprintf(&b, "%s/%s=%d", r.Number, r.Customer, r.Total())
		for _, l := range r.Lines {
			fmt.Fprintf(&b, " %sx%s", l.Quantity, l.Item)
		}
		b.WriteString("; ")
	}
	return strings.TrimSuffix(b.String(), "; ")
}

func TestReadGroupsByNumber(t *testing.T) {
	t.Parallel()
	text := "\uFEFF" + head +
		"1,a,\"say \"\"hi\"\", you\",2,1.25,2026-01-02 10:00:00,\r\n" +
		"2,b,,1,3,2026-01-02 10:01:00,k2\n" +
		"\n" +
		"1,a,A,2,1.25,2026-01-02 10:02:00,k1\n" + // later time, first customer
		"1,a,A,2,1.25,2026-01-02 10:02:00,k1\n" + // just the same: kept
		"C1,a,\"two\nlines\",-2,1.25,2026-01-02 11:00:00,k1" // no line end
	receipts, report := mustRead(t, text, testMap())
	if want := (Report{LinesRead: 5, ReceiptsRead: 3}); !reflect.DeepEqual(report, want) {
		t.Errorf("got %+v, want %+v", report, want)
	}
	if got, want := sketch(receipts), "1/k1=750 2xa 2xa 2xa; 2/k2=300 1xb; C1/k1=250 2xa"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := receipts[0].At.Format("15:04"); got != "10:00" {
		t.Errorf("the time of a receipt is that of its first row; got %s", got)
	}
	if got, want := receipts[0].Lines[0].Description, `say "hi", you`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := receipts[2].Lines[0].Description, "two\nlines"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if receipts[0].Return || !receipts[2].Return {
		t.Error("the prefix does not tell returns from sales")
	}
}

// Each broken row stands between two good ones, which must not notice.
func TestReadRefusesRows(t *testing.T) {
	t.Parallel()
	row := func(nr, item, qty, price, at, card string) string {
		return strings.Join([]string{nr, item, "x", qty, price, at, card}, ",") + "\n"
	}
	for name, c := range map[string]struct {
		bad     string
		refused int
		want    string
	}{
		"too few fields":       {"9,a,x,1,1\n", 1, "5 fields, want 7"},
		"too many fields":      {row("9", "a", "1", "1", day, "k,z"), 1, "8 fields, want 7"},
		"blanks":               {"   \n", 1, "1 fields, want 7"},
		"not UTF-8":            {row("9", "\xff", "1", "1", day, "k"), 1, "not UTF-8"},
		"not UTF-8, quoted":    {row("9", "\"\xe9\"", "1", "1", day, "k"), 1, "not UTF-8"},
		"bare quote":           {row("9", `7" disc`, "1", "1", day, "k"), 1, "a quote inside a field"},
		"text after a quote":   {row("9", `"a"b`, "1", "1", day, "k"), 1, "text after a closing quote"},
		"open quote":           {row("9", `"a`, "1", "1", day, "k"), 1, "a quote is opened and never closed"},
		"no number":            {row("", "a", "1", "1", day, "k"), 1, `receipt "": empty`},
		"long number":          {row(strings.Repeat("9", 65), "a", "1", "1", day, "k"), 1, "over 64 characters"},
		"no item":              {row("9", "", "1", "1", day, "k"), 1, `receipt 9: item "": empty`},
		"long item":            {row("9", strings.Repeat("é", 65), "1", "1", day, "k"), 1, "over 64 characters"},
		"quantity":             {row("9", "a", "one", "1", day, "k"), 1, `receipt 9: quantity "one": not a number`},
		"no quantity":          {row("9", "a", "", "1", day, "k"), 1, `quantity "": not a number`},
		"quantity of grams/10": {row("9", "a", "1.2345", "1", day, "k"), 1, `quantity "1.2345": too many decimals`},
		"quantity too large":   {row("9", "a", "1000000001", "0", day, "k"), 1, "out of range"},
		"price":                {row("9", "a", "1", "free", day, "k"), 1, `unit_price "free": not a number`},
		"price of 5 decimals":  {row("9", "a", "1", "1.23456", day, "k"), 1, "too many decimals"},
		"price overflows":      {row("9", "a", "1", "99999999999999999999", day, "k"), 1, "out of range"},
		"amount overflows":     {row("9", "a", "1000000", "1000000", day, "k"), 1, "the line's amount is out of range"},
		"time":                 {row("9", "a", "1", "1", "yesterday", "k"), 1, "not a time"},
		"day that is none":     {row("9", "a", "1", "1", "2026-02-30 10:00:00", "k"), 1, "not a time"},
		"time before 1970":     {row("9", "a", "1", "1", "1969-12-31 23:59:59", "k"), 1, "1970 to 9999"},
		"customer":             {row("9", "a", "1", "1", day, "J. Doe"), 1, "receipt 9: customer: a customer's number"},
		"other customer":       {row("1", "a", "1", "1", day, "k9"), 1, "receipt 1: its customer is another than that of the receipt, which starts on line 2"},
		"long row":             {row("9", strings.Repeat("a", maxRow), "1", "1", day, "k"), 1, "over 64 KiB"},
		"very long row":        {row("9", strings.Repeat("a", 20*maxRow), "1", "1", day, "k"), 1, "over 64 KiB"},
		"very long quote":      {row("9", `"`+strings.Repeat("a\n", maxRow)+`"`, "1", "1", day, "k"), maxRow + 1, "never closed"},
		"total overflows": {strings.Repeat(row("9", "a", "1000000", "9000", day, "k"), 2), 2,
			"receipt 9: its total is out of range: refused whole"},
		"return below zero":   {row("C9", "a", "1", "1", day, "k"), 1, "receipt C9: a return whose total is below zero"},
		"over 2,000 lines":    {strings.Repeat(row("9", "a", "1", "1", day, "k"), 2003), 2003, "receipt 9: over 2000 lines: refused whole"},
		"body over 512 KiB":   {strings.Repeat(row("9", strings.Repeat("\x01", 64), "1", "1", day, "k"), 1200), 1200, "its body has"},
		"a hundred and more":  {strings.Repeat("x\n", 150), 150, "1 fields"},
		"first row of a sale": {row("9", "a", "?", "1", day, "k"), 1, `receipt 9: quantity "?"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := head + row("1", "a", "1", "1", day, "k1") + c.bad + row("1", "b", "1", "1", day, "")
			receipts, report := mustRead(t, text, testMap())
			if got, want := sketch(receipts), "1/k1=200 1xa 1xb"; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			if report.RowsRefused != c.refused {
				t.Errorf("got %d rows refused, want %d", report.RowsRefused, c.refused)
			}
			if r := report.Refusals[0]; r.Line != 3 || !strings.Contains(r.Reason, c.want) || len(r.Reason) > 300 {
				t.Errorf("got %+v, want line 3: %s", r, c.want)
			}
		})
	}
}

func TestReadTakesExtremes(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", 250)
	text := head + "A1,a," + long + ",1,-11062.06," + day + ",\n" + // a bad debt: below zero, to nobody
		"2,b,,-10,0," + day + ",\n" + // a correction
		strings.Repeat("3,a,x,1,0.001,"+day+",k\n", record.MaxLines) +
		"4,\"" + strings.Repeat("a", 64) + "\",,0.0010,10," + day + ",k\n"
	receipts, report := mustRead(t, text, testMap())
	if report.RowsRefused != 0 {
		t.Fatalf("refused: %+v", report.Refusals)
	}
	if got := receipts[0].Total(); got != -1106206 {
		t.Errorf("bad debt: got %d", got)
	}
	if got := receipts[0].Lines[0].Description; got != long[:2*maxDescription] {
		t.Errorf("a long description is cut: got %d bytes", len(got))
	}
	if l := receipts[1].Lines[0]; l.Quantity != "-10" || l.Amount != 0 {
		t.Errorf("correction: got %+v", l)
	}
	if len(receipts[2].Lines) != record.MaxLines || receipts[3].Lines[0].Quantity != "0.001" {
		t.Error("lines or quantity are not as in the file")
	}
}

func TestReadRefusesFiles(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		is   error
		want string
	}{
		"empty":           {"", ErrEmpty, "the file is empty"},
		"empty lines":     {"\n\r\n\n", ErrEmpty, "the file is empty"},
		"header only":     {head, ErrEmpty, "nothing below the header"},
		"no column":       {"nr,item,text,qty,at,card\n", ErrHeader, `column "price" (unit_price) is not in it; it has: nr, item, text, qty, at, card`},
		"column twice":    {"nr,item,text,qty,price,at,card,qty\n", ErrHeader, `column "qty" (quantity) is there twice, as fields 4 and 8`},
		"other delimiter": {strings.ReplaceAll(head, ",", ";"), ErrHeader, `it has: nr;item;text`},
		"not UTF-8":       {"nr,\xff\n", ErrHeader, "line 1: not UTF-8"},
		"UTF-16":          {"\xff\xfen\x00r\x00\n\x00", ErrHeader, "line 1: not UTF-8"},
		"broken quote":    {"nr,\"item\n", ErrHeader, "line 1: a quote is opened"},
		"gzip header":     {"\x1f\x8b\x08", ErrPartial, "0 lines read: open gzip: unexpected EOF"},
	} {
		receipts, report, err := Read(strings.NewReader(c.text), "some.csv", testMap())
		if !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "some.csv") {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
		if receipts != nil || report.LinesRead != 0 {
			t.Errorf("%s: got %d receipts and %+v", name, len(receipts), report)
		}
	}
	if _, _, err := Open(filepath.Join(t.TempDir(), "none.csv"), testMap()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: got %v", err)
	}
	if _, _, err := Read(strings.NewReader(head), "x", &Map{}); !errors.Is(err, ErrMap) {
		t.Errorf("a map that says nothing: got %v", err)
	}
}

func pack(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := io.WriteString(z, text); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func manyRows(n int) string {
	var b strings.Builder
	b.WriteString(head)
	for i := range n {
		fmt.Fprintf(&b, "%d,item-%d,\"text, %d\",1,2.50,%s,k%d\n", i/3, i, i*i, day, i/3%7)
	}
	return b.String()
}

func TestReadBrokenSource(t *testing.T) {
	t.Parallel()
	text := manyRows(5000)
	packed := pack(t, text)
	wrong := bytes.Clone(packed)
	wrong[len(wrong)-6] ^= 1 // the checksum: every row is there, and not to be trusted
	disk := errors.New("disk is gone")
	for name, c := range map[string]struct {
		from io.Reader
		is   error
	}{
		"truncated":        {bytes.NewReader(packed[:len(packed)*2/3]), io.ErrUnexpectedEOF},
		"truncated by one": {bytes.NewReader(packed[:len(packed)-1]), io.ErrUnexpectedEOF},
		"checksum":         {bytes.NewReader(wrong), gzip.ErrChecksum},
		"garbage behind":   {io.MultiReader(bytes.NewReader(packed), strings.NewReader("garbage behind it")), gzip.ErrHeader},
		"read error":       {io.MultiReader(strings.NewReader(text[:100_000]), iotest.ErrReader(disk)), disk},
		"in a quote":       {io.MultiReader(strings.NewReader(head+"1,a,\"b"), iotest.ErrReader(disk)), disk},
		"at once":          {iotest.ErrReader(disk), disk},
	} {
		receipts, report, err := Read(c.from, "x.csv", testMap())
		if !errors.Is(err, ErrPartial) || !errors.Is(err, c.is) || receipts != nil {
			t.Errorf("%s: got %d receipts, %v; want %v", name, len(receipts), err, c.is)
		}
		if want := fmt.Sprintf("%d lines read", report.LinesRead); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q in it", name, err, want)
		}
		if report.RowsRefused != 0 {
			t.Errorf("%s: half a row is taken for one: %+v", name, report.Refusals)
		}
	}
}

// What a reader gives at once must not matter, nor whether the file is packed.
func TestReadIsTheSameInAnyPieces(t *testing.T) {
	t.Parallel()
	text := manyRows(20_000) // 1 MB: more than the buffer
	want, wantReport := mustRead(t, text, testMap())
	if len(want) != 6667 || wantReport.RowsRefused != 0 {
		t.Fatalf("got %d receipts, %+v", len(want), wantReport)
	}
	dir := t.TempDir()
	for name, data := range map[string][]byte{"test.gz": pack(t, text), "test": []byte(text)} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if got, _, err := Open(path, testMap()); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: the receipts or their rids differ (%v)", name, err)
		}
	}
	for name, r := range map[string]io.Reader{
		"halves": iotest.HalfReader(strings.NewReader(text)),
		"errors": iotest.DataErrReader(strings.NewReader(text)),
		"CRLF":   strings.NewReader(strings.ReplaceAll(text, "\n", "\r\n")),
		"cut":    strings.NewReader(strings.TrimSuffix(text, "\n")),
	} {
		if got, _, err := Read(r, "test", testMap()); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: the receipts differ (%v)", name, err)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(head+"1,a,x,1,2.50,"+day+",k\nC1,a,\"x\"\"y\",-1,2.50,"+day+",k\n"), true)
	f.Add([]byte(head+"1,\"a\n1,b,x,1,1,"+day+",\n"), false)
	f.Add([]byte("\x1f\x8b\x08"), false)
	f.Add([]byte("1,a,x,1,1,"+day+",\xff\n2,a\",x\n3,\"a\"x\n\r\n\"\"\"\n"), true)
	f.Fuzz(func(t *testing.T, data []byte, headed bool) {
		if headed {
			data = append([]byte(head), data...)
		}
		receipts, report, err := Read(bytes.NewReader(data), "fuzz", testMap())
		if err != nil {
			if receipts != nil {
				t.Fatalf("receipts beside %v", err)
			}
			return
		}
		checkReport(t, receipts, report)
		seen := map[record.RID]bool{}
		for i := range receipts {
			r := &receipts[i]
			if seen[r.RID] {
				t.Fatalf("rid %s twice", r.RID)
			}
			seen[r.RID] = true
			if body := r.Body("s", "t"); !json.Valid(body) || len(body) > record.MaxBody {
				t.Fatalf("receipt %s: %d bytes, valid %v", r.Number, len(body), json.Valid(body))
			}
		}
		CountPoints(receipts)
	})
}
