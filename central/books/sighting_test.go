package books

import (
	"fmt"
	"testing"

	"tillstream/kv/record"
)

// shops is one chain in each of n stores.
func shops(n int) []*chainOf {
	all := make([]*chainOf, n)
	for i := range all {
		all[i] = newChain(i+1, shop(i), "t1", record.Tip{})
	}
	return all
}

func shop(i int) string { return fmt.Sprintf("%04d", i+1) }

// buys sends one more sale of the account in a store.
func (l *ledger) buys(shops []*chainOf, at, r, account int) {
	l.t.Helper()
	c := shops[at]
	held := len(c.recs)
	c.sale(r, account, 1)
	if held == 1 {
		held = 0 // its start has not been sent
	}
	l.expect(l.send(shop(at), c.run(held+1, len(c.recs))), record.StatusHeld, len(c.recs))
}

// falls reports to which stores an account's item falls, and checks that the others get a removal.
func (l *ledger) falls(stores, account int) string {
	l.t.Helper()
	var out []int
	for i := range stores {
		item := l.Item(storeID(shop(i)), record.ItemShopper, account_(account))
		if len(item.Value) == 0 {
			continue
		}
		out = append(out, i)
		if s, err := record.ReadShopper(item.Value); err != nil || s.AsOf == 0 {
			l.t.Fatalf("item %+v: %v", item, err)
		}
	}
	return fmt.Sprint(out)
}

// changed gives the stores for which the last entry changed an account. Each has it once.
func (l *ledger) changed(account int) string {
	out := []string{}
	for _, f := range l.fell() {
		if f.account == account_(account) {
			out = append(out, f.store)
		}
	}
	return fmt.Sprint(out)
}

func TestAnAccountFallsToTheStoresThatSawIt(t *testing.T) {
	l := newLedger(t)
	s := shops(3)
	l.buys(s, 0, 1, 1)
	if got, want := l.changed(1), "[0001]"; got != want {
		t.Fatalf("changes %s, want %s", got, want)
	}
	l.buys(s, 1, 2, 1)
	if got, want := l.changed(1), "[0001 0002]"; got != want {
		t.Fatalf("changes %s, want %s", got, want)
	}
	l.buys(s, 0, 3, 1)
	if got, want := l.changed(1), "[0001 0002]"; got != want {
		t.Fatalf("changes %s, want %s", got, want)
	}
	if got, want := l.falls(3, 1), "[0 1]"; got != want {
		t.Fatalf("falls to %s, want %s", got, want)
	}
	if item := l.Item(storeID("0001"), 9, account_(1)); item.Value != nil {
		t.Fatal("an unknown kind of item has a value")
	}
}

// An account remembers four stores in itself; more lie elsewhere, and are no worse off.
func TestMoreStoresThanFitInAnAccount(t *testing.T) {
	const n = 11
	l := newLedger(t)
	s := shops(n)
	for i := range n {
		l.buys(s, i, i+1, 1)
	}
	if got, want := l.falls(n, 1), "[0 1 2 3 4 5 6 7 8 9 10]"; got != want {
		t.Fatalf("falls to %s, want %s", got, want)
	}
	l.buys(s, n-1, n+1, 1)
	if got := len(l.fell()); got != n {
		t.Fatalf("%d changes, want %d", got, n)
	}
	l = l.reopened()
	l.buys(s, 3, n+2, 1)
	if got := len(l.fell()); got != n {
		t.Fatalf("%d changes after a restart, want %d", got, n)
	}
	l.verify()
}

// A store that has not seen an account for 90 days gets a removal with the next change, and then nothing
// more, until it sees the account again.
func TestAnAccountLeavesAStoreAfter90Days(t *testing.T) {
	const n = 7 // some in the account, some elsewhere
	for _, gone := range []int{0, 2, 5, 6} {
		t.Run(fmt.Sprint(gone), func(t *testing.T) {
			l := newLedger(t)
			s := shops(n)
			for i := range n {
				l.buys(s, i, i+1, 1)
			}
			for i := range n {
				if i == gone {
					continue
				}
				l.at = firstDay + 50*dayMS
				l.buys(s, i, 20+i, 1)
			}
			l.at = firstDay + 90*dayMS
			l.buys(s, 1, 40, 1)
			if got := len(l.fell()); got != n {
				t.Fatalf("%d changes on day 90, want %d", got, n)
			}
			l.at = firstDay + 91*dayMS
			l.buys(s, 1, 41, 1)
			if got := len(l.fell()); got != n {
				t.Fatalf("%d changes on day 91, want %d with the removal", got, n)
			}
			want := ""
			for i := range n {
				if i != gone {
					want += fmt.Sprint(" ", i)
				}
			}
			want = "[" + want[1:] + "]"
			if got := l.falls(n, 1); got != want {
				t.Fatalf("falls to %s, want %s", got, want)
			}
			l = l.reopened()
			l.buys(s, 1, 42, 1)
			if got := len(l.fell()); got != n-1 {
				t.Fatalf("%d changes after the removal, want %d", got, n-1)
			}
			l.buys(s, gone, 43, 1)
			if got := len(l.fell()); got != n {
				t.Fatalf("%d changes once it is seen there again, want %d", got, n)
			}
			if got, want := l.falls(n, 1), "[0 1 2 3 4 5 6]"; got != want {
				t.Fatalf("falls to %s, want %s", got, want)
			}
			l.verify()
		})
	}
}

// All stores forget at once, and the account is opened anew in one.
func TestAnAccountThatNoStoreRemembers(t *testing.T) {
	const n = 6
	l := newLedger(t)
	s := shops(n)
	for i := range n {
		l.buys(s, i, i+1, 1)
	}
	l.at = firstDay + 200*dayMS
	other := newChain(99, "0099", "t1", record.Tip{})
	other.sale(50, 1, 1)
	l.send("0099", other.all())
	if got := len(l.fell()); got != n+1 {
		t.Fatalf("%d changes, want %d", got, n+1)
	}
	if got := l.falls(n, 1); got != "[]" {
		t.Fatalf("falls to %s, want none of the old", got)
	}
	if got := l.far.all(nil, l.accounts.at(0)); len(got) != 1 || l.far.at(l.far.free) == nil {
		t.Fatalf("sightings %v are left, want that of the new store only", got)
	}
	l.balance(1, n+1, 0)
}

// One entry has several receipts of an account, from stores old and new: one change per store.
func TestChangesAreOnePerStoreAndAccount(t *testing.T) {
	l := newLedger(t)
	a, b := newChain(1, "0001", "t1", record.Tip{}), newChain(2, "0002", "t1", record.Tip{})
	a.sale(1, 1, 1)
	l.send("0001", a.all())
	a.sale(2, 1, 1)
	a.sale(3, 1, 1)
	b.sale(4, 1, 1)
	b.sale(5, 1, 1)
	l.entry(pack("0001", a.run(3, 4)), pack("0002", b.all()))
	want := fmt.Sprint([]fallen{{"0001", account_(1)}, {"0002", account_(1)}})
	if got := fmt.Sprint(l.fell()); got != want {
		t.Fatalf("changes %s, want %s", got, want)
	}
}
