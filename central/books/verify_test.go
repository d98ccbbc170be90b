package books

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"tillstream/central/fold"
	"tillstream/kv/record"
)

// booked is a ledger with some of everything.
func booked(t testing.TB) *ledger {
	l := newLedger(t)
	a, b := newChain(1, "0001", "t1", record.Tip{}), newChain(2, "0002", "t1", record.Tip{})
	a.sale(1, 1, 100)
	a.sale(2, 2, 50)
	a.returns(3, 2, 80)
	a.sale(4, 0, 5)
	b.sale(1, 1, 100) // a repeat
	b.sale(5, 3, 10)
	l.entry(pack("0001", a.all()), pack("0002", b.all()))
	l.verify()
	return l
}

// row gives the key, in the rows' map, of the n-th row of a table.
func (h rows) row(t testing.TB, table fold.Table, n int) string {
	var keys []string
	for k := range h {
		if k[0] == byte(table) {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	if n >= len(keys) {
		t.Fatalf("table %d has %d rows", table, len(keys))
	}
	return keys[n]
}

func TestVerifyFindsWhatIsWrong(t *testing.T) {
	account := func(l *ledger, n int) *account { a, _, _ := l.accounts.find(account_(n)); return a }
	for name, plant := range map[string]func(t *testing.T, l *ledger) (says string){
		"a balance": func(_ *testing.T, l *ledger) string { account(l, 1).balance++; return "its postings say" },
		"two balances that make up for each other": func(_ *testing.T, l *ledger) string {
			account(l, 1).balance++
			account(l, 3).balance--
			return "its postings say"
		},
		"a debt": func(_ *testing.T, l *ledger) string { account(l, 2).debt--; return "its postings say" },
		"a balance without postings": func(_ *testing.T, l *ledger) string {
			a, _, _ := l.accounts.open(account_(9))
			a.balance = 5
			return "without postings"
		},
		"when an account changed": func(_ *testing.T, l *ledger) string { account(l, 1).changed++; return "digest" },
		"the digest":              func(_ *testing.T, l *ledger) string { l.digest[2]++; return "digest" },
		"a chain's hash":          func(_ *testing.T, l *ledger) string { l.chains[0].hash[7]++; return "digest" },
		"a chain's mark":          func(_ *testing.T, l *ledger) string { l.chains[0].seq++; return "its records end at" },
		"a chain that is refused": func(_ *testing.T, l *ledger) string { l.chains[0].fork = true; return "digest" },
		"the posted":              func(_ *testing.T, l *ledger) string { l.totals.Posted++; return "the records say" },
		"the repeats":             func(_ *testing.T, l *ledger) string { l.totals.Repeats++; return "the records say" },
		"the transactions":        func(_ *testing.T, l *ledger) string { l.totals.Transactions--; return "postings" },
		"the anonymous":           func(_ *testing.T, l *ledger) string { l.totals.Anonymous++; return "are not the" },
		"the points issued":       func(_ *testing.T, l *ledger) string { l.totals.Issued--; return "do not sum to zero" },
		"the points returned":     func(_ *testing.T, l *ledger) string { l.totals.Returned++; return "do not sum to zero" },
		"the balances' total":     func(_ *testing.T, l *ledger) string { l.totals.Shopper++; return "balances and debts sum to" },
		"a posting is gone": func(t *testing.T, l *ledger) string {
			delete(l.history, l.history.row(t, TablePostings, 0))
			return "the postings sum to"
		},
		"a posting of another account": func(t *testing.T, l *ledger) string {
			k := l.history.row(t, TablePostings, 0)
			v := l.history[k]
			delete(l.history, k)
			a := account_(77)
			l.history[k[:1]+string(a[:])+k[17:]] = v
			return "is not open"
		},
		"a posting that does not sum to zero": func(t *testing.T, l *ledger) string {
			k := l.history.row(t, TablePostings, 0)
			v := bytes.Clone(l.history[k])
			v[len(v)-1]++ // what was returned
			l.history[k] = v
			return "does not sum to zero"
		},
		"a posting twice": func(t *testing.T, l *ledger) string {
			k := l.history.row(t, TablePostings, 0)
			again := []byte(k)
			again[len(again)-1] = 99
			l.history[string(again)] = l.history[k]
			return "its postings say"
		},
		"a record is gone": func(t *testing.T, l *ledger) string {
			delete(l.history, l.history.row(t, TableReceipts, 1))
			return "goes from seq"
		},
		"the last record is gone": func(_ *testing.T, l *ledger) string {
			c := l.chains[0].id
			delete(l.history, string(rune(TableReceipts))+string(record.AppendU64(c[:], l.chains[0].seq)))
			return "its records end at"
		},
		"a rid is posted twice": func(t *testing.T, l *ledger) string {
			var posted []string
			for n := range l.history.count(TableReceipts) {
				if k := l.history.row(t, TableReceipts, n); Fate(l.history[k][0]) == FatePosted {
					posted = append(posted, k)
				}
			}
			v := bytes.Clone(l.history[posted[0]])
			copy(v[9:], l.history[posted[1]][9:])
			l.history[posted[0]] = v
			return "is posted twice"
		},
		"a repeat that is said to be posted": func(t *testing.T, l *ledger) string {
			for n := range l.history.count(TableReceipts) {
				if k := l.history.row(t, TableReceipts, n); Fate(l.history[k][0]) == FateRepeat {
					v := bytes.Clone(l.history[k])
					v[0] = byte(FatePosted)
					l.history[k] = v
				}
			}
			return "is posted twice"
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := booked(t)
			says := plant(t, l)
			v, err := l.Verify(l.history)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(strings.Join(v.Wrong, "\n"), says) {
				t.Fatalf("found %q, want something that %q", v.Wrong, says)
			}
		})
	}
}

func TestVerifySaysWhenItCannotReadARow(t *testing.T) {
	for _, table := range []fold.Table{TablePostings, TableReceipts} {
		l := booked(t)
		k := l.history.row(t, table, 0)
		l.history[k] = l.history[k][1:]
		if _, err := l.Verify(l.history); err == nil {
			t.Fatalf("table %d: a row that cannot be read is passed over", table)
		}
	}
}

// Whoever reads the verdict gets a page, not a million lines.
func TestVerifyNamesAHundred(t *testing.T) {
	l := newLedger(t)
	c := newChain(1, "0001", "t1", record.Tip{})
	for n := range 300 {
		c.sale(n, n+1, 1)
	}
	l.send("0001", c.all())
	for i := range uint32(l.accounts.len()) {
		l.accounts.at(i).balance++
	}
	v, err := l.Verify(l.history)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := len(v.Wrong), maxWrong+1; got != want || v.Wrong[maxWrong] != "and more" {
		t.Fatalf("%d findings, want %d: %s", got, want, fmt.Sprint(v.Wrong[got-1]))
	}
}
