package cpp

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tillstream/central/flow"
	"tillstream/kv/progress"
	"tillstream/kv/record"
	"tillstream/subjects/event"
)

const spendCard = `
promo_code: %s
revision: 1
name: Spend 30
tags: [loyalty]
repeatable: %v
count: {kind: spend, currency: GBP, min_spend: %d}
reward_schemes:
  - {reward_scheme_id: coffee, activity_type: COUPON, target: 1000, valid_days: 14}
  - {reward_scheme_id: cake, activity_type: FREE_PRODUCT, target: 3000, valid_days: 14}
`

// modelled is what a shopper has done, as plainly as it can be said.
type modelled struct {
	repeatable bool
	least      int64
	sales      map[record.RID][]int64 // lines' money
	gone       map[record.RID]map[int]bool
	counted    []record.RID
	given      [2]int64
	said       []string
}

func (m *modelled) worth(rid record.RID) (n int64) {
	for i, line := range m.sales[rid] {
		if !m.gone[rid][i] {
			n += line
		}
	}
	if n < m.least {
		return 0
	}
	return n
}

func (m *modelled) sum() (n int64) {
	for _, rid := range m.counted {
		n += m.worth(rid)
	}
	return n
}

func (m *modelled) times(sum int64) (t [2]int64) {
	round := int64(0)
	if m.repeatable {
		round, sum = sum/3000, sum%3000
	}
	for i, target := range []int64{1000, 3000} {
		t[i] = round
		if sum >= target {
			t[i]++
		}
	}
	return t
}

// moved says what comes of a sum that has changed.
func (m *modelled) moved() {
	sum := m.sum()
	shown := sum
	if m.repeatable && sum > 0 {
		if shown = sum % 3000; shown == 0 {
			shown = 3000
		}
	}
	award := false
	for i, n := range m.times(sum) {
		for ; m.given[i] < n; m.given[i]++ {
			m.said = append(m.said, fmt.Sprintf("REWARD_AWARDED %s %d at %d/%d", []string{"coffee", "cake"}[i], m.given[i]+1, min(shown, 1000), min(shown, 3000)))
			award = true
		}
	}
	if !award {
		m.said = append(m.said, fmt.Sprintf("IN_PROGRESS at %d/%d", min(shown, 1000), min(shown, 3000)))
	}
}

// what gives an activity in the model's words.
func what(w *world, a *event.CPPActivity) string {
	at := fmt.Sprintf("at %d/%d", a.RewardProgress[0].Progress, a.RewardProgress[1].Progress)
	if a.Status != event.RewardAwarded {
		return fmt.Sprintf("%s %s", a.Status, at)
	}
	for _, g := range a.RewardProgress {
		if g.RewardID == "" {
			continue
		}
		for _, other := range a.RewardProgress {
			if other.RewardSchemeID != g.RewardSchemeID && (other.Status == a.Status || other.RewardID != "") {
				w.t.Errorf("an activity is about two rewards: %+v", a.RewardProgress)
			}
		}
		if about := event.RewardsOf(a.Status, a.RewardProgress); len(about) != 1 || about[0].SchemeID != g.RewardSchemeID {
			w.t.Errorf("TIM takes it to be about %+v", about)
		}
		n := max(g.Times, 1)
		if want := flow.RewardID(testKey, a.Attempt(), progress.Award{Scheme: g.RewardSchemeID, Time: n}); g.RewardID != want {
			w.t.Errorf("reward %s bears %s, want %s", g.RewardSchemeID, g.RewardID, want)
		}
		return fmt.Sprintf("%s %s %d %s", a.Status, g.RewardSchemeID, n, at)
	}
	return fmt.Sprintf("%s of nothing %s", a.Status, at)
}

// Whatever the order of sales and returns, however often they are read, wherever it dies: what was said, and how far the
// shopper has come, is what a plain count gives, and each reward is given once.
func TestAnyOrderAnyCrashIsAPlainCount(t *testing.T) {
	w := open(t)
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		w.forget()
		account := record.AccountID{1, byte(n >> 8), byte(n)}
		m := &modelled{
			repeatable: rapid.Bool().Draw(t, "repeatable"), least: rapid.SampledFrom([]int64{0, 500}).Draw(t, "min_spend"),
			sales: map[record.RID][]int64{}, gone: map[record.RID]map[int]bool{},
		}
		code := fmt.Sprintf("P-%v-%d", m.repeatable, m.least)
		promo, err := record.ParsePromoCode(code)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := w.docs.Promotion(promo); !ok {
			w.promotion(fmt.Sprintf(spendCard, code, m.repeatable, m.least))
		}
		j := m.play(t, account, w.clock())
		w.dieAndGoOn(t, j)
		all, _ := w.said(account)
		var got []string
		for i := range all {
			if all[i].Attempt.Promo == promo {
				got = append(got, what(w, &all[i].cpp))
			}
		}
		if !slices.Equal(got, m.said) {
			t.Fatalf("said %q, want %q", got, m.said)
		}
		st, err := w.cpp(w.js, j).standings.Read(w.t.Context(), account, promo)
		if err != nil {
			t.Fatal(err)
		}
		if len(st.Cycles) == 1 && st.Cycles[0].Sum() != m.sum() || len(st.Cycles) == 0 && m.sum() != 0 {
			t.Fatalf("has come to %+v, want %d", st.Cycles, m.sum())
		}
	})
}

// play draws what a shopper does, and has the model count it. Returns may be posted before their sales.
func (m *modelled) play(t *rapid.T, account record.AccountID, at time.Time) *journal {
	j := &journal{}
	for range rapid.IntRange(1, 12).Draw(t, "receipts") {
		at = at.Add(time.Second)
		known := slices.SortedFunc(maps.Keys(m.sales), func(a, b record.RID) int { return slices.Compare(a[:], b[:]) })
		kind := rapid.SampledFrom([]string{"sale", "sale", "return", "void", "early"}).Draw(t, "kind")
		switch {
		case kind == "sale" || len(known) == 0 && kind != "early":
			m.sell(j, account, at, rapid.SliceOfN(rapid.Int64Range(100, 2500), 1, 3).Draw(t, "lines"))
		case kind == "early": // the return is posted, and the sale after it
			lines := rapid.SliceOfN(rapid.Int64Range(100, 2500), 1, 3).Draw(t, "lines")
			back := j.add(record.KindReturn, record.AccountID{}, record.RID{1}, at, backBody(0))
			rid := m.sold(j, account, at.Add(time.Millisecond), lines)
			j.all[slices.IndexFunc(j.all, func(r receipt) bool { return r.RID == back })].Of = rid
			m.gone[rid] = map[int]bool{0: true}
			m.count(rid)
		default:
			rid := rapid.SampledFrom(known).Draw(t, "of")
			m.bring(t, j, rid, kind == "void", at)
		}
	}
	return j
}

func (m *modelled) sold(j *journal, account record.AccountID, at time.Time, lines []int64) record.RID {
	body := `{"currency":"GBP","lines":[`
	for i, l := range lines {
		if i > 0 {
			body += ","
		}
		body += fmt.Sprintf(`{"line_id":"%d","item":"x","quantity":"2","unit_price":1,"amount":%d}`, i, l)
	}
	rid := j.add(record.KindSale, account, record.RID{}, at, body+`]}`)
	m.sales[rid], m.gone[rid] = lines, map[int]bool{}
	return rid
}

func (m *modelled) sell(j *journal, account record.AccountID, at time.Time, lines []int64) {
	m.count(m.sold(j, account, at, lines))
}

func (m *modelled) count(rid record.RID) {
	if m.worth(rid) == 0 {
		delete(m.sales, rid) // it is not counted, whatever comes back of it
		return
	}
	m.counted = append(m.counted, rid)
	m.moved()
}

func (m *modelled) bring(t *rapid.T, j *journal, rid record.RID, void bool, at time.Time) {
	line := rapid.IntRange(0, len(m.sales[rid])-1).Draw(t, "line")
	before := m.sum()
	if void {
		j.add(record.KindVoid, record.AccountID{}, rid, at, `{}`)
		for i := range m.sales[rid] {
			m.gone[rid][i] = true
		}
	} else {
		j.add(record.KindReturn, record.AccountID{9}, rid, at, backBody(line))
		m.gone[rid][line] = true
	}
	if m.sum() != before {
		m.moved()
	}
}

func backBody(line int) string {
	return fmt.Sprintf(`{"lines":[{"line_id":"%d","quantity":"2"}]}`, line)
}

// dieAndGoOn counts a journal with a CPP that dies now and then, and goes on from some cursor before.
func (w *world) dieAndGoOn(t *rapid.T, j *journal) {
	seed := rapid.Uint64().Draw(t, "faults")
	rnd := rand.New(rand.NewPCG(seed, 1))
	rate := rapid.SampledFrom([]float64{0, 0.1, 0.4}).Draw(t, "rate")
	cursor := 0
	for tries := 0; cursor < len(j.all); tries++ {
		if tries == 60 {
			rate = 0
		}
		c := w.cpp(&faulty{JetStream: w.js, rnd: rnd, rate: rate}, j)
		if cursor > 0 {
			c.standings.Settled(j.all[cursor-1].at.UnixMilli())
		}
		for cursor < len(j.all) {
			upTo := cursor + 1 + rnd.IntN(len(j.all)-cursor)
			if err := c.count(w.t.Context(), j.all[cursor:upTo], j.earlier()); err != nil {
				break // it has died
			}
			if rnd.IntN(3) > 0 { // else the cursor is not kept before the next death
				cursor = upTo
			}
		}
	}
}
