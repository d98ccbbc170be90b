package books

import (
	"crypto/sha256"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"tillstream/central/fold"
	"tillstream/kv/record"
	"tillstream/subjects"
)

const firstDay = int64(14944) * dayMS // 2010-12-01

func storeID(s string) subjects.StoreID { return subjects.StoreID{Token: subjects.MustToken(s)} }

func tillID(s string) subjects.TillID { return subjects.TillID{Token: subjects.MustToken(s)} }

// id draws 16 bytes that a name and a number stand for.
func id(name string, n int) [16]byte {
	h := sumOf(fmt.Appendf(nil, "%s %d", name, n))
	return [16]byte(h[:16])
}

func account_(n int) record.AccountID { return id("account", n) }

func rid(n int) record.RID {
	return record.RIDFrom(time.UnixMilli(firstDay), sumOf(fmt.Appendf(nil, "rid %d", n)))
}

// chainOf is a till's chain as the till has it.
type chainOf struct {
	id   record.ChainID
	recs []record.Receipt
}

// newChain begins a chain with its start record.
func newChain(n int, store, till string, found record.Tip) *chainOf {
	c := &chainOf{id: id("chain", n)}
	start := record.Start{Store: storeID(store), Till: tillID(till), Found: found}
	c.add(record.Header{Kind: record.KindStart}, start.Append(nil))
	return c
}

func (c *chainOf) add(h record.Header, body []byte) {
	h.Chain, h.Seq = c.id, uint64(len(c.recs)+1)
	h.Body, h.BodySize = sha256.Sum256(body), uint32(len(body))
	if n := len(c.recs); n > 0 {
		h.Prev = c.recs[n-1].Hash()
	}
	c.recs = append(c.recs, record.Receipt{Header: h, Data: body})
}

func (c *chainOf) sale(r, account int, points int64) { c.receipt(record.KindSale, r, account, points) }

func (c *chainOf) returns(r, account int, points int64) {
	c.receipt(record.KindReturn, r, account, points)
}

// receipt adds a receipt; account zero is nobody.
func (c *chainOf) receipt(kind record.Kind, r, account int, points int64) {
	h := record.Header{Kind: kind, Points: points, RID: rid(r), Day: 20101201, At: firstDay}
	if account != 0 {
		h.Account = account_(account)
	}
	c.add(h, fmt.Appendf(nil, `{"receipt":%d}`, r))
}

// branch is a copy that goes its own way.
func (c *chainOf) branch() *chainOf { return &chainOf{c.id, slices.Clone(c.recs)} }

func (c *chainOf) tip() record.Tip {
	last := &c.recs[len(c.recs)-1]
	return record.Tip{Chain: c.id, Seq: last.Seq, Hash: last.Hash()}
}

// run gives the records from first to last, by seq.
func (c *chainOf) run(first, last int) []record.Receipt { return c.recs[first-1 : last] }

func (c *chainOf) all() []record.Receipt { return c.recs }

func pack(store string, runs ...[]record.Receipt) fold.Proposal {
	p := Pack{Store: storeID(store), Runs: runs}
	return p.Proposal()
}

// ledger is books with their journal and history.
type ledger struct {
	*Books
	t       testing.TB
	number  uint64
	at      int64
	history fold.Lines
	last    fold.Effects
}

func newLedger(t testing.TB) *ledger {
	return &ledger{Books: New(), t: t, at: firstDay, history: fold.Lines(fold.LinesHead)}
}

// entry applies one entry and gives the marks of each proposal.
func (l *ledger) entry(ps ...fold.Proposal) [][]record.Mark {
	l.t.Helper()
	l.number++
	e := &fold.Entry{Number: l.number, Term: 1, At: l.at, Proposals: ps}
	l.last = fold.Effects{From: uint64(len(l.history)), Asked: true}
	l.Apply(e, &l.last)
	l.history = append(l.history, l.last.Framed...)
	if got, want := len(l.last.Outcomes), len(ps); got != want {
		l.t.Fatalf("%d outcomes for %d proposals", got, want)
	}
	marks := make([][]record.Mark, len(ps))
	for i, o := range l.last.Outcomes {
		var err error
		if h := ps[i].Head; len(h) > 0 && h[0] >= opHold && h[0] <= opRelease {
			continue
		}
		if marks[i], err = record.ReadMarks(o); err != nil {
			l.t.Fatal(err)
		}
	}
	if s := l.totals.Sum(); s != 0 {
		l.t.Fatalf("after entry %d the totals sum to %d: %+v", l.number, s, l.totals)
	}
	return marks
}

// send applies one run in an entry of its own and gives its mark.
func (l *ledger) send(store string, run []record.Receipt) record.Mark {
	l.t.Helper()
	marks := l.entry(pack(store, run))[0]
	if len(marks) != 1 {
		l.t.Fatalf("marks %+v, want one", marks)
	}
	return marks[0]
}

// expect checks a mark's status and how far it is.
func (l *ledger) expect(m record.Mark, status record.Status, held int) {
	l.t.Helper()
	if m.Status != status || m.Held != uint64(held) || m.Posted != m.Held {
		l.t.Fatalf("mark %s at %d (posted %d), want %s at %d", m.Status, m.Held, m.Posted, status, held)
	}
}

// balance checks an account.
func (l *ledger) balance(account int, balance, debt int64) {
	l.t.Helper()
	s, _ := l.Shopper(account_(account))
	if s.Balance != balance || s.Debt != debt {
		l.t.Fatalf("account %d has %d and owes %d, want %d and %d", account, s.Balance, s.Debt, balance, debt)
	}
}

// verify checks the books against their history.
func (l *ledger) verify() {
	l.t.Helper()
	v, err := l.Verify(l.history)
	if err != nil {
		l.t.Fatal(err)
	}
	if len(v.Wrong) > 0 {
		l.t.Fatalf("the books are wrong: %q", v.Wrong)
	}
}

// snapshot gives the parts of a snapshot.
func (l *ledger) snapshot() (parts [][]byte) {
	next := l.Freeze()
	defer l.Thaw()
	for {
		p, more := next(nil)
		if !more {
			return parts
		}
		parts = append(parts, p)
	}
}

// giving gives parts one after the other, as Restore wants them.
func giving(parts [][]byte) func() ([]byte, error) {
	return func() ([]byte, error) {
		if len(parts) == 0 {
			return nil, io.EOF
		}
		p := parts[0]
		parts = parts[1:]
		return p, nil
	}
}

// reopened gives the ledger as a snapshot brings it back.
func (l *ledger) reopened() *ledger {
	l.t.Helper()
	return l.restored(l.snapshot())
}

func (l *ledger) restored(parts [][]byte) *ledger {
	l.t.Helper()
	again := *l
	again.Books = New()
	if err := again.Restore(giving(parts)); err != nil {
		l.t.Fatal(err)
	}
	again.history = slices.Clone(l.history)
	return &again
}

// fallen is a row that the last entry made in a store's part of the feed.
type fallen struct {
	store   string
	account record.AccountID
}

func (l *ledger) fell() (out []fallen) {
	for _, s := range l.stores {
		for _, c := range s.feed {
			if c.entry == l.number {
				out = append(out, fallen{s.id.String(), l.accounts.at(c.account).id})
			}
		}
	}
	return out
}

// incidents gives the texts that history tells, newest first.
func (l *ledger) incidents() (texts []string) {
	l.t.Helper()
	if err := Incidents(l.history, l.LastIncident(), func(i Incident) bool { texts = append(texts, i.Text); return true }); err != nil {
		l.t.Fatal(err)
	}
	return texts
}
