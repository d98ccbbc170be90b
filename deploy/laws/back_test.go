package laws

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tillstream/central/books"
	"tillstream/kv/record"
)

// counter makes a history of one sale with a quote, paid with points in part, and of what comes back of it.
type counter struct {
	*kit
	a, b *kitChain
	bill Bill
	hold Hold
}

// lineOf is what the sale's one line got.
var lineOf = Line{Quantity: 3000, Gross: 1001, Off: map[string]int64{"p": 101}, Paid: 100, Spent: 50, Earned: 7, Money: 800}

func newCounter(t *testing.T) *counter {
	c := &counter{kit: newKit(t), bill: Bill{"1": lineOf}}
	c.a, c.b = c.begin(place("0001", "t1"), record.Tip{}), c.begin(place("0002", "t1"), record.Tip{})
	c.entry(1)
	c.propose((&books.Policy{Revision: 1, ExpireDays: 60, HoldMinutes: 1}).Proposal())
	c.propose((&books.Policy{Revision: 1, ExpireDays: 600, HoldMinutes: 9}).Proposal()) // which comes to nothing
	c.add(c.a, record.Header{Kind: record.KindSale, RID: c.rid(1), Points: 100}, `{"a":1}`, "", Sale{Points: 100})
	c.entry(1, c.a)
	c.entry(1, c.b)
	q := record.HoldQuestion{Verb: record.HoldPlace, ID: c.rid(101), RID: c.rid(2), Account: accountOf(1), Points: 60}
	q.From = record.Tip{Chain: c.a.id, Seq: c.a.tip.Seq}
	c.propose(books.HoldProposal(c.a.at.Store, &q))
	c.hold = Hold{ID: q.ID, RID: q.RID, Account: q.Account, Points: q.Points, At: c.a.at}
	c.add(c.a, record.Header{Kind: record.KindSale, RID: c.rid(2), Points: 7, Spent: 50, Hold: q.ID},
		`{"lines":[{"line_id":"1","quantity":"3"}]}`,
		`,"priced":{"lines":[{"line_id":"1","gross":1001,"off":[[0,101]],"points_paid":100,"points_spent":50,"points_earned":7}],"promotions":[{"promotion":"p"}]}}`,
		Sale{Points: 7, Spent: 50, Hold: q.ID, Bill: c.bill, Told: &Told{Points: 7, Spent: 50}})
	c.entry(3, c.a)
	return c
}

// add adds a record of account 1, as a POS has sent it and as its till has kept it.
func (c *counter) add(at *kitChain, h record.Header, sent, kept string, s Sale) {
	h.Account = accountOf(1)
	data := sent
	if kept != "" {
		data = sent[:len(sent)-1] + kept
	}
	at.add(record.Receipt{Header: h, Data: []byte(data)})
	s.RID, s.Kind, s.Account, s.Of, s.At, s.Answered, s.Asked = h.RID, h.Kind, h.Account, h.Of, at.at, c.now, c.now
	s.Body = record.Hash(sha256.Sum256([]byte(sent)))
	c.sent = append(c.sent, s)
}

// back has pieces come back behind others, asked for so long after the beginning.
func (c *counter) back(at *kitChain, rid byte, before, pieces int64, after time.Duration) {
	l := lineOf.share(1000*before, 1000*pieces)
	c.add(at, record.Header{Kind: record.KindReturn, RID: c.rid(rid), Of: c.rid(2), Points: l.Earned, Spent: l.Spent},
		fmt.Sprintf(`{"lines":[{"line_id":"1","quantity":"%d"}]}`, pieces),
		fmt.Sprintf(`,"returned":{"lines":[{"line_id":"1","quantity":"%d","gross":%d,"discounts":[{"promotion":"p","amount":%d}],"points_taken_back":%d,"points_given_back":%d,"money_back":%d}]}}`,
			pieces, l.Gross, l.Off["p"], l.Earned, l.Spent, l.Money),
		Sale{Back: map[string]int64{"1": 1000 * pieces}, Told: &Told{Points: l.Earned, Spent: l.Spent}})
	s := &c.sent[len(c.sent)-1]
	s.Asked, s.Answered = c.now.Add(after), c.now.Add(after)
	c.entry(uint64(len(at.recs)), at)
}

func (c *counter) done() History {
	h := c.history()
	h.Holds = []Hold{c.hold}
	return h
}

// parts comes back in two parts, the second after its till must know of the first.
func parts(t *testing.T) History {
	c := newCounter(t)
	c.back(c.b, 10, 0, 1, time.Second)
	c.back(c.a, 11, 1, 2, time.Minute)
	return c.done()
}

func wants(t *testing.T, h History, law string) {
	t.Helper()
	var all []string
	for _, v := range Check(h) {
		if all = append(all, v.String()); v.Law == law {
			return
		}
	}
	t.Errorf("it is not found by %s: %s", law, strings.Join(all, "; "))
}

func TestLawsHoldForWhatComesBack(t *testing.T) {
	t.Parallel()
	for _, v := range Check(parts(t)) {
		t.Error(v)
	}
}

// In one moment two tills may give back the same piece for money, and the books say so; a moment later they may not.
func TestTheSamePieceTwice(t *testing.T) {
	t.Parallel()
	twice := func(after time.Duration) History {
		c := newCounter(t)
		c.back(c.b, 10, 0, 2, time.Second)
		c.back(c.a, 11, 0, 2, after)
		return c.done()
	}
	h := twice(2 * time.Second)
	for _, v := range Check(h) {
		t.Error(v)
	}
	if len(h.Nodes[0].Incidents) == 0 {
		t.Error("the books say nothing of it")
	}
	wants(t, twice(Moment+2*time.Second), "I25")
	wants(t, twice(Moment+2*time.Second), "I19")
	h = twice(2 * time.Second)
	for i := range h.Sent { // at one till, which had kept the first itself
		if h.Sent[i].Of != (record.RID{}) {
			h.Sent[i].At = place("0001", "t1")
		}
	}
	wants(t, h, "I25")
}

func TestLawsFindWrongReturns(t *testing.T) {
	t.Parallel()
	kept := func(h *History, entry int) Line {
		for _, k := range h.Journal[entry].Kept {
			return k.Given["1"]
		}
		return Line{}
	}
	last := func(h *History) int { return len(h.Journal) - 1 }
	change := func(h *History, do func(*Line)) {
		l := kept(h, last(h))
		do(&l)
		for _, k := range h.Journal[last(h)].Kept {
			k.Given = Bill{"1": l}
		}
	}
	for what, c := range map[string]struct {
		law   string
		spoil func(*History)
	}{
		"a penny too much":   {"I25", func(h *History) { change(h, func(l *Line) { l.Money++ }) }},
		"a discount is kept": {"I25", func(h *History) { change(h, func(l *Line) { l.Off = nil }) }},
		"more than is left":  {"I25", func(h *History) { change(h, func(l *Line) { *l = lineOf }) }},
		"points that the lines do not say": {"I25", func(h *History) {
			change(h, func(l *Line) { l.Earned++ })
		}},
		"a return of a sale that is void": {"I25", func(h *History) {
			i := slices.IndexFunc(h.Sent, func(s Sale) bool { return s.Of != record.RID{} })
			h.Sent[i].Kind = record.KindVoid
		}},
		"its till says otherwise": {"I3", func(h *History) { h.Sent[len(h.Sent)-1].Told.Points++ }},
		"a sale at other prices":  {"I3", func(h *History) { h.Sent[1].Bill = Bill{"1": {Quantity: 3000, Gross: 1001}} }},
		"a hold that nobody asked for": {"I24", func(h *History) {
			h.Holds[0].ID = h.Sent[0].RID
		}},
		"another basket's hold": {"I24", func(h *History) { h.Journal[5].Commands[0].Hold.RID = h.Sent[0].RID }},
		"a hold given back and used": {"I24", func(h *History) {
			h.Holds[0].Released = true
		}},
		"a sale without a hold": {"I24", func(h *History) { h.Journal[5].Commands = nil }},
		"a lot too many": {"I26", func(h *History) {
			s := h.Nodes[1].Shoppers[accountOf(1)]
			s.Expires[0] = record.Lot{Points: 1, At: 1}
			h.Nodes[1].Shoppers[accountOf(1)] = s
		}},
		"more than the count": {"I26", func(h *History) {
			s := h.Nodes[1].Shoppers[accountOf(1)]
			s.Balance++
			h.Nodes[1].Shoppers[accountOf(1)] = s
		}},
		"an incident that the count has not": {"I19", func(h *History) {
			rid := h.Sent[len(h.Sent)-1].RID
			h.Nodes[0].Incidents = append(h.Nodes[0].Incidents, Incident{8, "store 0001 till t1: return " + rid.String() + " takes 1 points back"})
		}},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			h := parts(t)
			c.spoil(&h)
			wants(t, h, c.law)
		})
	}
}
