package screen_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tillstream/central/reference"
	"tillstream/deploy/fleet"
	"tillstream/edge/api"
	"tillstream/edge/cache"
	"tillstream/edge/journal"
	"tillstream/edge/programme"
	"tillstream/kv/record"
	"tillstream/kv/seal"
	"tillstream/subjects"
)

// wine is goods from 18.
const wine = "4006381333931"

const managerCode = "4711"

const teaSets = `
- {id: cups, revision: 1, include: {items: ["20002"]}}
- {id: plates, revision: 1, include: {items: ["20003"]}}
`

const couponOffer = `
- {schema: promotion/v1, id: tea, revision: 1, name: "Tea", text: {en: "Cup and plate 12.00"},
   mechanic: {type: mix_and_match, components: [{set: cups, quantity: 1}, {set: plates, quantity: 1}], price: 1200}}
- {schema: promotion/v1, id: tenth-off, revision: 1, name: "Coupon", text: {en: "Coupon -10%"},
   coupon: {required: true, pool: autumn, single_use: true}, mechanic: {type: percentage, level: basket, set: all, percent: "10"}}
- {schema: promotion/v1, id: two-off, revision: 1, name: "2 off 20", text: {en: "2.00 off 20.00"},
   mechanic: {type: spend_threshold, set: all, basis: net, tiers: [{spend: 2000, amount: 200}]}}
`

// alone runs a till's API over real files, with facts that no chain brings yet: coupons, a restricted item, a
// centre that holds.
func alone(t *testing.T) *api.API {
	t.Helper()
	browser(t)
	dir, log := t.TempDir(), slog.New(slog.NewTextHandler(t.Output(), nil))
	key := filepath.Join(dir, "card.key")
	must(t, os.WriteFile(key, []byte(strings.Repeat("k", 32)), 0o600))
	cards, err := seal.OpenCards(key)
	must(t, err)
	ring, err := seal.OpenRing(filepath.Join(dir, "ring"))
	must(t, err)
	tokens, err := fleet.TokensFile(dir)
	must(t, err)
	lines, err := os.ReadFile(tokens)
	must(t, err)
	must(t, os.WriteFile(tokens, append(lines, "boss "+managerCode+" manager\n"...), 0o600))
	cfg := api.Config{
		Store: subjects.StoreID{Token: subjects.MustToken("0042")}, Till: subjects.TillID{Token: subjects.MustToken("01")},
		Listen: "127.0.0.1:0", Cards: cards, Ring: ring, Tokens: tokens, Log: log,
		State: func() api.State { return api.State{Alone: true} },
		Hold: func(_ context.Context, q record.HoldQuestion) (a record.HoldAnswer, err error) {
			return record.HoldAnswer{State: record.HoldPlaced, RID: q.RID, Points: q.Points, Expires: time.Now().Add(time.Hour).UnixMilli()}, nil
		},
	}
	cfg.Facts = facts()
	cfg.Cache, err = cache.Open(cache.Config{Path: filepath.Join(dir, "cache.db"), Ring: ring, Log: log})
	must(t, err)
	cfg.Journal, err = journal.Open(journal.Config{
		Path: filepath.Join(dir, "journal.db"), Ring: ring, Store: cfg.Store, Till: cfg.Till, Kept: cfg.Cache.Overlay, Log: log})
	must(t, err)
	cfg.Rules, err = rules(t, cfg.Cache, cfg.Store)
	must(t, err)
	a, err := api.Open(cfg)
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := errors.Join(a.Run(ctx), cfg.Journal.Close(), cfg.Cache.Close()); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
	return a
}

// rules are what fell to the till: the offers and their sets, and goods from 18.
func rules(t *testing.T, c *cache.Cache, store subjects.StoreID) (*programme.Revisions, error) {
	t.Helper()
	p := &record.References{Status: record.FeedItems, Cursor: record.Cursor{Generation: record.Generation{1}, Entry: 7}}
	add := func(kind record.RefKind, text string) {
		docs, err := reference.ReadDocuments(kind, []byte(text))
		must(t, err)
		for _, d := range docs {
			p.Records = append(p.Records, record.Reference{Kind: kind, Key: d.ID, Entry: 7, At: 1, Value: d.JSON})
		}
	}
	add(record.RefPromotion, couponOffer)
	add(record.RefSet, teaSets)
	add(record.RefSetting, `{id: scan, revision: 1, layouts: [{prefix: "25", item: 5, digits: 5, carries: price}]}`)
	item := record.Product{Name: "Riesling", MinAge: 18}
	p.Records = append(p.Records, record.Reference{Kind: record.RefItem, Key: "0" + wine, Entry: 7, At: 1, Value: item.Append(nil)})
	must(t, c.ApplyReference(p))
	return programme.Open(programme.Config{Cache: c, Store: store})
}

func facts() api.Facts {
	return api.Facts{
		Coupon: func(code string, _ record.AccountID) (api.CouponFacts, bool) {
			switch code {
			case "AUTUMN1":
				return api.CouponFacts{State: "usable", Pool: "autumn", Promotion: "tenth-off", SingleUse: true}, true
			case "SPRING1":
				return api.CouponFacts{State: "expired", Pool: "spring"}, true
			}
			return api.CouponFacts{}, false
		},
	}
}

// Age is asked once, a coupon is held before payment, near misses are said, and messages are shown as they come.
func TestQuestionsAndMessages(t *testing.T) {
	t.Parallel()
	till := alone(t)
	b := signOn(t, "http://"+till.Addr()+"/?currency=EUR&goods=20001:10.00:Vase")
	b.reads("#age", "this node is alone")
	b.scan(wine) // the node knows its name, and nobody its price
	b.reads("dialog", "Price of 0"+wine)
	b.press("'9.00", "Enter")
	b.reads("#lines", "Riesling", "9.00")
	b.scan("4006381333932")
	b.reads("#problem", "Misread")
	b.press("'20001", "Enter", "F1", "'"+shopper, "Enter")
	b.reads("#shopper", "nobody could say")
	b.press("F3", "'SPRING1", "Enter")
	b.reads("#coupons", "refused", "No longer valid")
	b.press("F3", "'AUTUMN1", "Enter")
	b.reads("#coupons", "Can be used")
	b.press("F2")
	b.reads("#total", "17.10 EUR", "check age 18+")
	b.reads("#offers", "Coupon -10%", "−1.90")
	b.reads("#lines", "18+")
	b.looks("coupons-and-age")

	b.press("F4")
	b.reads("dialog", "Age 18+")
	b.looks("age")
	b.press("F1")
	b.reads("dialog", "Pay 17.10 EUR")
	b.press("Escape", "F8")
	b.reads("dialog", "Vase", "Quantity")
	b.looks("change-line")
	b.press("Tab", "'9.99", "Enter", "F2") // a price that was keyed: no offer touches it
	b.reads("#total", "18.09 EUR")
	b.press("F4")
	b.reads("dialog", "Pay 18.09 EUR")

	until := time.Now().Add(time.Hour)
	till.Show(api.Message{ID: "m1", Surface: "cashier", Style: "toast", Title: "Tills", Text: "Till 3 closes at six.", ExpiresAt: until})
	till.Show(api.Message{ID: "m2", Surface: "shopper_display", Style: "full_screen", Title: "Happy birthday", Text: "A coffee is on us.", ExpiresAt: until, NeedsAck: true})
	till.Show(api.Message{ID: "m3", Surface: "cashier", Style: "toast", Text: "Of yesterday.", ExpiresAt: until.Add(-2 * time.Hour)})
	b.reads("#messages", "Till 3 closes at six.")
	b.reads("dialog", "Pay 18.09 EUR") // a message does not come over a question
	b.press("F1")
	b.reads("#slip", "18.09")
	b.reads("dialog", "Happy birthday", "coffee")
	b.looks("messages")
	if till.Shown("m2") {
		t.Error("a message is marked before it is read")
	}
	b.press("Enter")
	b.until("all are marked as shown", func() error {
		if !till.Shown("m1") || !till.Shown("m2") {
			return errors.New("not yet")
		}
		return nil
	})
	b.focused()
	if text := b.text("#messages"); strings.Contains(text, "yesterday") {
		t.Errorf("an expired message is shown: %s", text)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
