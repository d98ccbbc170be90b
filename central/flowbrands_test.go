package central_test

import (
	"slices"
	"strings"
	"testing"

	"tillstream/central/flow/flowtest"
	"tillstream/kv"
	"tillstream/kv/record"
	"tillstream/subjects/event"
)

// flavour is what a brand's settings make of the same activities.
type flavour struct {
	name, settings, words string
	tombstones            int  // of a reward that was spent before its message was seen
	late                  bool // a reward of last week goes to the queue though its shopper is there
	full                  bool
	sees                  map[string]string // what whom is shown: by promotion and kind of reward
}

func flavours() []flavour {
	return []flavour{{
		name: "acme", settings: "zone: UTC", words: "acme: {promoName}", tombstones: 1, late: true, full: true,
		sees: map[string]string{"STAMPS FREE_SPINS": "acme: Three stamps"},
	}, {
		name: "corner", words: "corner: {promoName}",
		settings: "delete_instruction: false\nmonday_rule: false\ntim_filter_tag: [retail]\ndes_activity_types: [COUPON]\n" +
			"des_delivery: {REWARD_AWARDED: toast}",
		sees: map[string]string{"RETAIL COUPON": "corner: Of retail"},
	}}
}

// Two brands of two flavours, each in its account at one server, are given the same activities. Each goes by its own
// settings, and neither hears of the other's.
func TestTwoBrandsSideBySide(t *testing.T) {
	t.Parallel()
	all := flavours()
	worlds := flowtest.OpenAll(t, flowtest.BrandOf(all[0].name), flowtest.BrandOf(all[1].name))
	chains := make([]*chain, len(worlds))
	for i, w := range worlds {
		c := newChain(w)
		chains[i] = c
		c.PutPromotion(stamps)
		c.PutPromotion(strings.NewReplacer("STAMPS", "RETAIL", "Three stamps", "Of retail", "[loyalty]", "[retail]").Replace(stamps))
		c.PutSettings(all[i].settings)
		c.template("REWARD_AWARDED", all[i].words)
		c.start()
	}
	for i, c := range chains {
		t.Run(all[i].name, func(t *testing.T) { all[i].check(t, c) })
	}
	for i, c := range chains { // the other has been at work since
		if got, want := len(c.events(c.Net.CPPActivity())), len(kinds())+3; got != want {
			t.Errorf("brand %s: %d activities, want its own %d", all[i].name, got, want)
		}
		c.noDead()
	}
}

// kinds are the promotions and kinds of reward, in the order of the shoppers who earn them.
func kinds() []string {
	return []string{"STAMPS FREE_SPINS", "STAMPS COUPON", "RETAIL FREE_SPINS", "RETAIL COUPON"}
}

// earn says that a reward of a kind was awarded, or spent.
func (c *chain) earn(n int, kind string, status event.Status, attempt string) record.Attempt {
	c.T.Helper()
	promo, typ, _ := strings.Cut(kind, " ")
	of := c.attempt(n, promo)
	if attempt != "" {
		of = flowtest.MustAttempt(uint16(n), promo, attempt)
	}
	e, a := c.Activity(of, status, "receipt")
	a.RewardProgress[0].ActivityType = typ
	c.say(c.Net.CPPActivity(), e, a)
	return of
}

func (f *flavour) check(t *testing.T, c *chain) {
	whole := c.T
	c.T = t
	defer func() { c.T = whole }()
	for n, kind := range kinds() { // tags, decision table, delivery, words
		account := c.attempt(n, "STAMPS").Account
		c.comes(account)
		c.earn(n, kind, event.RewardAwarded, "")
		c.settle()
		var want []string
		if text, ok := f.sees[kind]; ok {
			want = []string{text}
		}
		if got := c.shop.texts(account); !slices.Equal(got, want) {
			t.Errorf("%s: shown %q, want %q", kind, got, want)
		}
		if m := c.shop.last(account); want != nil && m.Full != f.full {
			t.Errorf("%s: shown %+v, want a full screen: %t", kind, m, f.full)
		}
	}
	var kind string
	for kind = range f.sees { // what this brand shows
		break
	}
	of := c.earn(10, kind, event.RewardAwarded, "") // who is not there, and spends it before they come
	c.settle()
	c.earn(10, kind, event.RewardSpent, "")
	c.settle()
	if got := len(c.keys(kv.Onsite(c.Net.Brand), "gone.>")); got != f.tombstones {
		t.Errorf("%d tombstones of a spent reward, want %d", got, f.tombstones)
	}
	if got := len(c.waits(of.Account)); got != 1-f.tombstones {
		t.Errorf("%d messages of a spent reward wait, want %d", got, 1-f.tombstones)
	}
	s := c.Docs.Settings()
	last := s.Calendar().AttemptAt(c.Now().AddDate(0, 0, -8)).String() // the Monday rule
	of = c.attempt(11, "STAMPS")
	c.comes(of.Account)
	c.earn(11, kind, event.RewardAwarded, last)
	c.settle()
	shown, left := len(c.shop.texts(of.Account)), len(c.waits(of.Account))
	if late := shown == 0 && left == 1; late != f.late || shown+left != 1 {
		t.Errorf("a reward of last week, its shopper there: %d shown, %d wait; want it to wait: %t", shown, left, f.late)
	}
}
