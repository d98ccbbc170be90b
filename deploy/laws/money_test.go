package laws

import (
	"strings"
	"testing"
	"time"

	"tillstream/central/books"
	"tillstream/central/fold"
	"tillstream/kv/record"
)

// propose writes an entry of proposals that are no packs.
func (k *kit) propose(ps ...fold.Proposal) {
	e := &fold.Entry{
		Generation: record.Generation{1}, Number: uint64(len(k.log)) + 1, Term: k.term,
		At: k.now.UnixMilli() + int64(len(k.log)), Prev: k.prev, Proposals: ps,
	}
	e.Encode()
	k.prev = e.Hash()
	k.log = append(k.log, e)
}

// newMoney is a history with holds, spending, and returns to their sales, of which one comes before its sale.
func newMoney(t *testing.T) History {
	k := &kit{t: t, now: time.UnixMilli(1767600000000)}
	a, b := k.begin(place("0001", "t1"), record.Tip{}), k.begin(place("0002", "t1"), record.Tip{})
	receipt := func(c *kitChain, h record.Header) {
		c.add(record.Receipt{Header: h, Data: []byte("x")})
		k.sent = append(k.sent, Sale{RID: h.RID, Kind: h.Kind, Account: h.Account, Points: h.Points, Body: c.recs[len(c.recs)-1].Body, At: c.at, Answered: k.now})
	}
	ask := func(c *kitChain, n, basket byte, points int64, coupons ...record.CouponID) fold.Proposal {
		q := record.HoldQuestion{Verb: record.HoldPlace, ID: k.rid(n), RID: k.rid(basket), Account: accountOf(1), Points: points, Coupons: coupons}
		q.From = record.Tip{Chain: c.id, Seq: c.tip.Seq}
		return books.HoldProposal(c.at.Store, &q)
	}
	k.entry(1)
	receipt(a, record.Header{Kind: record.KindSale, RID: k.rid(1), Account: accountOf(1), Points: 100})
	k.entry(1, a)
	k.propose(ask(a, 101, 2, 60, record.CouponID{1}), ask(a, 102, 3, 30), ask(a, 103, 4, 30), ask(b, 104, 5, 1))
	receipt(a, record.Header{Kind: record.KindSale, RID: k.rid(2), Account: accountOf(1), Points: 5, Spent: 50, Hold: k.rid(101)})
	receipt(b, record.Header{Kind: record.KindReturn, RID: k.rid(10), Of: k.rid(2), Account: accountOf(1), Points: 2, Spent: 20, Rearm: true})
	receipt(b, record.Header{Kind: record.KindReturn, RID: k.rid(11), Of: k.rid(2), Points: 1})
	k.entry(1, b) // the returns are there before the sale
	k.entry(3, a)
	receipt(a, record.Header{Kind: record.KindReturn, RID: k.rid(12), Of: k.rid(1), Account: accountOf(1), Points: 90})
	k.entry(4, a)
	return k.history()
}

func TestLawsHoldForMoney(t *testing.T) {
	t.Parallel()
	h := newMoney(t)
	for _, v := range Check(h) {
		t.Error(v)
	}
	got := h.model().totals
	// 102 earned and kept, 30 net spent; 30 held; 90 taken back from 42: 48 are debt.
	want := books.Totals{Posted: 5, Anonymous: 1, Transactions: 4, Shopper: 0, Debt: -48, Held: 30, Issued: -105, Returned: 93, Redeemed: 30}
	if got != want {
		t.Errorf("totals %+v, want %+v", got, want)
	}
}

// What is done to holds, and to returns beyond their sales, is found.
func TestLawsFindWrongMoney(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		law   string
		spoil func(*History)
	}{
		"a hold that the journal does not have":  {"I4", func(h *History) { h.Journal[2].Commands = h.Journal[2].Commands[:1] }},
		"a hold that the nodes have not applied": {"I14", func(h *History) { h.Journal[2].Commands = h.Journal[2].Commands[1:] }},
		"a sale that spends more than it says": {"I11", func(h *History) {
			for i := range h.Nodes[0].Postings {
				if p := &h.Nodes[0].Postings[i]; p.Redeemed == 50 {
					p.Redeemed, p.Shopper = 60, p.Shopper-10
				}
			}
		}},
		"held points that go below zero": {"I5", func(h *History) {
			for i := range h.Nodes[0].Postings {
				if p := &h.Nodes[0].Postings[i]; p.Cause == books.CausePlaced {
					p.Held, p.Shopper = -p.Held, -p.Shopper
				}
			}
		}},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			h := newMoney(t)
			c.spoil(&h)
			var all []string
			for _, v := range Check(h) {
				all = append(all, v.String())
				if v.Law == c.law {
					return
				}
			}
			t.Errorf("%s is not found by %s: %s", what, c.law, strings.Join(all, "; "))
		})
	}
}
