package pricing

import (
	"errors"
	"math"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"tillstream/kv/record"
)

func amount(v int64) *int64 { return &v }

func TestPrice(t *testing.T) {
	one := func(currency string, kind record.Kind, lines ...Line) plainBasket {
		for i := range lines {
			lines[i].LineID = strconv.Itoa(i + 1)
		}
		return plainBasket{currency, kind, lines}
	}
	tests := []struct {
		name          string
		basket        plainBasket
		gross         []int64
		total, points int64
	}{
		{"first receipt of Online Retail", one("GBP", record.KindSale,
			Line{Quantity: "6", UnitPrice: 255}, Line{Quantity: "6", UnitPrice: 339}, Line{Quantity: "8", UnitPrice: 275}),
			[]int64{1530, 2034, 2200}, 5764, 57},
		{"half a penny goes up", one("EUR", record.KindSale, Line{Quantity: "0.5", UnitPrice: 1}), []int64{1}, 1, 0},
		{"half a penny below zero goes down", one("EUR", record.KindSale, Line{Quantity: "-0.5", UnitPrice: 1}), []int64{-1}, -1, 0},
		{"just below a half", one("EUR", record.KindSale, Line{Quantity: "0.412", UnitPrice: 1190, Unit: "kg"}), []int64{490}, 490, 4},
		{"label wins", one("EUR", record.KindSale, Line{Quantity: "0.412", UnitPrice: 1190, Amount: amount(491)}), []int64{491}, 491, 4},
		{"label of nothing wins", one("EUR", record.KindSale, Line{Quantity: "3", UnitPrice: 1190, Amount: amount(0)}), []int64{0}, 0, 0},
		{"one penny short of a point", one("EUR", record.KindSale, Line{Quantity: "1", UnitPrice: 199}), []int64{199}, 199, 1},
		{"sale below zero earns nothing", one("EUR", record.KindSale, Line{Quantity: "-3", UnitPrice: 1190}), []int64{-3570}, -3570, 0},
		{"return", one("EUR", record.KindReturn, Line{Quantity: "3", UnitPrice: 1190}), []int64{3570}, 3570, 35},
		{"return written below zero", one("EUR", record.KindReturn, Line{Quantity: "-3", UnitPrice: 1190}), []int64{-3570}, -3570, 35},
		{"yen have no decimals", one("JPY", record.KindSale, Line{Quantity: "1", UnitPrice: 199}), []int64{199}, 199, 199},
		{"dinars have three", one("KWD", record.KindSale, Line{Quantity: "1", UnitPrice: 1999}), []int64{1999}, 1999, 1},
		{"exact duplicate lines stay", one("EUR", record.KindSale, Line{Item: "a", Quantity: "1", UnitPrice: 50}, Line{Item: "a", Quantity: "1", UnitPrice: 50}),
			[]int64{50, 50}, 100, 1},
		{"largest", one("EUR", record.KindSale, Line{Quantity: "1000", UnitPrice: MaxMoney / 1000}), []int64{MaxMoney}, MaxMoney, MaxMoney / 100},
		{"no lines", one("EUR", record.KindSale), []int64{}, 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			q, err := plain(tt.basket, Base(tt.basket.Currency))
			if err != nil {
				t.Fatal(err)
			}
			got := []int64{}
			for _, l := range q.Lines {
				got = append(got, l.Gross)
			}
			if !reflect.DeepEqual(got, tt.gross) || q.Total != tt.total || q.Points != tt.points {
				t.Errorf("lines %v, total %d, points %d; want %v, %d, %d", got, q.Total, q.Points, tt.gross, tt.total, tt.points)
			}
			if q.Revision != 1 {
				t.Errorf("revision %d, want 1", q.Revision)
			}
		})
	}
}

func TestPriceUnderAnotherProgramme(t *testing.T) {
	b := plainBasket{"EUR", record.KindSale, []Line{{LineID: "1", Quantity: "1", UnitPrice: 999}}}
	for _, tt := range []struct {
		earn Rate
		want int64
	}{{Rate{1, 500}, 1}, {Rate{2, 100}, 19}, {Rate{}, 0}, {Rate{0, 1}, 0}} {
		q, err := plain(b, Plain{Revision: 7, Earn: tt.earn})
		if err != nil || q.Points != tt.want || q.Revision != 7 {
			t.Errorf("%+v: got %d points under revision %d, %v; want %d under 7", tt.earn, q.Points, q.Revision, err, tt.want)
		}
	}
	if _, err := plain(b, Plain{Earn: Rate{1, -1}}); err == nil {
		t.Error("a programme of negative units per point prices")
	}
	var f *FieldError
	if _, err := plain(b, Plain{Earn: Rate{record.MaxPoints, 1}}); !errors.As(err, &f) || f.Field != "/lines" {
		t.Errorf("more points than there may be: %v", err)
	}
	b.Kind = record.KindStart
	if _, err := plain(b, Base("EUR")); err == nil {
		t.Error("a start record is priced")
	}
}

func TestPriceRefuses(t *testing.T) {
	sale := func(lines ...Line) plainBasket { return plainBasket{"EUR", record.KindSale, lines} }
	big := Line{LineID: "9", Quantity: "1", UnitPrice: MaxMoney}
	tests := []struct {
		name   string
		basket plainBasket
		field  string
	}{
		{"unknown currency", plainBasket{Currency: "EUX", Kind: record.KindSale}, "/currency"},
		{"lower-case currency", plainBasket{Currency: "eur", Kind: record.KindSale}, "/currency"},
		{"a currency that is no more", plainBasket{Currency: "DEM", Kind: record.KindSale}, "/currency"},
		{"unknown unit", sale(Line{Quantity: "1", Unit: "box"}), "/lines/0/unit"},
		{"half a piece", sale(big, Line{Quantity: "0.5", Unit: "pc"}), "/lines/1/quantity"},
		{"same id twice", sale(Line{LineID: "a", Quantity: "1"}, Line{LineID: "a", Quantity: "1"}), "/lines/1/line_id"},
		{"price", sale(Line{Quantity: "0", UnitPrice: MaxMoney + 1}), "/lines/0/unit_price"},
		{"least price", sale(Line{Quantity: "0", UnitPrice: math.MinInt64}), "/lines/0/unit_price"},
		{"amount", sale(Line{Quantity: "1", Amount: amount(-MaxMoney - 1)}), "/lines/0/amount"},
		{"product", sale(Line{Quantity: "2", UnitPrice: MaxMoney}), "/lines/0/unit_price"},
		{"product over 64 bits", sale(Line{Quantity: "1000000000", UnitPrice: -MaxMoney}), "/lines/0/unit_price"},
		{"sum", sale(big, Line{LineID: "1", Quantity: "1", UnitPrice: 1}), "/lines"},
		{"2,001 lines", sale(make([]Line, record.MaxLines+1)...), "/lines"},
	}
	for _, s := range []string{"", "-", "+1", "1,5", "1.", ".5", "1.2345", "01", "1e3", "1 ", "0x1", "NaN", "1000000001",
		"1000000000.001", "99999999999999999999", "١", strings.Repeat("9", 1000)} {
		tests = append(tests, struct {
			name   string
			basket plainBasket
			field  string
		}{"quantity " + s[:min(len(s), 20)], sale(Line{Quantity: s, UnitPrice: 1}), "/lines/0/quantity"})
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := plain(tt.basket, Base(tt.basket.Currency))
			var f *FieldError
			if !errors.As(err, &f) || f.Field != tt.field {
				t.Errorf("got %v, want an error at %s", err, tt.field)
			}
		})
	}
}

func TestExponent(t *testing.T) {
	for code, want := range map[string]int{"EUR": 2, "USD": 2, "JPY": 0, "KWD": 3, "CLF": 4, "XCG": 2} {
		if got, ok := Exponent(code); !ok || got != want {
			t.Errorf("%s: %d, %t; want %d", code, got, ok, want)
		}
	}
	for _, code := range []string{"", "EU", "EURO", "XXX", "XTS", "XAU", "HRK", "€"} {
		if _, ok := Exponent(code); ok {
			t.Errorf("%q is a currency", code)
		}
	}
}

// Lines whose item earns nothing count for no points, and get none of the others'.
func TestPriceOfWhatEarnsNothing(t *testing.T) {
	lines := []Line{
		{LineID: "1", Quantity: "1", UnitPrice: 999},
		{LineID: "2", Quantity: "1", UnitPrice: 5000, Facts: Item{NoPoints: true}},
		{LineID: "3", Quantity: "1", UnitPrice: 301},
	}
	for kind, want := range map[record.Kind]int64{record.KindSale: 13, record.KindReturn: 13} {
		q, err := Price(kind, "EUR", lines, Base("EUR"))
		if err != nil || q.Total != 6300 || q.Points != want {
			t.Errorf("%s: total %d, points %d, %v; want 6300 and %d", kind, q.Total, q.Points, err, want)
		}
		bill := q.Quote(lines, q.Points)
		if a, b, c := bill.Lines[0].PointsEarned, bill.Lines[1].PointsEarned, bill.Lines[2].PointsEarned; a != 10 || b != 0 || c != 3 {
			t.Errorf("%s: the lines have %d, %d and %d points, want 10, 0 and 3", kind, a, b, c)
		}
	}
}

// plainBasket is what Price takes, in one value.
type plainBasket struct {
	Currency string
	Kind     record.Kind
	Lines    []Line
}

func plain(b plainBasket, p Plain) (Sum, error) { return Price(b.Kind, b.Currency, b.Lines, p) }
