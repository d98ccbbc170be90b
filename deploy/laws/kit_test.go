package laws

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"testing"
	"time"

	"tillstream/central/books"
	"tillstream/central/fold"
	"tillstream/kv/record"
	"tillstream/subjects"
)

// kit makes a small history as it should be: two stores, two chains, sales and returns, a repeat, a disk
// that was put back, two terms. A test then spoils it.
type kit struct {
	t    *testing.T
	sent []Sale
	now  time.Time
	prev record.Hash
	log  []*fold.Entry
	term uint64

	begun byte // chains
}

func (k *kit) rid(n byte) record.RID {
	return record.RIDFrom(k.now, record.Hash(sha256.Sum256([]byte{n})))
}

func accountOf(n byte) record.AccountID {
	if n == 0 {
		return record.AccountID{}
	}
	return record.AccountID{n}
}

// chain is a till's chain under way.
type kitChain struct {
	at   Place
	id   record.ChainID
	tip  record.Tip
	recs []record.Receipt
}

func place(store, till string) Place {
	return Place{subjects.StoreID{Token: subjects.MustToken(store)}, subjects.TillID{Token: subjects.MustToken(till)}}
}

func (k *kit) begin(at Place, found record.Tip) *kitChain {
	k.begun++ // chains lie in the books in the order of their ids
	c := &kitChain{at: at, id: record.ChainID{0: 1, 6: 0x70, 8: 0x80, 15: k.begun}}
	start := record.Start{Store: at.Store, Till: at.Till, Found: found}
	body := start.Append(nil)
	c.add(record.Receipt{Header: record.Header{Kind: record.KindStart}, Data: body})
	return c
}

func (c *kitChain) add(r record.Receipt) {
	r.Chain, r.Seq, r.Day = c.id, c.tip.Seq+1, 20260105
	r.Prev, r.Body, r.BodySize = c.tip.Hash, record.Hash(sha256.Sum256(r.Data)), uint32(len(r.Data))
	c.recs = append(c.recs, r)
	c.tip = record.Tip{Chain: c.id, Seq: r.Seq, Hash: r.Header.Hash()}
}

// sell adds a receipt, sent and answered, or one that was before.
func (k *kit) sell(c *kitChain, rid byte, kind record.Kind, account byte, points int64) {
	body := fmt.Appendf(nil, "receipt %d", rid)
	s := Sale{
		RID: k.rid(rid), Kind: kind, Account: accountOf(account), Points: points,
		Body: record.Hash(sha256.Sum256(body)), At: c.at, Answered: k.now,
	}
	if !slices.ContainsFunc(k.sent, func(o Sale) bool { return o.RID == s.RID }) {
		k.sent = append(k.sent, s)
	}
	c.add(record.Receipt{Header: record.Header{Kind: kind, RID: s.RID, Account: s.Account, Points: points}, Data: body})
}

// entry writes what the chains have from a seq on; none is the beginning of a term.
func (k *kit) entry(from uint64, chains ...*kitChain) {
	e := &fold.Entry{
		Generation: record.Generation{1}, Number: uint64(len(k.log)) + 1, Term: k.term,
		At: k.now.UnixMilli() + int64(len(k.log)), Prev: k.prev,
	}
	if len(chains) == 0 {
		k.term = e.Number
		e.Term = k.term
	}
	for _, c := range chains {
		p := books.Pack{Store: c.at.Store, Runs: [][]record.Receipt{c.recs[from-1:]}}
		e.Proposals = append(e.Proposals, p.Proposal())
	}
	e.Encode()
	k.prev = e.Hash()
	k.log = append(k.log, e)
}

// history is what Examine would give.
func (k *kit) history() History {
	k.t.Helper()
	h := History{Sent: k.sent, Tries: Tries{Deadline: time.Second}}
	b := books.New()
	node := Books{Shoppers: map[record.AccountID]record.Shopper{}}
	lines := fold.Lines(fold.LinesHead)
	for _, e := range k.log {
		fx := fold.Effects{From: uint64(len(lines))}
		b.Apply(e, &fx)
		lines = append(lines, fx.Framed...)
		in, err := readEntry(e.Encode())
		if err != nil {
			k.t.Fatal(err)
		}
		in.Stream = e.Number
		h.Journal = append(h.Journal, in)
	}
	if err := node.readLines(lines); err != nil {
		k.t.Fatal(err)
	}
	for _, id := range h.accounts() {
		node.Shoppers[id], _ = b.Shopper(id)
	}
	node.Entry, node.Hash, node.Generation = uint64(len(k.log)), k.prev, record.Generation{1}
	node.Digest, node.Totals, node.Accounts = b.Digest(), b.Totals(), b.Accounts()
	for _, name := range []string{"c1", "c2", "c3"} {
		node.Node = name
		h.Nodes = append(h.Nodes, node)
		node.Fates, node.Postings, node.Incidents = nil, nil, nil
	}
	return h
}

func newKit(t *testing.T) *kit {
	return &kit{t: t, now: time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC)}
}

// newHistory is a history without a fault.
func newHistory(t *testing.T) History {
	t.Helper()
	k := newKit(t)
	a, b := k.begin(place("0001", "01"), record.Tip{}), k.begin(place("0002", "01"), record.Tip{})
	k.entry(1)
	k.sell(a, 1, record.KindSale, 7, 100)
	k.sell(b, 2, record.KindSale, 8, 50)
	k.entry(1, a, b)
	old := a.tip
	k.sell(a, 3, record.KindReturn, 7, 130) // 100 of them are there
	k.sell(a, 4, record.KindSale, 7, 40)    // 30 repay what is owed
	k.sell(a, 5, record.KindSale, 0, 0)
	k.entry(3, a)
	k.entry(2, a) // once more, and one record from before
	k.entry(1)    // another node writes
	// The disk of the first till was put back: its new chain begins behind what is held, and sells one
	// receipt for the second time.
	c := k.begin(place("0001", "01"), old)
	k.sell(c, 5, record.KindSale, 0, 0)
	k.sell(c, 6, record.KindSale, 8, 5)
	k.entry(1, c)
	k.sell(b, 7, record.KindReturn, 8, 5)
	k.entry(3, b)
	return k.history()
}
