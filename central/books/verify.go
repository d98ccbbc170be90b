package books

import (
	"fmt"

	"tillstream/central/fold"
	"tillstream/kv/record"
)

// History is where the books' rows lie: package replica's.
type History interface {
	Rows(t fold.Table, prefix []byte, fn func(key, value []byte) bool) error
}

// Verdict is what Verify found. Wrong is empty when the books are in order.
type Verdict struct {
	Accounts int      `json:"accounts"`
	Postings uint64   `json:"postings"`
	Receipts uint64   `json:"receipts"`
	Wrong    []string `json:"wrong,omitempty"`
}

const maxWrong = 100 // findings named; the rest is only "more"

// Verify counts the books again from their history and holds the laws to them: every transaction sums
// to zero; a balance is the sum of its postings and never negative; a rid is posted once; a chain's
// records lie without a gap; the totals and the digest are those of what they sum up. The history must
// have come to the same entry as the books.
func (b *Books) Verify(h History) (Verdict, error) {
	v := &verdict{}
	v.Accounts = b.accounts.len()
	if err := b.verifyPostings(h, v); err != nil {
		return v.Verdict, err
	}
	if err := b.verifyReceipts(h, v); err != nil {
		return v.Verdict, err
	}
	b.verifySums(v)
	return v.Verdict, nil
}

type verdict struct {
	Verdict
	posted []bool // per account: whether it has postings
}

func (v *verdict) wrong(format string, args ...any) {
	switch {
	case len(v.Wrong) < maxWrong:
		v.Wrong = append(v.Wrong, fmt.Sprintf(format, args...))
	case len(v.Wrong) == maxWrong:
		v.Wrong = append(v.Wrong, "and more")
	}
}

type sums struct{ shopper, debt, issued, returned int64 }

func (s *sums) add(p Posting) {
	s.shopper += p.Shopper
	s.debt += p.Debt
	s.issued += p.Issued
	s.returned += p.Returned
}

func (b *Books) verifyPostings(h History, v *verdict) error {
	var at record.AccountID
	var of, all sums
	v.posted = make([]bool, b.accounts.len())
	settle := func() {
		if at.IsZero() {
			return
		}
		acc, i, ok := b.accounts.find(at)
		if ok {
			v.posted[i] = true
		}
		switch {
		case !ok:
			v.wrong("account %s has postings but is not open", at)
		case acc.balance != of.shopper || -acc.debt != of.debt:
			v.wrong("account %s: balance %d and debt %d, its postings say %d and %d", at, acc.balance, acc.debt, of.shopper, -of.debt)
		case acc.balance < 0 || acc.debt < 0:
			v.wrong("account %s: balance %d or debt %d is negative", at, acc.balance, acc.debt)
		}
	}
	var bad error
	err := h.Rows(TablePostings, nil, func(key, value []byte) bool {
		a, p, err := ReadPosting(key, value)
		if err != nil {
			bad = fmt.Errorf("read posting: %w", err)
			return false
		}
		if a != at {
			settle()
			at, of = a, sums{}
		}
		if p.Shopper+p.Debt+p.Issued+p.Returned != 0 {
			v.wrong("account %s: posting of receipt %s does not sum to zero", a, p.RID)
		}
		v.Postings++
		of.add(p)
		all.add(p)
		return true
	})
	if err != nil || bad != nil {
		return fmt.Errorf("verify postings: %w", firstOf(bad, err))
	}
	settle()
	t := b.totals
	if all != (sums{t.Shopper, t.Debt, t.Issued, t.Returned}) {
		v.wrong("totals %+v, the postings sum to %+v", t, all)
	}
	if v.Postings != t.Transactions {
		v.wrong("%d transactions, but %d postings", t.Transactions, v.Postings)
	}
	return nil
}

func (b *Books) verifyReceipts(h History, v *verdict) error {
	posted := map[record.RID]bool{}
	last := map[record.ChainID]uint64{}
	var repeats uint64
	var bad error
	err := h.Rows(TableReceipts, nil, func(key, value []byte) bool {
		c, seq, fate, _, rid, err := ReadFate(key, value)
		if err != nil {
			bad = fmt.Errorf("read receipt: %w", err)
			return false
		}
		if seq != last[c]+1 {
			v.wrong("chain %s goes from seq %d to %d", c, last[c], seq)
		}
		last[c] = seq
		switch fate {
		case FatePosted:
			if posted[rid] {
				v.wrong("receipt %s is posted twice", rid)
			}
			posted[rid] = true
			v.Receipts++
		case FateRepeat:
			repeats++
		}
		return true
	})
	if err != nil || bad != nil {
		return fmt.Errorf("verify receipts: %w", firstOf(bad, err))
	}
	for i := range b.chains {
		if c := &b.chains[i]; last[c.id] != c.seq {
			v.wrong("chain %s is marked at %d, its records end at %d", c.id, c.seq, last[c.id])
		}
	}
	if v.Receipts != b.totals.Posted || repeats != b.totals.Repeats {
		v.wrong("posted %d and repeats %d, the records say %d and %d", b.totals.Posted, b.totals.Repeats, v.Receipts, repeats)
	}
	return nil
}

// verifySums counts totals and digest again from the accounts and chains in memory.
func (b *Books) verifySums(v *verdict) {
	var d digest
	var shopper, debt int64
	for i := range uint32(b.accounts.len()) {
		acc := b.accounts.at(i)
		d.add(acc.sum())
		if !v.posted[i] && (acc.balance != 0 || acc.debt != 0) { // one without postings was opened by a repeat
			v.wrong("account %s: balance %d and debt %d without postings", acc.id, acc.balance, acc.debt)
		}
		shopper += acc.balance
		debt -= acc.debt
	}
	for i := range b.chains {
		d.add(b.chains[i].sum())
	}
	t := b.totals
	if d != b.digest {
		v.wrong("the digest is not that of the accounts and chains")
	}
	if shopper != t.Shopper || debt != t.Debt {
		v.wrong("balances and debts sum to %d and %d, the totals say %d and %d", shopper, debt, t.Shopper, t.Debt)
	}
	if t.Shopper+t.Debt+t.Issued+t.Returned != 0 {
		v.wrong("the totals do not sum to zero: %+v", t)
	}
	if t.Transactions+t.Anonymous != t.Posted {
		v.wrong("%d receipts with a shopper and %d without are not the %d posted", t.Transactions, t.Anonymous, t.Posted)
	}
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
