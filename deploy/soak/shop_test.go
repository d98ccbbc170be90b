package soak

import (
	"context"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"tillstream/central"
	"tillstream/central/books"
	"tillstream/central/reference"
	"tillstream/deploy/fleet"
	"tillstream/deploy/laws"
	"tillstream/kv/record"
)

// market is a fleet in this process whose tills a soak's shoppers go to.
type market struct {
	*world
	t *testing.T
	f *fleet.Fleet

	seed uint64 // of what shoppers do next
}

const marketWithin = 2 * time.Minute

func openMarket(t *testing.T) *market {
	t.Helper()
	f, err := fleet.Open(t.Context(), fleet.Config{Dir: t.TempDir(), Nodes: 1, Stores: 2, Tills: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	m := &market{t: t, f: f, world: &world{
		cfg: Config{Seed: 1, Deadline: 30 * time.Second}, sent: newSent(), counts: newCounts(30 * time.Second), cards: f.Cards(), dawdle: 50 * time.Millisecond,
	}}
	if err := f.Ready(m.within()); err != nil {
		t.Fatal(err)
	}
	for i, till := range f.Tills() {
		n := &node{target: target{atTill, i / 2, i % 2}, store: till.Place().Store, till: till.Place().Till, client: http.DefaultClient, url: till.URL()}
		n.calm.Store(1)
		m.nodes = append(m.nodes, n)
	}
	m.putRules()
	return m
}

func (m *market) within() context.Context {
	ctx, cancel := context.WithTimeout(m.t.Context(), marketWithin)
	m.t.Cleanup(cancel)
	return ctx
}

// putRules puts a soak's programme, and waits until the tills go by it.
func (m *market) putRules() {
	m.t.Helper()
	at, ctx := m.f.Centre()[0].Node().Reference(), m.within()
	for kind, text := range map[record.RefKind]string{record.RefSetting: programme, record.RefPromotion: promotions} {
		docs, err := reference.ReadDocuments(kind, []byte(text))
		if err == nil {
			_, err = at.Change(ctx, reference.Put(kind, docs))
		}
		if err != nil {
			m.t.Fatal(err)
		}
	}
	for _, till := range m.f.Tills() {
		for uint64(till.Node().Rules().State().Revision) < at.Status().Entry {
			if !sleep(ctx, look) {
				m.t.Fatal(context.Cause(ctx))
			}
		}
	}
}

// expire has what is earned from now on lie in another lot.
func (m *market) expire(p books.Policy) {
	m.t.Helper()
	if _, _, err := m.f.Centre()[0].Node().Replica().Propose(m.within(), p.Proposal()); err != nil {
		m.t.Fatal(err)
	}
}

// acts has shoppers do things at each till, and goes on until all of these have come up: a busy machine may answer no
// question about points in time.
func (m *market) acts(until ...string) {
	m.t.Helper()
	for ctx := m.within(); ; {
		m.seed++
		var wg sync.WaitGroup
		for i, till := range m.nodes {
			for k := range 2 {
				r := rand.New(rand.NewPCG(m.seed, uint64(10*i+k)))
				wg.Go(func() {
					for range 12 {
						m.act(m.t.Context(), m.t.Context(), till, r)
					}
				})
			}
		}
		wg.Wait()
		missing := slices.DeleteFunc(slices.Clone(until), func(what string) bool { return m.counts.acts[what] > 0 })
		if len(missing) == 0 {
			return
		}
		if ctx.Err() != nil {
			m.t.Fatalf("there are no %q", missing)
		}
	}
}

// everythingTwice has what the first till sells, while it is cut off, come back whole in the other store and at home.
func (m *market) everythingTwice() {
	home, away, ctx := m.nodes[0], m.nodes[2], m.t.Context()
	r := rand.New(rand.NewPCG(7, 7))
	for range 5 {
		m.buy(ctx, ctx, home, r)
		list := m.deals.all[home]
		d := list[len(list)-1]
		all := map[string]int64{}
		for _, l := range d.lines {
			all[l.id] = l.pieces
		}
		m.bring(ctx, away, d, all)
		m.bring(ctx, home, d, all)
	}
}

// A soak's shoppers pay with points, bring goods back and have sales undone at four tills, of which two are cut off
// for a while: every act happens, and the laws hold, with all that tills have answered.
func TestShoppersAreJudged(t *testing.T) {
	m := openMarket(t)
	m.acts()
	m.expire(books.Policy{Revision: 1, ExpireDays: 400, HoldMinutes: 1})
	m.acts("returns where it was sold", "returns beside it", "returns in another store", "voids")
	m.expire(books.Policy{Revision: 2, ExpireDays: 60, HoldMinutes: 1})
	m.f.Store(0).Cut()
	m.acts("points refused while cut off", "returns before their sale", "returns without the centre's word")
	m.everythingTwice()
	m.f.Store(0).Heal()
	m.acts("holds placed", "sales paid with points", "points given back")
	if err := m.f.Settle(m.within()); err != nil {
		t.Fatal(err)
	}
	var nodes []*central.Node
	for _, c := range m.f.Centre() {
		nodes = append(nodes, c.Node())
	}
	h, err := laws.Examine(m.within(), m.f.Net(), nodes)
	if err != nil {
		t.Fatal(err)
	}
	h.Sent, h.Holds, h.Tries = m.sent.sales(), m.sent.held(), m.counts.tries16
	for _, v := range laws.Check(h) {
		t.Error(v)
	}
	t.Log(list(m.counts.acts))
	if len(h.Nodes[0].Incidents) == 0 {
		t.Error("what came back twice the books say nothing of")
	}
}
