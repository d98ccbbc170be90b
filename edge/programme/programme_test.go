package programme_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"tillstream/edge/programme"
	"tillstream/edge/scan"
	"tillstream/kv/record"
)

// pasta as it is scanned, and as sets and items have it.
const (
	pasta     = "8076800195057"
	pasta14   = "08076800195057"
	cheese    = "2834567004120"  // 412 g of cheese
	cheese14  = "02834567000009" // the item's code: the weight put to zeros
	aPoint    = "one point for each whole unit"
	twoPoints = `"currencies":{"EUR":{"earn":{"points":2,"amount":100},"value":{"points":1,"amount":1}}}`
)

func TestWithoutAnything(t *testing.T) {
	n := open(t)
	r := n.Now()
	if r.Number() != 1 || r.Items() != 0 || r.Zone().String() != "UTC" || n.At(1) != r || n.At(2) != nil {
		t.Errorf("revision %d, %d items, zone %s", r.Number(), r.Items(), r.Zone())
	}
	for currency, want := range map[string]int64{"EUR": 10, "JPY": 1000, "KWD": 1, "CLF": 0} {
		if q := quote(t, r, currency, pasta); q.Points.Earned != want {
			t.Errorf("%s earns %d, want %d: %s", currency, q.Points.Earned, want, aPoint)
		}
	}
}

// What falls to the store is what a basket is priced by; an old revision stays what it was, in memory and after
// a restart: rules, items and settings.
func TestRevisionsStay(t *testing.T) {
	n := open(t)
	first := n.put(
		promotion("pasta", 1, "pasta", "10"), set("pasta", `"include":{"items":["`+pasta+`"]}`),
		item(pasta14, record.Product{Name: "Pasta", MinAge: 18}), setting("programme", twoPoints))
	second := n.put(promotion("pasta", 2, "pasta", "50"))
	third := n.put(item(pasta14, record.Product{Name: "Pasta", NoDiscount: true}))
	fourth := n.put(setting("programme", `"max_line_discount":"5"`), item(pasta14, record.Product{Name: "Pasta"}))
	check := func() {
		t.Helper()
		for _, c := range []struct {
			number       uint32
			pay, points  int64
			age          int
			pasta, other bool
		}{{first, 900, 18, 18, true, false}, {second, 500, 10, 18, true, false}, {third, 1000, 20, 0, true, false}, {fourth, 950, 9, 0, true, false}} {
			r := n.At(c.number)
			if r == nil {
				t.Fatalf("revision %d is gone", c.number)
			}
			q := quote(t, r, "EUR", pasta)
			if it := r.Item(pasta); q.Totals.ToPay != c.pay || q.Points.Earned != c.points || it.MinAge != c.age || !it.Known {
				t.Errorf("revision %d: pays %d, earns %d, from %d; want %+v", c.number, q.Totals.ToPay, q.Points.Earned, it.MinAge, c)
			}
		}
	}
	check()
	if n.Now().Number() != fourth {
		t.Errorf("goes by %d, want %d", n.Now().Number(), fourth)
	}
	n.stop()
	n.start()
	check()
	if n.Now().Number() != fourth || n.At(first-1) != nil {
		t.Error("after a restart it goes by another, or has one that never was")
	}
}

// A currency that the setting does not name has no points.
func TestCurrencies(t *testing.T) {
	n := open(t)
	r := n.At(n.put(setting("programme", twoPoints)))
	for currency, want := range map[string]int64{"EUR": 20, "CHF": 0, "JPY": 0} {
		if q := quote(t, r, currency, pasta); q.Points.Earned != want {
			t.Errorf("%s earns %d, want %d", currency, q.Points.Earned, want)
		}
	}
}

// A document that makes no sense is named, and the revision before it holds, also after a restart. When it is
// mended, the newest is gone by.
func TestFaults(t *testing.T) {
	for name, c := range map[string]struct {
		bad  record.Reference
		says string
		good record.Reference
	}{
		"promotion without its set":  {promotion("tea", 1, "tea", "10"), "no product set tea", set("tea", `"include":{"items":["x"]}`)},
		"promotion of another form":  {record.Reference{Kind: record.RefPromotion, Key: "tea", Value: []byte(`{"id":"tea"}`)}, "schema", record.Reference{Kind: record.RefPromotion, Key: "tea"}},
		"set that is none":           {record.Reference{Kind: record.RefSet, Key: "tea", Value: []byte(`{"id":"coffee","revision":1}`)}, "of its own id", set("tea", `"include":{"items":["x"]}`)},
		"setting with another field": {setting("programme", `"earning":{}`), "earning", setting("programme", twoPoints)},
		"zone that is none":          {setting("stores", `"zone":"Europe/Atlantis"`), "Europe/Atlantis", setting("stores", `"zone":"Europe/Berlin"`)},
		"label that is none":         {setting("scan", `"layouts":[{"prefix":"40"}]`), "prefix", setting("scan", `"upce":true`)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := open(t)
			before := n.put(promotion("pasta", 1, "all", "10"), set("other", `"include":{"items":["x"]}`))
			bad := n.put(c.bad, promotion("pasta", 2, "all", "20"))
			check := func() {
				t.Helper()
				s := n.State()
				if s.Revision != before || s.Newest != uint64(bad) || len(s.Faults) != 1 || s.Faults[0].ID != c.bad.Key ||
					s.Faults[0].Kind != c.bad.Kind.String() || s.Faults[0].Entry != uint64(bad)-1 || !strings.Contains(s.Faults[0].Error(), c.says) {
					t.Errorf("goes by %d of %d, faults %v", s.Revision, s.Newest, s.Faults)
				}
				if q := quote(t, n.Now(), "EUR", pasta); q.Totals.ToPay != 900 {
					t.Errorf("pays %d, want what held before", q.Totals.ToPay)
				}
			}
			check()
			n.stop()
			n.start()
			check()
			good := n.put(c.good)
			if s := n.State(); s.Revision != good || len(s.Faults) != 0 {
				t.Errorf("mended: goes by %d of %d, faults %v", s.Revision, s.Newest, s.Faults)
			}
		})
	}
}

// A new node, for which there is nothing before, goes by what is left.
func TestFaultsOnANewDisk(t *testing.T) {
	n := open(t)
	only := n.put(promotion("pasta", 1, "all", "10"), promotion("tea", 1, "tea", "10"))
	if s := n.State(); s.Revision != only || len(s.Faults) != 1 {
		t.Errorf("goes by %d, faults %v", s.Revision, s.Faults)
	}
	if q := quote(t, n.Now(), "EUR", pasta); q.Totals.ToPay != 900 {
		t.Errorf("pays %d, want the promotion that is left", q.Totals.ToPay)
	}
	next := n.put(promotion("pasta", 2, "all", "20"))
	if s := n.State(); s.Revision != next || len(s.Faults) != 1 {
		t.Errorf("goes by %d, faults %v; the newer of two halves is better", s.Revision, s.Faults)
	}
}

// A number that a receipt has no room for is not cut short to another's.
func TestNumberOver32Bits(t *testing.T) {
	n := open(t)
	before := n.put(promotion("pasta", 1, "all", "10"))
	n.entry = math.MaxUint32
	n.put(promotion("pasta", 2, "all", "20"))
	if s := n.State(); s.Revision != before || len(s.Faults) != 1 || s.Faults[0].Kind != "revision" {
		t.Errorf("goes by %d, faults %v", s.Revision, s.Faults)
	}
}

// Items are found by every code that is on their labels, and sets by theirs.
func TestItemsByTheirCodes(t *testing.T) {
	n := open(t)
	n.put(
		item(pasta14, record.Product{Name: "Pasta", Category: "food/pasta", Tags: []string{"organic"}, FloorPrice: 5, NoPoints: true}),
		item(cheese14, record.Product{Name: "Cheese", Unit: record.UnitKilogram}), item("A-1", record.Product{Name: "Bag"}),
		setting("scan", `"layouts":[{"prefix":"28","item":5,"digits":5,"carries":"weight","decimals":3}]`),
		promotion("pasta", 1, "pasta", "10"), set("pasta", `"include":{"items":["`+pasta+`","`+pasta14+`"]}`))
	r := n.Now()
	for scanned, name := range map[string]string{
		pasta: "Pasta", pasta14: "Pasta", "]E0" + pasta: "Pasta", cheese: "Cheese", "2834567012340": "", "A-1": "Bag", "a-1": "", "8076800195058": "", "x": "",
	} {
		if it := r.Item(scanned); it.Name != name || it.Known != (name != "") {
			t.Errorf("%s is %+v, want %q", scanned, it, name)
		}
	}
	if it := r.Item(pasta); it.Category != "food/pasta" || it.Tags[0] != "organic" || it.FloorPrice != 5 || !it.NoPoints || it.Weighed {
		t.Errorf("%+v", it)
	}
	if it := r.Item(cheese); !it.Weighed {
		t.Errorf("%+v", it)
	}
	for _, scanned := range []string{pasta, pasta14} {
		if q := quote(t, r, "EUR", scanned); q.Totals.ToPay != 900 {
			t.Errorf("%s pays %d", scanned, q.Totals.ToPay)
		}
	}
	if c, err := r.Scanner().Read(cheese); err != nil || c.Measure == nil {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestPlace(t *testing.T) {
	n := open(t)
	n.put(setting("stores", `"zone":"Europe/Berlin","zones":{"Atlantic/Canary":["0042"]},"sets":{"city":["0017","0018"],"north":["0042"]},"countries":{"AT":["0017"]}`),
		setting("scan", `"country":"DE"`),
		record.Reference{Kind: record.RefPromotion, Key: "late", Value: []byte(`{"schema":"promotion/v1","id":"late","revision":1,"name":"x","text":{"en":"x"},
			"stores":{"include":["city"]},"schedule":[{"days":["sat"],"from":"00:00","until":"01:00"}],"mechanic":{"type":"percentage","percent":"10"}}`)})
	if q := quote(t, n.Now(), "EUR", pasta); q.Totals.ToPay != 900 { // 23:30 UTC on a Friday
		t.Errorf("pays %d, want the offer of the store's own Saturday; %+v", q.Totals.ToPay, q.WhyNot)
	}
	if got, err := n.Now().Scanner().Phone("0664 1234567"); err != nil || got != "+436641234567" {
		t.Errorf("%s, %v", got, err)
	}
}

func TestOpenRefuses(t *testing.T) {
	n := open(t)
	for name, cfg := range map[string]programme.Config{
		"no cache": {Store: store("1")}, "no store": {Cache: n.cache}, "prefix": {Cache: n.cache, Store: store("1"), CardPrefixes: []string{"x"}},
	} {
		if _, err := programme.Open(cfg); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	if _, err := n.Now().Scanner().Read("4111111111111111"); !errors.Is(err, scan.ErrPaymentCard) {
		t.Errorf("a payment card: %v", err)
	}
	if c, err := n.Now().Scanner().Read("2700000001"); err != nil || c.Kind != scan.Card {
		t.Errorf("the node's own prefix: %+v, %v", c, err)
	}
}

// A revision is the same in another store as that store's own nodes make it, whoever asks.
func TestInAnotherStore(t *testing.T) {
	n := open(t)
	n.put(setting("stores", `"zone":"Europe/Berlin","zones":{"Atlantic/Canary":["0042"]},"sets":{"city":["0017"],"north":["0042"]},"countries":{"AT":["0042"]}`),
		setting("scan", `"country":"DE"`), setting("programme", twoPoints),
		record.Reference{Kind: record.RefPromotion, Key: "north", Value: []byte(`{"schema":"promotion/v1","id":"north","revision":1,"name":"x","text":{"en":"x"},
			"stores":{"include":["north"]},"mechanic":{"type":"percentage","percent":"10"}}`)})
	here := n.Now()
	there := here.In(store("0042"))
	own, err := programme.Open(programme.Config{Cache: n.cache, Store: store("0042")})
	if err != nil {
		t.Fatal(err)
	}
	if here.In(store("0017")) != here || here.In(store("0042")) != there || there.In(store("0017")).Store() != store("0017") {
		t.Error("a revision of one store is not one")
	}
	for name, r := range map[string]*programme.Revision{"from another store": there, "its own": own.Now()} {
		phone, err := r.Scanner().Phone("0664 1234567")
		if r.Number() != here.Number() || r.Store() != store("0042") || r.Zone().String() != "Atlantic/Canary" ||
			len(r.StoreSets()) != 1 || r.StoreSets()[0] != "north" || phone != "+436641234567" || err != nil {
			t.Errorf("%s: revision %d of store %s, zone %s, sets %v, phone %s, %v", name, r.Number(), r.Store(), r.Zone(), r.StoreSets(), phone, err)
		}
		if q := quote(t, r, "EUR", pasta); q.Totals.ToPay != 900 || q.Points.Earned != 18 {
			t.Errorf("%s: pays %d and earns %d", name, q.Totals.ToPay, q.Points.Earned)
		}
	}
	if q := quote(t, here, "EUR", pasta); q.Totals.ToPay != 1000 {
		t.Errorf("here it pays %d", q.Totals.ToPay)
	}
}
