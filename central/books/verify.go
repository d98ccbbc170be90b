package books

import (
	"fmt"

	"tillstream/kv/record"
)

// Verdict is what Verify found. Wrong is empty when the books are in order.
type Verdict struct {
	Accounts int      `json:"accounts"`
	Postings uint64   `json:"postings"`
	Receipts uint64   `json:"receipts"`
	Wrong    []string `json:"wrong,omitempty"`
}

const maxWrong = 100 // findings named; the rest is only "more"

// Verify counts the books again from their history and holds the laws to them: every transaction sums
// to zero; a balance is the sum of its postings and of its lots, and never negative; what is held of it is what
// its holds that stand hold; a coupon is held by one of them at most; a rid is posted once; a chain's
// records lie without a gap; the totals and the digest are those of what they sum up; each line of history
// that should name the one before it does. The history must end at the same entry as the books.
func (b *Books) Verify(h History) (Verdict, error) {
	v := &verdict{
		b: b, of: make([]sums, b.accounts.len()), last: make([]uint64, b.accounts.len()),
		posted: map[record.RID]bool{}, seqs: map[record.ChainID]uint64{}, chains: map[uint32]record.ChainID{},
	}
	v.Accounts = b.accounts.len()
	if err := h.Lines(v.line); err != nil {
		return v.Verdict, fmt.Errorf("verify books: %w", err)
	}
	v.settle()
	v.lots()
	v.holds()
	b.verifySums(v)
	return v.Verdict, nil
}

type verdict struct {
	Verdict
	b        *Books
	of       []sums   // per account
	last     []uint64 // per account: its newest posting
	all      sums
	opened   int // accounts
	posted   map[record.RID]bool
	repeats  uint64
	chains   map[uint32]record.ChainID // by their numbers
	seqs     map[record.ChainID]uint64 // the last of each
	incident uint64
	told     uint64 // incidents
	moves    uint64
	policy   Policy
}

func (v *verdict) wrong(format string, args ...any) {
	switch {
	case len(v.Wrong) < maxWrong:
		v.Wrong = append(v.Wrong, fmt.Sprintf(format, args...))
	case len(v.Wrong) == maxWrong:
		v.Wrong = append(v.Wrong, "and more")
	}
}

type sums struct{ shopper, debt, issued, returned, held, redeemed, expired int64 }

func (s *sums) add(p *Posting) {
	s.shopper += p.Shopper
	s.debt += p.Debt
	s.issued += p.Issued
	s.returned += p.Returned
	s.held += p.Held
	s.redeemed += p.Redeemed
	s.expired += p.Expired
}

func (v *verdict) line(at uint64, payload []byte) error {
	l, err := readLine(payload)
	if err != nil {
		return fmt.Errorf("at %d: %w", at, err)
	}
	switch l.kind {
	case lineAccount:
		if i := int(l.number); i != v.opened || i >= v.b.accounts.len() || v.b.accounts.at(l.number).id != l.id {
			v.wrong("history opens account %s as number %d, the books do not", record.AccountID(l.id), l.number)
		}
		v.opened++
	case lineChain:
		v.chains[l.number] = l.id
		if v.seqs[l.id] != l.after {
			v.wrong("chain %s goes on after seq %d, it ended at %d", record.ChainID(l.id), l.after, v.seqs[l.id])
		}
	case lineFate:
		v.fate(&l)
	case linePosting:
		v.fate(&l)
		v.posting(at, &l)
	case lineMore:
		if l.OfRecord() {
			v.fate(&l)
		} else {
			v.moves++
		}
		v.posting(at, &l)
	case linePolicy:
		if l.policy.Revision != v.policy.Revision+1 {
			v.wrong("policy %d comes after policy %d", l.policy.Revision, v.policy.Revision)
		}
		v.policy = l.policy
	case lineIncident:
		if v.told++; before(at, l.back) != v.incident {
			v.wrong("the incident at %d of history does not name the one before", at)
		}
		v.incident = at
	}
	return nil
}

// before is where the line lies that a line names as the one before.
func before(at, back uint64) uint64 {
	if back == 0 {
		return 0
	}
	return at - back
}

func (v *verdict) fate(l *line) {
	id := v.chains[l.chain]
	if l.seq != v.seqs[id]+1 {
		v.wrong("chain %s goes from seq %d to %d", id, v.seqs[id], l.seq)
	}
	v.seqs[id] = l.seq
	switch l.fate {
	case FatePosted:
		if v.posted[l.RID] {
			v.wrong("receipt %s is posted twice", l.RID)
		}
		v.posted[l.RID] = true
		v.Receipts++
	case FateRepeat:
		v.repeats++
	}
}

func (v *verdict) posting(at uint64, l *line) {
	if int(l.account) >= len(v.of) {
		v.wrong("account number %d has postings but is not open", l.account)
		return
	}
	if l.Sum() != 0 {
		v.wrong("account %s: posting of receipt %s does not sum to zero", v.b.accounts.at(l.account).id, l.RID)
	}
	if before(at, l.back) != v.last[l.account] {
		v.wrong("account %s: the posting at %d of history does not name the one before", v.b.accounts.at(l.account).id, at)
	}
	v.last[l.account] = at
	v.Postings++
	v.of[l.account].add(&l.Posting)
	v.all.add(&l.Posting)
}

// settle compares what history tells with the books.
func (v *verdict) settle() {
	b, t := v.b, v.b.totals
	for i := range uint32(b.accounts.len()) {
		acc, of := b.accounts.at(i), v.of[i]
		switch {
		case acc.balance != of.shopper || -acc.debt != of.debt:
			v.wrong("account %s: balance %d and debt %d, its postings say %d and %d", acc.id, acc.balance, acc.debt, of.shopper, -of.debt)
		case acc.balance < 0 || acc.debt < 0:
			v.wrong("account %s: balance %d or debt %d is negative", acc.id, acc.balance, acc.debt)
		case acc.last != v.last[i]:
			v.wrong("account %s: its newest posting lies at %d of history, not at %d", acc.id, v.last[i], acc.last)
		}
	}
	if v.opened != b.accounts.len() {
		v.wrong("%d accounts are open, history has opened %d", b.accounts.len(), v.opened)
	}
	if v.all != (sums{t.Shopper, t.Debt, t.Issued, t.Returned, t.Held, t.Redeemed, t.Expired}) {
		v.wrong("totals %+v, the postings sum to %+v", t, v.all)
	}
	if v.Postings != t.Transactions+t.Moves || v.moves != t.Moves {
		v.wrong("%d transactions and %d moves, but %d postings with %d", t.Transactions, t.Moves, v.Postings, v.moves)
	}
	if p := b.policy; v.policy.Revision != p.Revision || p.Revision > 0 && (v.policy.ExpireDays != p.ExpireDays || v.policy.HoldMinutes != p.HoldMinutes) {
		v.wrong("policy %+v, history tells of %+v", p, v.policy)
	}
	b.chains.all(func(_ uint32, c *chain) {
		if v.seqs[c.id] != c.seq {
			v.wrong("chain %s is marked at %d, its records end at %d", c.id, c.seq, v.seqs[c.id])
		}
	})
	b.chains.allResting(func(r *rested) {
		if v.seqs[r.id] != uint64(r.seq) {
			v.wrong("chain %s is marked at %d, its records end at %d", r.id, r.seq, v.seqs[r.id])
		}
	})
	if v.Receipts != t.Posted || v.repeats != t.Repeats {
		v.wrong("posted %d and repeats %d, the records say %d and %d", t.Posted, t.Repeats, v.Receipts, v.repeats)
	}
	if v.told != t.Incidents || v.incident != b.incident {
		v.wrong("%d incidents, history tells of %d", t.Incidents, v.told)
	}
}

// verifySums counts totals and digest again from the accounts and chains in memory.
func (b *Books) verifySums(v *verdict) {
	var d digest
	var shopper, debt int64
	for i := range uint32(b.accounts.len()) {
		acc := b.accounts.at(i)
		d.add(b.accountSum(acc))
		shopper += acc.balance
		debt -= acc.debt
	}
	b.chains.all(func(_ uint32, c *chain) { d.add(c.sum()) })
	b.chains.allResting(func(r *rested) { d.add(r.sum()) })
	t := b.totals
	if d != b.digest {
		v.wrong("the digest is not that of the accounts and chains")
	}
	verifyPool(v, "holds", &b.holds)
	verifyPool(v, "coupons", &b.coupons)
	verifyPool(v, "sales that were spent on or given back from", &b.deals)
	verifyPool(v, "returns that wait", &b.waits)
	if shopper != t.Shopper || debt != t.Debt {
		v.wrong("balances and debts sum to %d and %d, the totals say %d and %d", shopper, debt, t.Shopper, t.Debt)
	}
	if t.Sum() != 0 {
		v.wrong("the totals do not sum to zero: %+v", t)
	}
	if t.Transactions+t.Anonymous != t.Posted {
		v.wrong("%d receipts with a shopper and %d without are not the %d posted", t.Transactions, t.Anonymous, t.Posted)
	}
}
