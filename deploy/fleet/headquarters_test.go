package fleet_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"tillstream/deploy/fleet"
	"tillstream/deploy/sales"
	"tillstream/edge/api"
	"tillstream/kv/record"
)

// everywhere has promotions that are not the same in two stores: by their sets, and by their clocks.
func everywhere(t *testing.T, f *fleet.Fleet) {
	t.Helper()
	put(t, f, record.RefSetting, `{id: stores, revision: 1, zones: {Europe/Berlin: ["0001"], Asia/Tokyo: ["0002"]}, sets: {city: ["0001"]}, countries: {AT: ["0001"]}}`)
	put(t, f, record.RefSetting, `{id: scan, revision: 1, country: DE}`)
	put(t, f, record.RefSet, `[{id: jumbo, revision: 1, include: {items: ["85099B", "85099C", "85099F"]}}, {id: lunch, revision: 1, include: {items: ["20725", "22382", "22383", "20728"]}}]`)
	entry := put(t, f, record.RefPromotion, `
- {schema: promotion/v1, id: jumbo, revision: 1, name: "3 for 2", text: {en: "3 for 2"}, mechanic: {type: nth_item, set: jumbo, n: 3, percent: "100", choose: cheapest}}
- {schema: promotion/v1, id: lunch, revision: 1, name: "City lunch", text: {en: "-10%"}, stores: {include: [city]}, mechanic: {type: percentage, level: item, set: lunch, percent: "10"}}
- {schema: promotion/v1, id: noon, revision: 1, name: "Before noon", text: {en: "-1.00"}, schedule: [{days: [mon, tue, wed, thu, fri, sat, sun], from: "08:00", until: "12:00"}],
   when: [{min_spend: 2000}], mechanic: {type: amount, per: basket, set: all, amount: 100}}
- {schema: promotion/v1, id: double, revision: 1, name: "Double", text: {en: "2x"}, audience: {card_required: true}, mechanic: {type: points_multiplier, set: lunch, factor: "2"}}
`)
	for _, till := range f.Tills() {
		goesBy(t, &till.Edge, entry)
	}
}

// cutOut takes a text member out of a quote.
func cutOut(t *testing.T, quote []byte, member string) []byte {
	t.Helper()
	before, rest, ok := bytes.Cut(quote, []byte(`"`+member+`":"`))
	_, after, closed := bytes.Cut(rest, []byte(`"`))
	if !ok || !closed {
		t.Fatalf("no %s in %s", member, quote)
	}
	return append(append(make([]byte, 0, len(quote)), before...), after...)
}

// A shop and headquarters give the same bytes for the same basket, all but the context, which only the node that
// sealed it can open: for 10,000 baskets of a real shop, by promotions that are others in another store.
func TestHeadquartersQuotesAsAShopDoes(t *testing.T) {
	f := open(t, fleet.Config{Stores: 2, Tills: 2, HQ: true})
	shop, hq := f.Store(0).Till(1), f.Store(2).Till(0)
	everywhere(t, f)
	at, there := ring(t, shop.URL()), ring(t, hq.URL())
	discounts, differ := 0, 0
	same := func(r *sales.Receipt) bool {
		body := r.Body("0001", "02")
		a, err := at.Quote(t.Context(), body)
		must(t, err)
		b, err := there.Quote(t.Context(), body)
		must(t, err)
		if a.Status != b.Status {
			t.Fatalf("receipt %s: %d at the shop, %d at headquarters: %s", r.Number, a.Status, b.Status, b.Body)
		}
		if a.Status != http.StatusOK { // a correction
			return false
		}
		if x, y := cutOut(t, a.Body, "context"), cutOut(t, b.Body, "context"); !bytes.Equal(x, y) {
			if differ++; differ < 3 {
				t.Errorf("receipt %s: the shop says\n%s\nand headquarters\n%s", r.Number, x, y)
			}
		}
		if !bytes.Contains(a.Body, []byte(`"discount":0`)) {
			discounts++
		}
		return true
	}
	t.Run("generated", func(t *testing.T) {
		receipts := sales.Generate(300, 1, time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC))
		for i := range receipts {
			same(&receipts[i])
		}
	})
	t.Run("Online Retail", func(t *testing.T) {
		receipts := retail(t)
		want := 10_000
		if testing.Short() {
			want = 500
		}
		quoted := 0
		for i := range receipts {
			if quoted == want {
				break
			}
			if same(&receipts[i]) {
				quoted++
			}
		}
		if quoted != want || discounts < want/10 {
			t.Errorf("%d baskets, %d of all with discounts, want %d baskets of which many have", quoted, discounts, want)
		}
	})
	if differ > 0 {
		t.Errorf("%d baskets have other quotes at headquarters", differ)
	}
}

// A shopper who was never at headquarters is asked for there, and then quoted as at home. Only how old the balance
// is differs. What names another store elsewhere, or is more than a quote, is refused.
func TestHeadquartersKnowsShoppers(t *testing.T) {
	f := open(t, fleet.Config{Stores: 2, Tills: 1, HQ: true})
	shop, other, hq := f.Store(0).Till(0), f.Store(1).Till(0), f.Store(2).Till(0)
	everywhere(t, f)
	const card = "2000017"
	give(t, shop, purchase(card, 4200))
	must(t, f.Settle(within(t, time.Minute)))
	r := purchase(card, 3000)
	body := r.Body("0001", "01")
	quote := func(till *fleet.Till, body []byte, status int) (q api.Quote, text []byte) {
		t.Helper()
		a, err := ring(t, till.URL()).Quote(t.Context(), body)
		must(t, err)
		if a.Status != status {
			t.Fatalf("till %s: %d %s, want %d", till.Name(), a.Status, a.Body, status)
		}
		must(t, json.Unmarshal(a.Body, &q))
		return q, a.Body
	}
	if q, _ := quote(hq, body, http.StatusOK); q.Points.BalanceBefore != nil || !q.Stale {
		t.Errorf("headquarters knows a shopper who was never there: %+v", q.Points)
	}
	await(t, "the shopper at headquarters", func() error { // a look-up waits 150 ms for the centre, and is asked again
		if _, s := look(t, hq, card); s.Source != "central" || s.Points == nil || value(s.Points.Available) != 42 {
			return fmt.Errorf("looked up: %+v", s)
		}
		return nil
	})
	_, x := quote(shop, body, http.StatusOK)
	q, y := quote(hq, body, http.StatusOK)
	if value(q.Points.BalanceBefore) != 42 || q.AsOf == nil {
		t.Errorf("quoted at headquarters: %+v", q.Points)
	}
	bare := func(b []byte) string { return string(cutOut(t, cutOut(t, b, "context"), "as_of")) }
	if bare(x) != bare(y) {
		t.Errorf("the shop says\n%s\nand headquarters\n%s", x, y)
	}

	// A phone is read by the country of the shop.
	phone := bytes.Replace(body, []byte(`"kind":"card","value":"2000017"`), []byte(`"kind":"phone","value":"0664 1234567"`), 1)
	_, x = quote(shop, phone, http.StatusOK)
	_, y = quote(hq, phone, http.StatusOK)
	if !bytes.Equal(cutOut(t, x, "context"), cutOut(t, y, "context")) {
		t.Errorf("by phone the shop says\n%s\nand headquarters\n%s", x, y)
	}
	// Its own baskets headquarters prices by its own clock and sets.
	if q, _ := quote(hq, r.Body("0000", "01"), http.StatusOK); q.Digest == "" || strings.Contains(string(x), q.Digest) {
		t.Errorf("quoted for headquarters itself: %+v", q)
	}
	if _, text := quote(other, body, http.StatusForbidden); !bytes.Contains(text, []byte("wrong-store-or-brand")) {
		t.Errorf("another shop: %s", text)
	}
	a, err := ring(t, hq.URL()).Post(t.Context(), false, r.RID, body)
	must(t, err)
	if a.Status != http.StatusForbidden {
		t.Errorf("a receipt of the shop at headquarters: %d %s", a.Status, a.Body)
	}
}
