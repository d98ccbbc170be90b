package sales

import (
	"strings"
	"testing"
)

// A file as a spreadsheet in Europe writes it, with stores and tills of its own.
func TestReadEuropean(t *testing.T) {
	t.Parallel()
	m, err := ParseMap([]byte(`
delimiter: ";"
decimal: ","
currency: EUR
columns: {receipt: Bon, item: Artikel, quantity: Menge, amount: Betrag, time: Zeit, store: Filiale, till: Kasse}
time: {layout: 02.01.2006 15:04, zone: America/New_York}
returns: {column: Art, values: [R], quantities: positive}
normalise: {store: {lower: true, strip_prefix: "Filiale "}, returns: {trim: true}}
`))
	if err != nil {
		t.Fatal(err)
	}
	text := "Bon;Artikel;Menge;Betrag;Zeit;Filiale;Kasse;Art\n" +
		"1;Käse;0,412;4,905;02.01.2026 23:30;Filiale NORD;1;V\n" +
		"1;Brot;1;2;02.01.2026 23:30;Filiale nord;2;V\n" + // another till: another receipt
		"1;Milch;1;1;02.01.2026 23:31;Filiale nord;1;V\n" +
		"2;Brot;1;2;03.01.2026 08:00;Filiale Süd;1;V\n" + // no token
		"2;Brot;1;2;03.01.2026 08:00;Filiale nord;;V\n" + // no token
		"3;Brot;1;2;03.01.2026 08:00;Filiale nord;1; R\n" +
		"3;Brot;1;2;03.01.2026 08:00;Filiale nord;1;V\n" // a return and a sale
	receipts, report := mustRead(t, text, m)
	if got, want := sketch(receipts), "1/=591 0.412xKäse 1xMilch; 1/=200 1xBrot; 3/=200 1xBrot"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if receipts[0].RID == receipts[1].RID {
		t.Error("one number at two tills gives one rid")
	}
	if r := receipts[0]; r.Store != "nord" || r.Till != "1" || receipts[1].Till != "2" || !receipts[2].Return {
		t.Errorf("got %+v", r)
	}
	if body := string(receipts[0].Body("nord", "1")); !strings.Contains(body,
		`"at":"2026-01-02T23:30:00-05:00","business_date":"2026-01-02","currency":"EUR","lines"`) {
		t.Errorf("the business date is the store's own; got %s", body)
	}
	for i, want := range []string{`line 5: receipt 2: store "süd": not a token`, `line 6: receipt 2: till "": not a token`,
		"line 8: receipt 3: some of its rows are marked as a return and some are not: this one disagrees with line 7"} {
		if r := report.Refusals[i]; !strings.HasPrefix("line "+string(rune('0'+r.Line))+": "+r.Reason, want) {
			t.Errorf("got %+v, want %s", r, want)
		}
	}
}

func TestReadReturnsByNegativeQuantity(t *testing.T) {
	t.Parallel()
	m := testMap()
	m.Returns = Returns{NegativeQuantity: true}
	text := head +
		"1,a,x,-1,2.00," + day + ",k\n1,b,x,0,2.00," + day + ",k\n" + // a return
		"2,a,x,-1,2.00," + day + ",k\n2,b,x,1,5.00," + day + ",k\n" + // an exchange: a sale with a correction
		"3,a,x,0,2.00," + day + ",k\n" // nothing came back
	receipts, _ := mustRead(t, text, m)
	if got, want := sketch(receipts), "1/k=200 1xa 0xb; 2/k=300 -1xa 1xb; 3/k=0 0xa"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for i, want := range []bool{true, false, false} {
		if receipts[i].Return != want {
			t.Errorf("receipt %s: return is %v", receipts[i].Number, receipts[i].Return)
		}
	}
}

func TestReadOtherMinorUnits(t *testing.T) {
	t.Parallel()
	for currency, want := range map[string]Account{"JPY": {Points: 1001}, "EUR": {Points: 1000}, "KWD": {Points: 1000}} {
		m := testMap()
		m.Currency = currency
		receipts, _ := mustRead(t, head+"1,a,x,2,500.25,"+day+",k\n", m)
		if got := CountPoints(receipts).Customers["k"]; got != want {
			t.Errorf("%s: got %+v for %d minor units, want %+v", currency, got, receipts[0].Total(), want)
		}
	}
}
