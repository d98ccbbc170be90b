package pricing

import (
	"math/big"
	"reflect"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"tillstream/kv/record"
)

// drawPlain draws baskets that Price takes.
func drawPlain(t *rapid.T) plainBasket {
	b := plainBasket{
		Currency: rapid.SampledFrom([]string{"EUR", "JPY", "KWD", "CLF"}).Draw(t, "currency"),
		Kind:     rapid.SampledFrom([]record.Kind{record.KindSale, record.KindReturn}).Draw(t, "kind"),
	}
	for i := range rapid.IntRange(0, 30).Draw(t, "lines") {
		l := Line{
			LineID:    strconv.Itoa(i),
			Quantity:  drawQuantity(t),
			UnitPrice: rapid.Int64Range(-20_000_000, 20_000_000).Draw(t, "price"),
		}
		if rapid.IntRange(0, 3).Draw(t, "labelled") == 0 {
			a := rapid.Int64Range(-1_000_000_000, 1_000_000_000).Draw(t, "amount")
			l.Amount = &a
		}
		b.Lines = append(b.Lines, l)
	}
	return b
}

func drawQuantity(t *rapid.T) string {
	return rapid.StringMatching(`-?(0|[1-9][0-9]{0,2})(\.[0-9]{1,3})?`).Draw(t, "quantity")
}

// priceApart prices a line in another way: as fractions of any size.
func priceApart(t *rapid.T, l Line) *big.Int {
	if l.Amount != nil {
		return big.NewInt(*l.Amount)
	}
	r, ok := new(big.Rat).SetString(l.Quantity)
	if !ok {
		t.Fatalf("quantity %q", l.Quantity)
	}
	r.Mul(r, new(big.Rat).SetInt64(l.UnitPrice))
	negative := r.Sign() < 0
	r.Abs(r)
	r.Add(r, big.NewRat(1, 2))
	n := new(big.Int).Quo(r.Num(), r.Denom())
	if negative {
		n.Neg(n)
	}
	return n
}

func TestPriceIsExact(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		b := drawPlain(t)
		q, err := plain(b, Base(b.Currency))
		if err != nil {
			t.Fatal(err)
		}
		sum := new(big.Int)
		for i, l := range b.Lines {
			want := priceApart(t, l)
			if q.Lines[i].LineID != l.LineID || want.Cmp(big.NewInt(q.Lines[i].Gross)) != 0 {
				t.Fatalf("line %+v: got %+v, want %s", l, q.Lines[i], want)
			}
			sum.Add(sum, want)
		}
		if sum.Cmp(big.NewInt(q.Total)) != 0 {
			t.Fatalf("total %d, want %s", q.Total, sum)
		}
		exponent, _ := Exponent(b.Currency)
		unit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(exponent)), nil)
		if b.Kind == record.KindReturn {
			sum.Abs(sum)
		} else if sum.Sign() < 0 {
			sum.SetInt64(0)
		}
		if sum.Quo(sum, unit).Cmp(big.NewInt(q.Points)) != 0 {
			t.Fatalf("total %d %s: %d points, want %s", q.Total, b.Currency, q.Points, sum)
		}
		if q.Points > record.MaxPoints {
			t.Fatalf("%d points", q.Points)
		}
	})
}

func TestOrderOfLinesDoesNotMatter(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		b := drawPlain(t)
		q, err := plain(b, Base(b.Currency))
		if err != nil {
			t.Fatal(err)
		}
		b.Lines = rapid.Permutation(b.Lines).Draw(t, "order")
		again, err := plain(b, Base(b.Currency))
		if err != nil || again.Total != q.Total || again.Points != q.Points {
			t.Fatalf("got %d and %d points (%v), want %d and %d", again.Total, again.Points, err, q.Total, q.Points)
		}
		if !reflect.DeepEqual(byID(q), byID(again)) {
			t.Fatalf("lines differ: %v and %v", q.Lines, again.Lines)
		}
	})
}

func byID(q Sum) map[string]int64 {
	m := make(map[string]int64)
	for _, l := range q.Lines {
		m[l.LineID] = l.Gross
	}
	return m
}

// Giving everything back takes exactly what the sale gave, whole basket against whole basket.
func TestReturnTakesWhatTheSaleGave(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		b := drawPlain(t)
		b.Kind = record.KindSale
		sale, err := plain(b, Base(b.Currency))
		if err != nil {
			t.Fatal(err)
		}
		b.Kind = record.KindReturn
		back, err := plain(b, Base(b.Currency))
		if err != nil {
			t.Fatal(err)
		}
		if sale.Total >= 0 && back.Points != sale.Points {
			t.Fatalf("total %d: gave %d, took %d", sale.Total, sale.Points, back.Points)
		}
	})
}

func FuzzQuantity(f *testing.F) {
	for _, s := range []string{"1", "0.412", "-3.5", "1000000000", "1000000000.001", "00", "1.", "", "-0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		q, reason := thousandths(s)
		if reason != "" {
			return
		}
		r, ok := new(big.Rat).SetString(s)
		if !ok {
			t.Fatalf("%q is taken as %d thousandths", s, q)
		}
		if r.Mul(r, big.NewRat(1000, 1)).Cmp(big.NewRat(q, 1)) != 0 {
			t.Fatalf("%q: %d thousandths, want %s", s, q, r)
		}
	})
}

func BenchmarkPrice20(b *testing.B) {
	basket := plainBasket{Currency: "EUR", Kind: record.KindSale}
	for i := range 20 {
		basket.Lines = append(basket.Lines, Line{LineID: strconv.Itoa(i), Quantity: "0.412", UnitPrice: 1190})
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := plain(basket, Base(basket.Currency)); err != nil {
			b.Fatal(err)
		}
	}
}
