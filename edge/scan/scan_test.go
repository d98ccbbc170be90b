package scan_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"tillstream/edge/scan"
	"tillstream/kv/record"
	"tillstream/kv/setting"
)

func scanner(t testing.TB, cfg scan.Config) *scan.Scanner {
	t.Helper()
	s, err := scan.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// chain is one with everything.
func chain() scan.Config {
	return scan.Config{
		Layouts: []setting.Layout{
			{Prefix: "25", Item: 5, Digits: 5, Carries: setting.Price},
			{Prefix: "28", Item: 5, Digits: 5, Carries: setting.Weight, Decimals: 3},
			{Prefix: "2812", Item: 4, Digits: 4, Carries: setting.Weight, Decimals: 2},
			{Prefix: "22", Item: 5, PriceCheck: true, Digits: 4, Carries: setting.Price},
			{Prefix: "23", Item: 4, PriceCheck: true, Digits: 5, Carries: setting.Price},
			{Prefix: "02", Item: 5, PriceCheck: true, Digits: 4, Carries: setting.Price},
			{Prefix: "29", Item: 5, Digits: 5, Carries: setting.Price, Zeros: 2},
		},
		Cards: []setting.Cards{
			{Prefix: "27", Digits: 13, Check: setting.CheckEAN},
			{Prefix: "675964"},
			{Prefix: "99", Digits: 10, Check: setting.CheckNone},
		},
	}
}

// digit puts the right check digit behind digits.
func digit(digits string) string { return digits + string(record.CheckDigit(digits)) }

// Numbers that GS1, the ISBN agency and encyclopaedias print as examples.
func TestItems(t *testing.T) {
	s := scanner(t, chain())
	for code, want := range map[string]scan.Code{
		"96385074":           {Symbology: scan.EAN8, Item: "00000096385074"},
		"73513537":           {Symbology: scan.EAN8, Item: "00000073513537"},
		"036000291452":       {Symbology: scan.UPCA, Item: "00036000291452"},
		"042100005264":       {Symbology: scan.UPCA, Item: "00042100005264"},
		"4006381333931":      {Symbology: scan.EAN13, Item: "04006381333931"},
		"5901234123457":      {Symbology: scan.EAN13, Item: "05901234123457"},
		"0036000291452":      {Symbology: scan.EAN13, Item: "00036000291452"},
		"10614141000415":     {Symbology: scan.GTIN14, Item: "10614141000415"},
		"9780306406157":      {Symbology: scan.EAN13, Item: "09780306406157"},
		"978030640615751299": {Symbology: scan.EAN13, Item: "09780306406157", AddOn: "51299"},
		"977114487500705":    {Symbology: scan.EAN13, Item: "09771144875007", AddOn: "05"},
		"]E04006381333931":   {Symbology: scan.EAN13, Item: "04006381333931"},
		"4006381333931\r\n":  {Symbology: scan.EAN13, Item: "04006381333931"},
	} {
		want.Kind = scan.Item
		if got, err := s.Read(code); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: got %+v, %v; want %+v", code, got, err, want)
		}
	}
}

// UPC-E is UPC-A with its zeros left out: one number, one item. Where it is not used, eight digits are EAN-8.
func TestUPCE(t *testing.T) {
	america := scanner(t, scan.Config{UPCE: true})
	for e, a := range map[string]string{
		"04252614": "042100005264", "01234505": "012000003455", "01234531": "012300000451",
		"01234543": "012340000053", "01234565": "012345000065", "01234596": "012345000096",
	} {
		got, err := america.Read(e)
		wide, _ := america.Read(a)
		if err != nil || got.Symbology != scan.UPCE || got.Item != wide.Item || wide.Symbology != scan.UPCA {
			t.Errorf("%s: got %+v, %v; want the item of %s: %+v", e, got, err, a, wide)
		}
	}
	europe := scanner(t, scan.Config{})
	if got, err := europe.Read("04252614"); !errors.Is(err, record.ErrCheckDigit) {
		t.Errorf("UPC-E where there is none: %+v, %v", got, err)
	}
	// The scanner knows which it was, where the digits are good for both.
	for i := range 10_000_000 {
		both := digit(strings.Repeat("0", 7-len(number(i))) + number(i))
		if got, err := america.Read(both); err == nil && got.Symbology == scan.UPCE {
			if got, err := america.Read("]E4" + both); err != nil || got.Symbology != scan.EAN8 {
				t.Errorf("%s as EAN-8: %+v, %v", both, got, err)
			}
			return
		}
	}
	t.Error("no digits are good for both: the test shows nothing")
}

func number(i int) string {
	if i < 10 {
		return string(rune('0' + i))
	}
	return number(i/10) + string(rune('0'+i%10))
}

// A label of the scale: item, and weight or price. The item's code is one for all its labels.
func TestInStoreCodes(t *testing.T) {
	s := scanner(t, chain())
	for _, c := range []struct {
		code, base string // without their check digits
		want       scan.Measure
		kilograms  string
	}{
		{"251234000490", "251234000000", scan.Measure{Carries: setting.Price, Value: 490}, ""},
		{"281234500412", "", scan.Measure{}, ""}, // of the longer prefix, below
		{"289999900412", "289999900000", scan.Measure{Carries: setting.Weight, Value: 412, Decimals: 3}, "0.412"},
		{"289999912345", "289999900000", scan.Measure{Carries: setting.Weight, Value: 12345, Decimals: 3}, "12.345"},
		{"281234560412", "281234560000", scan.Measure{Carries: setting.Weight, Value: 412, Decimals: 2}, "4.12"},
		// The price check digits that GS1 prints: 2875 has 9, 14685 has 6.
		{"221234592875", "221234500000", scan.Measure{Carries: setting.Price, Value: 2875}, ""},
		{"231234614685", "231234000000", scan.Measure{Carries: setting.Price, Value: 14685}, ""},
		{"291234500490", "291234500000", scan.Measure{Carries: setting.Price, Value: 49000}, ""},
		{"241234500490", "241234500490", scan.Measure{}, ""}, // no layout: an item of its own
	} {
		if c.base == "" {
			continue
		}
		got, err := s.Read(digit(c.code))
		want := scan.Code{Kind: scan.Item, Symbology: scan.InStore, Item: "0" + digit(c.base), Measure: &c.want}
		if c.want == (scan.Measure{}) {
			want.Symbology, want.Measure = scan.EAN13, nil
		}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v %+v, %v; want %+v %+v", digit(c.code), got, got.Measure, err, want, want.Measure)
			continue
		}
		if c.kilograms != "" && got.Measure.Kilograms() != c.kilograms {
			t.Errorf("%s: %s kg, want %s", digit(c.code), got.Measure.Kilograms(), c.kilograms)
		}
	}
	// Twelve digits of North America: 2, five of the item, a price check digit, four of the price.
	if got, err := s.Read(digit("21234592875")); err != nil || got.Measure == nil || got.Measure.Value != 2875 || got.Item != "0"+digit("021234500000") {
		t.Errorf("UPC-A with a price: %+v, %v", got, err)
	}
	for _, code := range []string{"221234582875", "231234514685"} {
		if got, err := s.Read(digit(code)); !errors.Is(err, record.ErrCheckDigit) {
			t.Errorf("%s with a wrong price check digit: %+v, %v", digit(code), got, err)
		}
	}
	if got := (&scan.Measure{Carries: setting.Weight, Value: 7}).Kilograms(); got != "7" {
		t.Errorf("seven kilograms are %q", got)
	}
}

func TestCards(t *testing.T) {
	s := scanner(t, chain())
	luhn := "67596400000000" // and its check digit
	for d := range 10 {
		if scan.Luhn(luhn + number(d)) {
			luhn += number(d)
			break
		}
	}
	for _, number := range []string{digit("270001234567"), luhn, "6759649826438453", "9912345678"} {
		if got, err := s.Read(number); err != nil || !reflect.DeepEqual(got, scan.Code{Kind: scan.Card, Card: number}) {
			t.Errorf("%s: %+v, %v", number, got, err)
		}
	}
	for _, number := range []string{"2700012345678", "6759649826438454"} {
		if got, err := s.Read(number); !errors.Is(err, record.ErrCheckDigit) {
			t.Errorf("%s: %+v, %v", number, got, err)
		}
	}
	// Not the length of a card: an item.
	if got, err := s.Read(digit("9900000")); err != nil || got.Kind != scan.Item {
		t.Errorf("EAN-8 that begins as a card: %+v, %v", got, err)
	}
	// Without its prefix it is nobody's, or a payment card.
	if got, err := scanner(t, scan.Config{}).Read("6759649826438453"); !errors.Is(err, scan.ErrPaymentCard) {
		t.Errorf("a card of another chain's prefix: %+v, %v", got, err)
	}
}

// A wrong check digit is told apart from what is unknown, and nothing that is refused is repeated.
func TestRefused(t *testing.T) {
	s := scanner(t, chain())
	for code, want := range map[string]error{
		"":                           scan.ErrCode,
		"\r\n":                       scan.ErrCode,
		"96385075":                   record.ErrCheckDigit,
		"036000291453":               record.ErrCheckDigit,
		"4006381333932":              record.ErrCheckDigit,
		"10614141000416":             record.ErrCheckDigit,
		visa:                         scan.ErrPaymentCard,
		"4111 1111 1111 1111":        scan.ErrPaymentCard,
		amex:                         scan.ErrPaymentCard,
		maestro[:4] + "-" + visa:     scan.ErrPaymentCard,
		";" + masterc + "=2512101":   scan.ErrPaymentCard,
		unionpay:                     scan.ErrPaymentCard,
		mir:                          scan.ErrPaymentCard,
		"a\x00b":                     scan.ErrCode,
		"400638\x1b1333931":          scan.ErrCode,
		"4006381333931\x7f":          scan.ErrCode,
		"çode":                       scan.ErrCode,
		"٤٠٠٦٣٨١٣٣٣٩٣١":              scan.ErrCode,
		"two words":                  scan.ErrCode,
		strings.Repeat("7", 10_000):  scan.ErrCode,
		strings.Repeat("x", 65):      scan.ErrCode,
		"]C1010400638133393110ABC":   scan.ErrNotYet,
		"]Q3https://id.example/01/1": scan.ErrNotYet,
	} {
		got, err := s.Read(code)
		if !errors.Is(err, want) || got != (scan.Code{}) {
			t.Errorf("%.40q: got %+v, error %v, want %v", code, got, err, want)
		}
		if err != nil && len(code) > 7 && strings.Contains(err.Error(), code[:8]) {
			t.Errorf("%.40q is repeated: %v", code, err)
		}
	}
	for _, code := range []string{"85123A", "POST", "1", "22423", "AU7K2M", "1234567", "12345678901"} {
		if got, err := s.Read(code); err != nil || !reflect.DeepEqual(got, scan.Code{Kind: scan.Other, Item: code}) {
			t.Errorf("%s: got %+v, %v", code, got, err)
		}
	}
}

// American Express cards have fifteen digits, as an EAN with an add-on of two has: no such card is an item.
func TestNoPaymentCardIsAnItem(t *testing.T) {
	s := scanner(t, scan.Config{})
	looked := 0
	for i := range 200_000 {
		for _, prefix := range []string{"34", "37"} {
			n := prefix + strings.Repeat("0", 6) + strings.Repeat("0", 6-len(number(i))) + number(i)
			for d := range 10 {
				card := n + number(d)
				if !scan.Luhn(card) || !record.HasCheckDigit(card[:13]) {
					continue
				}
				looked++
				if _, err := s.Read(card); !errors.Is(err, scan.ErrPaymentCard) {
					t.Fatalf("a card of prefix %s is read as something else: %v", prefix, err)
				}
			}
		}
	}
	if looked == 0 {
		t.Error("no card looked like an item: the test shows nothing")
	}
}

func TestConfigurations(t *testing.T) {
	for field, cfg := range map[string]scan.Config{
		"layouts[0].prefix":      {Layouts: []setting.Layout{}},
		"layouts[0]: prefix":     {Layouts: []setting.Layout{{Prefix: "40", Item: 5, Digits: 5, Carries: setting.Price}}},
		"layouts[0]: item":       {Layouts: []setting.Layout{{Prefix: "20", Digits: 5, Carries: setting.Price}}},
		"layouts[0]: digits":     {Layouts: []setting.Layout{{Prefix: "20", Item: 5, Digits: 4, Carries: setting.Price}}},
		"carries":                {Layouts: []setting.Layout{{Prefix: "20", Item: 5, Digits: 5}}},
		"decimals":               {Layouts: []setting.Layout{{Prefix: "20", Item: 5, Digits: 5, Carries: setting.Price, Decimals: 2}}},
		"zeros":                  {Layouts: []setting.Layout{{Prefix: "20", Item: 5, Digits: 5, Carries: setting.Weight, Zeros: 2}}},
		"price_check":            {Layouts: []setting.Layout{{Prefix: "20", Item: 4, PriceCheck: true, Digits: 5, Carries: setting.Weight}}},
		"layouts[1].prefix":      {Layouts: []setting.Layout{{Prefix: "20", Item: 5, Digits: 5, Carries: setting.Price}, {Prefix: "20", Item: 6, Digits: 4, Carries: setting.Price}}},
		"country":                {Country: "XX"},
		"cards[0].prefix":        {Cards: []setting.Cards{{}}},
		"cards[0].digits":        {Cards: []setting.Cards{{Prefix: "27", Digits: 20}}},
		"cards[0].check":         {Cards: []setting.Cards{{Prefix: "27", Check: "mod11"}}},
		"cards[1].digits":        {Cards: []setting.Cards{{Prefix: "27"}, {Prefix: "1234567890", Digits: 10}}},
		"layouts[0]: item: want": {Layouts: []setting.Layout{{Prefix: "20", Item: -1, Digits: 5, Carries: setting.Price}}},
	} {
		_, err := scan.New(cfg)
		if len(cfg.Layouts)+len(cfg.Cards) == 0 && cfg.Country == "" {
			if err != nil {
				t.Errorf("an empty configuration: %v", err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("error %v, want one that names %s", err, field)
		}
	}
}

// The setting as a chain puts it.
func TestReadConfig(t *testing.T) {
	cfg, err := setting.ReadScan([]byte(`{"id":"scan","revision":3,"country":"DE","upce":false,
		"layouts":[{"prefix":"22","item":5,"price_check":true,"digits":4,"carries":"price"},
			{"prefix":"28","item":5,"digits":5,"carries":"weight","decimals":3}],
		"cards":[{"prefix":"27","digits":13,"check":"ean"},{"prefix":"675964"}]}`))
	want := scan.Config{
		Country: "DE",
		Layouts: []setting.Layout{{Prefix: "22", Item: 5, PriceCheck: true, Digits: 4, Carries: setting.Price},
			{Prefix: "28", Item: 5, Digits: 5, Carries: setting.Weight, Decimals: 3}},
		Cards: []setting.Cards{{Prefix: "27", Digits: 13, Check: setting.CheckEAN}, {Prefix: "675964"}},
	}
	if err != nil || !reflect.DeepEqual(cfg, want) {
		t.Errorf("read %+v, %v; want %+v", cfg, err, want)
	}
	scanner(t, cfg)
	for _, text := range []string{"", "[]", `{"id":"scan","revision":1,"layout":[]}`, `{"id":"scan","revision":1,"upce":"no"}`} {
		if _, err := setting.ReadScan([]byte(text)); err == nil {
			t.Errorf("%s was read", text)
		}
	}
}

// Whatever is scanned, what comes out can be looked for, and no error repeats it.
func FuzzRead(f *testing.F) {
	for _, code := range []string{"4006381333931", digit("251234000490"), "04252614", "977114487500705", visa, ourCard, "]C101", "85123A", "\x00"} {
		f.Add(code, true)
	}
	cfg := chain()
	europe := scanner(f, cfg)
	cfg.UPCE = true
	america := scanner(f, cfg)
	f.Fuzz(func(t *testing.T, text string, upce bool) {
		s := europe
		if upce {
			s = america
		}
		c, err := s.Read(text)
		if err != nil {
			if !reflect.DeepEqual(c, scan.Code{}) {
				t.Fatalf("%q: both %+v and %v", text, c, err)
			}
			return
		}
		switch c.Kind {
		case scan.Item:
			if len(c.Item) != 14 || !record.HasCheckDigit(c.Item) {
				t.Fatalf("%q: item %q", text, c.Item)
			}
		case scan.Card:
			if !record.Digits(c.Card) || len(c.Card) > 19 {
				t.Fatalf("%q: card %q", text, c.Card)
			}
		case scan.Other:
			if record.CheckCode(c.Item) != nil || scan.HoldsPaymentCard(c.Item, false, []string{"27", "675964", "99"}) {
				t.Fatalf("%q: %q", text, c.Item)
			}
		default:
			t.Fatalf("%q: kind %q", text, c.Kind)
		}
		if c.Measure != nil && (c.Symbology != scan.InStore || c.Measure.Value < 0) {
			t.Fatalf("%q: %+v with %+v", text, c, c.Measure)
		}
	})
}
