package sales

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"tillstream/kv/record"
)

// wireBody is the body as whoever gets it reads it.
type wireBody struct {
	RID     record.RID `json:"rid"`
	Number  string     `json:"receipt_number"`
	Store   string     `json:"store"`
	Till    string     `json:"till"`
	At      time.Time  `json:"at"`
	Day     string     `json:"business_date"`
	Cur     string     `json:"currency"`
	Shopper *struct {
		Identifier struct {
			Kind  string `json:"kind"`
			Value string `json:"value"`
		} `json:"identifier"`
	} `json:"shopper"`
	Lines []struct {
		LineID      string `json:"line_id"`
		Item        string `json:"item"`
		Description string `json:"description"`
		Quantity    string `json:"quantity"`
		Amount      int64  `json:"amount"`
	} `json:"lines"`
}

func decodeBody(t *testing.T, body []byte) wireBody {
	t.Helper()
	var w wireBody
	d := json.NewDecoder(strings.NewReader(string(body)))
	d.DisallowUnknownFields()
	if err := d.Decode(&w); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	return w
}

func TestBodyIsTheDocumentedOne(t *testing.T) {
	t.Parallel()
	text := "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n" +
		"536365,85123A,WHITE HANGING HEART T-LIGHT HOLDER,6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom\n" +
		"536365,71053,\"FRAME 7\"\" \",-2,2010-12-01 08:26:00,3.39,,United Kingdom\n"
	receipts, _ := mustRead(t, text, OnlineRetail())
	r := &receipts[0]
	want := `{"rid":"` + r.RID.String() + `","receipt_number":"536365","store":"0001","till":"01",` +
		`"at":"2010-12-01T08:26:00Z","business_date":"2010-12-01","currency":"GBP",` +
		`"shopper":{"identifier":{"kind":"card","value":"17850"}},"lines":[` +
		`{"line_id":"1","item":"85123A","description":"WHITE HANGING HEART T-LIGHT HOLDER","quantity":"6","amount":1530},` +
		`{"line_id":"2","item":"71053","description":"FRAME 7\"","quantity":"-2","amount":-678}]}`
	if got := string(r.Body("0001", "01")); got != want {
		t.Errorf("got\n%s, want\n%s", got, want)
	}
	if got := decodeBody(t, r.Body("0001", "01", "279")); got.Shopper.Identifier.Value != "279" {
		t.Errorf("a card that is given goes before the customer; got %+v", got.Shopper)
	}
	r.Customer = ""
	if got := decodeBody(t, r.Body("0001", "01")); got.Shopper != nil {
		t.Errorf("no customer, but shopper %+v", got.Shopper)
	}
}

func TestBodyEscapes(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "plain", `"`, `\`, `a"b\c`, "\x00\x01\x1f\n\r\t", "£ é ☃ 🧀", "\u2028</script>", "\x7f",
		"\xff", "a\xc3", "\xed\xa0\x80z", "é\"\xffé"} {
		got := appendString(nil, s)
		var back string
		if err := json.Unmarshal(got, &back); err != nil || !utf8.Valid(got) {
			t.Errorf("%q: %s: %v", s, got, err)
		}
		want, _ := json.Marshal(s) // cannot fail for a string
		var wanted string
		if err := json.Unmarshal(want, &wanted); err != nil || back != wanted {
			t.Errorf("%q: got %q, want %q", s, back, wanted)
		}
	}
}

// Every receipt of a year, real or made, survives the way to the till.
func TestBodyRoundTrips(t *testing.T) {
	t.Parallel()
	receipts := Generate(500, 7, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	real, _ := year()
	for i := 0; i < len(real); i += 50 {
		receipts = append(receipts, real[i])
	}
	for i := range receipts {
		r := &receipts[i]
		w := decodeBody(t, r.Body("s-1", "t_2"))
		back := Receipt{Number: w.Number, Return: r.Return, At: w.At, Currency: w.Cur, RID: w.RID}
		if w.Shopper != nil {
			back.Customer = w.Shopper.Identifier.Value
		}
		for k, l := range w.Lines {
			if l.LineID != fmt.Sprint(k+1) {
				t.Fatalf("line %d has the id %s", k+1, l.LineID)
			}
			back.Lines = append(back.Lines, Line{l.Item, l.Description, l.Quantity, l.Amount})
		}
		if !reflect.DeepEqual(&back, r) || w.Store != "s-1" || w.Till != "t_2" || w.Day != r.At.Format(time.DateOnly) {
			t.Fatalf("got %+v, want %+v", back, *r)
		}
	}
}

func TestRIDsAreStableAndUnique(t *testing.T) {
	t.Parallel()
	text := manyRows(3000)
	first, _ := mustRead(t, text, testMap())
	again, _ := mustRead(t, text, testMap())
	other, _, err := Read(strings.NewReader(text), "another", testMap())
	if err != nil {
		t.Fatal(err)
	}
	seen := map[record.RID]bool{}
	for i := range first {
		if first[i].RID != again[i].RID {
			t.Fatalf("receipt %s: rid %s, then %s", first[i].Number, first[i].RID, again[i].RID)
		}
		if _, err := record.ParseRID(first[i].RID.String()); err != nil {
			t.Fatal(err)
		}
		seen[first[i].RID], seen[other[i].RID] = true, true
	}
	if len(seen) != 2*len(first) {
		t.Errorf("%d rids of %d receipts in two files", len(seen), 2*len(first))
	}
	// A rid that changes posts a file a second time that was imported before: old ones must stay.
	if got, want := first[0].RID.String(), "019b7e26-5500-7de3-b5d7-bc168c4366bb"; got != want {
		t.Errorf("rid of receipt 0 of the source test: got %s, want %s", got, want)
	}
}

func TestPlaceSpreads(t *testing.T) {
	t.Parallel()
	const stores, tills, n = 4, 3, 12_000
	var count [stores][tills]int
	for i := range n {
		r := Receipt{Number: fmt.Sprint(536365 + i)}
		s, k := r.Place(stores, tills)
		count[s][k]++
	}
	for s := range count {
		for k, c := range count[s] {
			if want := n / stores / tills; c < want*8/10 || c > want*12/10 {
				t.Errorf("store %d till %d: %d receipts of %d", s, k, c, n)
			}
		}
	}
	named := Receipt{Number: "1", Store: "nord", Till: "k1"}
	s, k := named.Place(stores, tills)
	for i := range 50 {
		r := Receipt{Number: fmt.Sprint(i), Store: "nord", Till: "k1"}
		if s2, k2 := r.Place(stores, tills); s2 != s || k2 != k {
			t.Fatalf("receipts of one named till are placed apart: %d/%d and %d/%d", s, k, s2, k2)
		}
	}
}
