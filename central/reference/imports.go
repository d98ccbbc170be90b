package reference

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"tillstream/kv/record"
)

// Format is how a file of items is written.
type Format string

// Formats.
const (
	CSV    Format = "csv"    // a line of column names, then an item a line
	NDJSON Format = "ndjson" // a JSON object a line
)

// ErrImport means that a file of items is not taken in, no line of it.
var ErrImport = errors.New("nothing is imported")

// faultsShown bounds what is said of one file.
const faultsShown = 20

// Line is an item of a file. With Remove it is taken away, and only Code counts.
type Line struct {
	Number  int
	Code    string // as record.ItemCode gives it
	Remove  bool
	Product record.Product
}

// row is a line as it is written in a file.
type row struct {
	Code       string   `json:"code"`
	Name       string   `json:"name"`
	Category   string   `json:"category"`
	Tags       []string `json:"tags"`
	Unit       string   `json:"unit"`
	MinAge     int64    `json:"min_age"`
	FloorPrice int64    `json:"floor_price"`
	NoDiscount bool     `json:"no_discount"`
	NoPoints   bool     `json:"no_points"`
	NoLoyalty  bool     `json:"no_loyalty"` // both of the last two
	Remove     bool     `json:"remove"`
}

// Columns names what a line may have, in JSON and in CSV alike. Only the code is required, and a name
// unless the item is taken away.
func Columns() []string {
	return []string{"code", "name", "category", "tags", "unit", "min_age", "floor_price", "no_discount", "no_points", "no_loyalty", "remove"}
}

// imports gathers lines and what is wrong with them.
type imports struct {
	lines  []Line
	seen   map[string]int // line by code
	faults []error
	more   int
}

// ReadItems reads a whole file. What is wrong is an ErrImport that names each line.
func ReadItems(f Format, r io.Reader) ([]Line, error) {
	im := &imports{seen: map[string]int{}}
	var err error
	switch f {
	case CSV:
		err = im.readCSV(r)
	case NDJSON:
		err = im.readNDJSON(r)
	default:
		err = fmt.Errorf("format %q: want csv or ndjson", f)
	}
	if err != nil {
		im.faults = append(im.faults, err)
	}
	if len(im.faults) == 0 && len(im.lines) == 0 {
		im.faults = append(im.faults, errors.New("there is no item in it"))
	}
	if im.more > 0 {
		im.faults = append(im.faults, fmt.Errorf("and %d lines more", im.more))
	}
	if len(im.faults) > 0 {
		return nil, fmt.Errorf("%w:\n%w", ErrImport, errors.Join(im.faults...))
	}
	return im.lines, nil
}

func (im *imports) fault(line int, err error) {
	if len(im.faults) >= faultsShown {
		im.more++
		return
	}
	im.faults = append(im.faults, fmt.Errorf("line %d: %w", line, err))
}

// add checks a row.
func (im *imports) add(line int, r *row) {
	code, err := record.ItemCode(r.Code)
	if err != nil {
		im.fault(line, err)
		return
	}
	if first, ok := im.seen[code]; ok {
		im.fault(line, fmt.Errorf("code %s: it is in line %d too", r.Code, first))
		return
	}
	im.seen[code] = line
	l := Line{Number: line, Code: code, Remove: r.Remove}
	if !r.Remove {
		if l.Product, err = r.product(); err != nil {
			im.fault(line, err)
			return
		}
	}
	im.lines = append(im.lines, l)
}

func (r *row) product() (p record.Product, err error) {
	p = record.Product{
		Name: r.Name, Category: r.Category, Tags: r.Tags, FloorPrice: r.FloorPrice,
		NoDiscount: r.NoDiscount || r.NoLoyalty, NoPoints: r.NoPoints || r.NoLoyalty,
	}
	if r.Unit != "" {
		if p.Unit, err = record.ParseUnit(r.Unit); err != nil {
			return p, err
		}
	}
	if r.MinAge < 0 || r.MinAge > record.MaxAge {
		return p, fmt.Errorf("min_age: %w: want 0 to %d", record.ErrProduct, record.MaxAge)
	}
	p.MinAge = uint8(r.MinAge)
	return p, p.Check()
}

var byteOrderMark = []byte("\xef\xbb\xbf")

// body skips a byte order mark, which spreadsheets write.
func body(r io.Reader) *bufio.Reader {
	b := bufio.NewReaderSize(r, 1<<16)
	if head, err := b.Peek(len(byteOrderMark)); err == nil && bytes.Equal(head, byteOrderMark) {
		_, _ = b.Discard(len(byteOrderMark)) // they were peeked at
	}
	return b
}

func (im *imports) readCSV(r io.Reader) error {
	c := csv.NewReader(body(r))
	c.ReuseRecord = true
	names, err := c.Read()
	if errors.Is(err, io.EOF) {
		return errors.New("line 1: want the names of columns")
	}
	if err != nil {
		return err
	}
	names = slices.Clone(names)
	if err := checkColumns(names); err != nil {
		return err
	}
	for {
		fields, err := c.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		var bad *csv.ParseError
		if errors.As(err, &bad) && errors.Is(err, csv.ErrFieldCount) {
			im.fault(bad.Line, fmt.Errorf("%d fields, want %d", len(fields), len(names)))
			continue
		}
		if err != nil {
			return err // it names the line; what follows a wrong quote is anybody's guess
		}
		line, _ := c.FieldPos(0)
		var w row
		if err := w.fill(names, fields); err != nil {
			im.fault(line, err)
			continue
		}
		im.add(line, &w)
	}
}

func checkColumns(names []string) error {
	if len(names) == 1 && strings.ContainsAny(names[0], ";\t") {
		return errors.New("line 1: want a comma between columns")
	}
	for i, n := range names {
		if !slices.Contains(Columns(), n) {
			return fmt.Errorf("line 1: column %q: want some of %s", n, strings.Join(Columns(), ", "))
		}
		if slices.Contains(names[:i], n) {
			return fmt.Errorf("line 1: column %q is there twice", n)
		}
	}
	if !slices.Contains(names, "code") {
		return errors.New("line 1: a column code is required")
	}
	return nil
}

// fill reads a line of CSV; an empty field is as if it were not there. Tags are parted by blanks.
func (w *row) fill(names, fields []string) (err error) {
	for i, name := range names {
		f := fields[i]
		if f == "" {
			continue
		}
		switch name {
		case "code":
			w.Code = f
		case "name":
			w.Name = f
		case "category":
			w.Category = f
		case "tags":
			w.Tags = strings.Fields(f)
		case "unit":
			w.Unit = f
		case "min_age":
			w.MinAge, err = whole(name, f)
		case "floor_price":
			w.FloorPrice, err = whole(name, f)
		case "no_discount":
			w.NoDiscount, err = yesNo(name, f)
		case "no_points":
			w.NoPoints, err = yesNo(name, f)
		case "no_loyalty":
			w.NoLoyalty, err = yesNo(name, f)
		case "remove":
			w.Remove, err = yesNo(name, f)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func whole(name, f string) (int64, error) {
	n, err := strconv.ParseInt(f, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s: want a whole number", name)
	}
	return n, nil
}

func yesNo(name, f string) (bool, error) {
	switch f {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, fmt.Errorf("%s: want true or false", name)
}

// maxLine bounds a line of NDJSON, in bytes.
const maxLine = 1 << 16

func (im *imports) readNDJSON(r io.Reader) error {
	s := bufio.NewScanner(body(r))
	s.Buffer(make([]byte, 0, 4096), maxLine)
	line := 0
	for s.Scan() {
		line++
		if len(bytes.TrimSpace(s.Bytes())) == 0 {
			continue
		}
		w, err := readRow(s.Bytes())
		if err != nil {
			im.fault(line, err)
			continue
		}
		im.add(line, &w)
	}
	if errors.Is(s.Err(), bufio.ErrTooLong) {
		return fmt.Errorf("line %d: over %d bytes", line+1, maxLine)
	}
	return s.Err()
}

func readRow(b []byte) (w row, err error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&w); err != nil {
		return w, fmt.Errorf("JSON: %w", err)
	}
	if d.More() {
		return w, errors.New("JSON: there is more after the object")
	}
	return w, nil
}

// Import makes the plan of a change from a file's lines. With replace, items that are not in the file are
// taken away.
func Import(lines []Line, replace bool) func(Now) ([]Edit, error) {
	return func(now Now) ([]Edit, error) {
		edits := make([]Edit, 0, len(lines))
		listed := make(map[string]bool, len(lines))
		for i := range lines {
			e := Edit{Kind: record.RefItem, Key: lines[i].Code}
			if !lines[i].Remove {
				e.Value = lines[i].Product.Append(nil)
			}
			listed[e.Key] = true
			edits = append(edits, e)
		}
		if replace {
			for _, code := range now.Keys(record.RefItem) {
				if !listed[code] {
					edits = append(edits, Edit{Kind: record.RefItem, Key: code})
				}
			}
		}
		return edits, nil
	}
}
