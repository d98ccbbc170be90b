package sales

import (
	"errors"
	"math/big"
	"strings"
	"testing"
)

func TestParseDecimal(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text   string
		places int
		want   int64
		err    error
	}{
		{"6", 3, 6000, nil},
		{"-6", 3, -6000, nil},
		{"+6", 3, 6000, nil},
		{"0.412", 3, 412, nil},
		{".5", 3, 500, nil},
		{"5.", 3, 5000, nil},
		{"-0", 3, 0, nil},
		{"2.55", 4, 25500, nil},
		{"0.001", 4, 10, nil},
		{"6.0000000", 3, 6000, nil},
		{"0.0005", 3, 0, errDecimals},
		{"1.23451", 4, 0, errDecimals},
		{"", 3, 0, errNumber},
		{"-", 3, 0, errNumber},
		{".", 3, 0, errNumber},
		{"1e3", 3, 0, errNumber},
		{"1,5", 3, 0, errNumber},
		{"1.2.3", 3, 0, errNumber},
		{"--1", 3, 0, errNumber},
		{"NaN", 3, 0, errNumber},
		{"٣", 3, 0, errNumber},
		{"9223372036854775807", 3, 0, errRange},
		{strings.Repeat("9", 100), 0, 0, errRange},
	} {
		got, err := parseDecimal([]byte(c.text), '.', c.places)
		if got != c.want || !errors.Is(err, c.err) {
			t.Errorf("%q to %d places: got %d, %v; want %d, %v", c.text, c.places, got, err, c.want, c.err)
		}
	}
	if got, err := parseDecimal([]byte("-1,25"), ',', 3); got != -1250 || err != nil {
		t.Errorf("decimal comma: got %d, %v", got, err)
	}
}

func TestLineAmountRounding(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		quantity, price string
		exponent        int
		want            int64
	}{
		{"6", "2.55", 2, 1530},
		{"-6", "2.55", 2, -1530},
		{"1", "0.001", 2, 0},
		{"1", "0.005", 2, 1}, // halves away from zero
		{"-1", "0.005", 2, -1},
		{"1", "-0.005", 2, -1},
		{"-1", "-0.005", 2, 1},
		{"1", "0.0049", 2, 0},
		{"-1", "0.0049", 2, 0},
		{"5", "0.001", 2, 1},
		{"0.5", "0.01", 2, 1},
		{"0.499", "0.01", 2, 0},
		{"0.412", "11.90", 2, 490},
		{"1", "2.345", 2, 235},
		{"1", "2.335", 2, 234}, // in binary floating point it is below the half
		{"1", "1.005", 2, 101},
		{"3", "0.335", 2, 101},
		{"1", "0.5", 0, 1},
		{"3", "99", 0, 297},
		{"1", "0.0005", 3, 1},
		{"1", "1.2345", 4, 12345},
		{"1", "-11062.06", 2, -1106206},
		{"80995", "2.08", 2, 16846960},
	} {
		q, err := parseDecimal([]byte(c.quantity), '.', quantityPlaces)
		if err != nil {
			t.Fatal(err)
		}
		p, err := parseDecimal([]byte(c.price), '.', pricePlaces)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := lineAmount(q, p, c.exponent); got != c.want || err != nil {
			t.Errorf("%s x %s at %d decimals: got %d, %v; want %d", c.quantity, c.price, c.exponent, got, err, c.want)
		}
	}
	for _, c := range []struct{ amount, want int64 }{{153050, 1531}, {-153050, -1531}, {153049, 1530}, {0, 0}} {
		if got, err := roundAmount(c.amount, 2); got != c.want || err != nil {
			t.Errorf("amount %d: got %d, %v; want %d", c.amount, got, err, c.want)
		}
	}
}

func FuzzLineAmount(f *testing.F) {
	f.Add(int64(6000), int64(25500), 2)
	f.Add(int64(-1), int64(50000), 0)
	f.Add(int64(1)<<62, int64(1)<<62, 3)
	f.Fuzz(func(t *testing.T, q, p int64, exp int) {
		exp = int(uint(exp) % 5)
		got, err := lineAmount(q, p, exp)
		by := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(quantityPlaces+pricePlaces-exp)), nil)
		want := new(big.Int).Mul(big.NewInt(q), big.NewInt(p))
		negative := want.Sign() < 0
		want.Abs(want).Add(want, new(big.Int).Div(by, big.NewInt(2))).Div(want, by)
		if want.Cmp(big.NewInt(MaxAmount)) > 0 {
			if err == nil {
				t.Fatalf("%d x %d: got %d, want it refused", q, p, got)
			}
			return
		}
		if negative {
			want.Neg(want)
		}
		if err != nil || want.Cmp(big.NewInt(got)) != 0 {
			t.Fatalf("%d x %d: got %d, %v; want %s", q, p, got, err, want)
		}
	})
}

func TestQuantityText(t *testing.T) {
	t.Parallel()
	for q, want := range map[int64]string{0: "0", 6000: "6", -6000: "-6", 412: "0.412", -2500: "-2.5", 1010: "1.01", 1001: "1.001"} {
		if got := string(appendQuantity(nil, q)); got != want {
			t.Errorf("%d thousandths: got %s, want %s", q, got, want)
		}
	}
}
