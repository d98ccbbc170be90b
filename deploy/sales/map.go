package sales

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
)

// MaxMap is the greatest size of a map in YAML, in bytes.
const MaxMap = 64 << 10

// Map says which column of a CSV file is what. It is read from YAML by ParseMap.
type Map struct {
	// Delimiter between fields, one ASCII character. Empty: a comma.
	Delimiter string `yaml:"delimiter"`
	// Decimal is the decimal point of numbers, "." or ",". Empty: ".".
	Decimal string `yaml:"decimal"`
	// Currency of all amounts, an ISO 4217 code. Its minor unit decides how amounts are rounded.
	Currency string `yaml:"currency"`
	// Columns names the columns by the file's header.
	Columns Columns `yaml:"columns"`
	// Time says how the file writes times.
	Time Clock `yaml:"time"`
	// Returns says how a return is told from a sale. Zero: the file has no returns.
	Returns Returns `yaml:"returns"`
	// Normalise says how values are cleaned before they are used.
	Normalise Normalise `yaml:"normalise"`
}

// Columns are names in the file's header. An empty one is not in the file.
type Columns struct {
	Receipt     string `yaml:"receipt"` // required
	Item        string `yaml:"item"`    // required
	Description string `yaml:"description"`
	Quantity    string `yaml:"quantity"`   // required; at most 3 decimals
	UnitPrice   string `yaml:"unit_price"` // this or Amount; at most 4 decimals
	Amount      string `yaml:"amount"`     // of the whole line; at most 4 decimals
	Time        string `yaml:"time"`       // required
	Customer    string `yaml:"customer"`
	Store       string `yaml:"store"` // a token
	Till        string `yaml:"till"`  // a token, within the store
}

// Clock is how a file writes times.
type Clock struct {
	// Layout is the time 2006-01-02 15:04:05 as the file would write it. Empty: just so.
	Layout string `yaml:"layout"`
	// Zone is the IANA name of the stores' time zone; business dates are counted in it. Empty: UTC.
	Zone string `yaml:"zone"`
}

// Returns says how a return is marked: in one of three ways, or not at all.
type Returns struct {
	// Prefix marks receipts whose number starts so.
	Prefix string `yaml:"prefix"`
	// NegativeQuantity marks receipts that have rows of negative quantity and none of positive.
	NegativeQuantity bool `yaml:"negative_quantity"`
	// Column marks rows that have one of Values in this column. All rows of a receipt must agree.
	Column string   `yaml:"column"`
	Values []string `yaml:"values"`
	// Quantities says how the rows of a return count what came back: "negative" or "positive".
	// Empty: negative. Either way a Receipt has it positive, in quantity and amount.
	Quantities string `yaml:"quantities"`
}

// Normalise has one Clean for each column of Columns, and one for the column that marks returns.
type Normalise struct {
	Receipt     Clean `yaml:"receipt"`
	Item        Clean `yaml:"item"`
	Description Clean `yaml:"description"`
	Quantity    Clean `yaml:"quantity"`
	UnitPrice   Clean `yaml:"unit_price"`
	Amount      Clean `yaml:"amount"`
	Time        Clean `yaml:"time"`
	Customer    Clean `yaml:"customer"`
	Store       Clean `yaml:"store"`
	Till        Clean `yaml:"till"`
	Returns     Clean `yaml:"returns"`
}

// Clean is what is done to a value, in this order: trim, strip the prefix, strip the suffix, lower.
// Quantities, prices, amounts and times are always trimmed.
type Clean struct {
	Trim        bool   `yaml:"trim"`
	StripPrefix string `yaml:"strip_prefix"`
	StripSuffix string `yaml:"strip_suffix"` // such as ".0", which makes 17850.0 into 17850
	Lower       bool   `yaml:"lower"`
}

func (c *Clean) apply(v []byte) []byte {
	if c.Trim {
		v = bytes.TrimSpace(v)
	}
	if c.StripPrefix != "" && bytes.HasPrefix(v, []byte(c.StripPrefix)) {
		v = v[len(c.StripPrefix):]
	}
	if c.StripSuffix != "" && bytes.HasSuffix(v, []byte(c.StripSuffix)) {
		v = v[:len(v)-len(c.StripSuffix)]
	}
	if c.Lower {
		v = bytes.ToLower(v)
	}
	return v
}

//go:embed onlineretail.yaml
var onlineRetail []byte

// OnlineRetail is the ready map for the UCI "Online Retail" file.
func OnlineRetail() *Map { return mustParseMap(onlineRetail) }

// mustParseMap is for maps that are part of the binary.
func mustParseMap(text []byte) *Map {
	m, err := ParseMap(text)
	if err != nil {
		panic(err)
	}
	return m
}

// ErrMap means that a map does not say what it must, or contradicts itself.
var ErrMap = errors.New("not a map of a CSV file")

// ParseMap reads one YAML document. An unknown or doubled key is an error that names its line.
func ParseMap(text []byte) (*Map, error) {
	if len(text) > MaxMap {
		return nil, fmt.Errorf("%w: %d bytes, over %d", ErrMap, len(text), MaxMap)
	}
	dec := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict())
	var m Map
	if err := dec.Decode(&m); errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: it is empty", ErrMap)
	} else if err != nil {
		return nil, fmt.Errorf("%w: %s", ErrMap, strings.TrimSpace(yaml.FormatError(err, false, true)))
	}
	if err := dec.Decode(new(Map)); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: more than one YAML document", ErrMap)
	}
	if _, err := m.compile(); err != nil {
		return nil, err
	}
	return &m, nil
}

// plan is a Map that has been checked, with its defaults in place.
type plan struct {
	*Map
	delimiter byte
	decimal   byte
	exponent  int // of the currency's minor unit
	layout    string
	zone      *time.Location
	columns   [roles]string
	cleans    [roles]Clean
}

// role is what a column is for.
type role int

const (
	roleReceipt role = iota
	roleItem
	roleDescription
	roleQuantity
	roleUnitPrice
	roleAmount
	roleTime
	roleCustomer
	roleStore
	roleTill
	roleReturns
	roles
)

func (r role) String() string {
	return [roles]string{"receipt", "item", "description", "quantity", "unit_price", "amount", "time",
		"customer", "store", "till", "returns.column"}[r]
}

func (m *Map) compile() (*plan, error) {
	c, n := &m.Columns, &m.Normalise
	p := &plan{Map: m, delimiter: ',', decimal: '.', layout: time.DateTime,
		columns: [roles]string{c.Receipt, c.Item, c.Description, c.Quantity, c.UnitPrice, c.Amount, c.Time,
			c.Customer, c.Store, c.Till, m.Returns.Column},
		cleans: [roles]Clean{n.Receipt, n.Item, n.Description, n.Quantity, n.UnitPrice, n.Amount, n.Time,
			n.Customer, n.Store, n.Till, n.Returns},
	}
	for _, r := range []role{roleQuantity, roleUnitPrice, roleAmount, roleTime} {
		p.cleans[r].Trim = true
	}
	for _, check := range []func() error{p.checkColumns, p.checkSyntax, p.checkTime, p.checkReturns} {
		if err := check(); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrMap, err)
		}
	}
	return p, nil
}

func (p *plan) checkColumns() error {
	for _, r := range []role{roleReceipt, roleItem, roleQuantity, roleTime} {
		if p.columns[r] == "" {
			return fmt.Errorf("columns.%s is missing", r)
		}
	}
	if (p.Columns.UnitPrice == "") == (p.Columns.Amount == "") {
		return errors.New("want one of columns.unit_price and columns.amount")
	}
	if p.Columns.Till != "" && p.Columns.Store == "" {
		return errors.New("columns.till without columns.store: a till belongs to a store")
	}
	return nil
}

func (p *plan) checkSyntax() error {
	if d := p.Delimiter; d != "" {
		if len(d) != 1 || d[0] >= 0x80 || strings.Contains("\"\r\n\x00", d) {
			return fmt.Errorf("delimiter %q: want one ASCII character that is no quote and no line end", clip(d))
		}
		p.delimiter = d[0]
	}
	switch p.Decimal {
	case "", ".":
	case ",":
		p.decimal = ','
	default:
		return fmt.Errorf("decimal %q: want . or ,", clip(p.Decimal))
	}
	if p.Currency == "" {
		return errors.New("currency is missing")
	}
	exp, ok := exponent(p.Currency)
	if !ok {
		return fmt.Errorf("currency %q: not a code of ISO 4217", clip(p.Currency))
	}
	p.exponent = exp
	return nil
}

func (p *plan) checkTime() error {
	if p.Time.Layout != "" {
		p.layout = p.Time.Layout
	}
	var err error
	if p.zone, err = time.LoadLocation(p.Time.Zone); err != nil || p.Time.Zone == "Local" {
		return fmt.Errorf("time.zone %q: not an IANA time zone that this computer knows", clip(p.Time.Zone))
	}
	// A layout with no year, month or day would put every receipt on the same day.
	day := time.Date(2011, time.December, 9, 0, 0, 0, 0, p.zone)
	back, err := time.ParseInLocation(p.layout, day.Format(p.layout), p.zone)
	if err != nil || back.Format(time.DateOnly) != "2011-12-09" {
		return fmt.Errorf("time.layout %q: write the time 2006-01-02 15:04:05 as the file would", clip(p.layout))
	}
	return nil
}

func (p *plan) checkReturns() error {
	r := &p.Returns
	marks := 0
	for _, has := range []bool{r.Prefix != "", r.NegativeQuantity, r.Column != ""} {
		if has {
			marks++
		}
	}
	switch {
	case marks > 1:
		return errors.New("returns: want only one of prefix, negative_quantity and column")
	case (r.Column != "") != (len(r.Values) > 0):
		return errors.New("returns: column and values go together")
	case r.Quantities != "" && r.Quantities != "negative" && r.Quantities != "positive":
		return fmt.Errorf("returns.quantities %q: want negative or positive", clip(r.Quantities))
	case r.NegativeQuantity && r.Quantities == "positive":
		return errors.New("returns: negative_quantity and quantities: positive contradict each other")
	}
	return nil
}

// clip keeps an error short when a file has a megabyte where a word should be.
func clip(s string) string {
	if len(s) > 64 {
		return s[:64] + "…"
	}
	return s
}
