package sales

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

const smallMap = `currency: EUR
columns: {receipt: nr, item: item, quantity: qty, unit_price: price, time: at}
`

func TestParseMap(t *testing.T) {
	t.Parallel()
	got, err := ParseMap([]byte(`
delimiter: ";"
decimal: ","
currency: EUR
columns:
  receipt: Bon
  item: Artikel
  description: Text
  quantity: Menge
  amount: Betrag
  time: Zeit
  customer: Karte
  store: Filiale
  till: Kasse
time:
  layout: 02.01.2006 15:04
  zone: Europe/Berlin
returns:
  column: Art
  values: [R, Retoure]
  quantities: positive
normalise:
  store: {trim: true, lower: true, strip_prefix: "Filiale "}
`))
	if err != nil {
		t.Fatal(err)
	}
	want := &Map{
		Delimiter: ";", Decimal: ",", Currency: "EUR",
		Columns: Columns{Receipt: "Bon", Item: "Artikel", Description: "Text", Quantity: "Menge", Amount: "Betrag",
			Time: "Zeit", Customer: "Karte", Store: "Filiale", Till: "Kasse"},
		Time:      Clock{Layout: "02.01.2006 15:04", Zone: "Europe/Berlin"},
		Returns:   Returns{Column: "Art", Values: []string{"R", "Retoure"}, Quantities: "positive"},
		Normalise: Normalise{Store: Clean{Trim: true, Lower: true, StripPrefix: "Filiale "}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if m := OnlineRetail(); m.Currency != "GBP" || m.Returns.Prefix != "C" || m.Normalise.Customer.StripSuffix != ".0" {
		t.Errorf("the ready map: got %+v", m)
	}
}

func TestParseMapRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ yaml, want string }{
		"empty":                {"", "it is empty"},
		"two documents":        {smallMap + "---\n" + smallMap, "more than one"},
		"too long":             {smallMap + strings.Repeat("#", MaxMap), "over 65536"},
		"unknown key":          {smallMap + "colour: red\n", "[3:1] unknown field \"colour\""},
		"unknown column":       {strings.Replace(smallMap, "item:", "article:", 1), "unknown field \"article\""},
		"unknown clean":        {smallMap + "normalise:\n  item: {upper: true}\n", "[4:10] unknown field \"upper\""},
		"doubled key":          {smallMap + "currency: USD\n", "[3:1]"},
		"wrong type":           {smallMap + "time: [1]\n", "[3:"},
		"no receipt":           {strings.Replace(smallMap, "receipt: nr, ", "", 1), "columns.receipt"},
		"no item":              {strings.Replace(smallMap, "item: item, ", "", 1), "columns.item"},
		"no quantity":          {strings.Replace(smallMap, "quantity: qty, ", "", 1), "columns.quantity"},
		"no time":              {strings.Replace(smallMap, ", time: at", "", 1), "columns.time"},
		"no price":             {strings.Replace(smallMap, "unit_price: price, ", "", 1), "unit_price and columns.amount"},
		"price and amount":     {strings.Replace(smallMap, "price, ", "price, amount: sum, ", 1), "unit_price and columns.amount"},
		"till without store":   {strings.Replace(smallMap, "price, ", "price, till: till, ", 1), "columns.till"},
		"no currency":          {strings.Replace(smallMap, "currency: EUR\n", "", 1), "currency is missing"},
		"unknown currency":     {strings.Replace(smallMap, "EUR", "EUX", 1), `currency "EUX"`},
		"lower currency":       {strings.Replace(smallMap, "EUR", "eur", 1), `currency "eur"`},
		"long delimiter":       {smallMap + "delimiter: ';;'\n", "delimiter"},
		"quote as delimiter":   {smallMap + "delimiter: '\"'\n", "delimiter"},
		"decimal":              {smallMap + "decimal: x\n", "decimal"},
		"layout without a day": {smallMap + "time: {layout: '15:04'}\n", "time.layout"},
		"layout of letters":    {smallMap + "time: {layout: yyyy-MM-dd}\n", "time.layout"},
		"zone":                 {smallMap + "time: {zone: Mars/North}\n", "time.zone"},
		"zone of the computer": {smallMap + "time: {zone: Local}\n", "time.zone"},
		"two marks":            {smallMap + "returns: {prefix: C, negative_quantity: true}\n", "only one"},
		"column alone":         {smallMap + "returns: {column: type}\n", "column and values"},
		"values alone":         {smallMap + "returns: {prefix: C, values: [x]}\n", "column and values"},
		"signs":                {smallMap + "returns: {prefix: C, quantities: both}\n", "returns.quantities"},
		"signs contradict":     {smallMap + "returns: {negative_quantity: true, quantities: positive}\n", "contradict"},
	} {
		_, err := ParseMap([]byte(c.yaml))
		if !errors.Is(err, ErrMap) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

func TestExponent(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]int{"GBP": 2, "EUR": 2, "JPY": 0, "XOF": 0, "KWD": 3, "TND": 3, "CLF": 4} {
		if got, ok := exponent(code); got != want || !ok {
			t.Errorf("%s: got %d, %v; want %d", code, got, ok, want)
		}
	}
	for _, code := range []string{"", "X", "EURO", "ED ", " AE", "XXX", "GB"} {
		if _, ok := exponent(code); ok {
			t.Errorf("%q is taken as a currency", code)
		}
	}
	for _, code := range strings.Fields(minorUnits) {
		if !strings.Contains(currencies, " "+code[:3]+" ") {
			t.Errorf("%s has a minor unit and is not a currency", code)
		}
	}
}

func FuzzParseMap(f *testing.F) {
	f.Add(onlineRetail)
	f.Add([]byte(smallMap))
	f.Add([]byte("a: &a [*a]"))
	f.Add([]byte("columns: {receipt: [}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := ParseMap(text)
		if err != nil {
			if !errors.Is(err, ErrMap) {
				t.Fatalf("got %v, want ErrMap", err)
			}
			return
		}
		// What is taken can be used.
		if _, _, err := Read(strings.NewReader("a,b\n"), "fuzz", m); errors.Is(err, ErrMap) {
			t.Fatal(err)
		}
	})
}
