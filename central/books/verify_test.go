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

// lines takes a history apart.
func (l *ledger) lines() (all []line) {
	l.t.Helper()
	err := l.history.Lines(func(_ uint64, payload []byte) error {
		ln, err := readLine(payload)
		all = append(all, ln)
		return err
	})
	if err != nil {
		l.t.Fatal(err)
	}
	return all
}

// rewrite puts other lines in history's place. They name the ones before them as they should, and so do
// the books: what is wrong then is only what the lines say.
func (l *ledger) rewrite(all []line) {
	var fx fold.Effects
	last := map[uint32]uint64{}
	incident := uint64(0)
	for i := range all {
		ln := &all[i]
		switch before := last[ln.account]; {
		case ln.kind == linePosting:
			if ln.back = 0; before != 0 {
				ln.back = fx.Next() - before
			}
			last[ln.account] = fx.Next()
			if int(ln.account) < l.accounts.len() {
				l.accounts.at(ln.account).last = fx.Next()
			}
		case ln.kind == lineIncident:
			if ln.back = 0; incident != 0 {
				ln.back = fx.Next() - incident
			}
			incident = fx.Next()
		}
		fx.Line(ln.append(nil))
	}
	l.incident = incident
	l.history = append(fold.Lines(fold.LinesHead), fx.Framed...)
}

// nth gives the index of the n-th line for which is says yes.
func nth(t *testing.T, all []line, n int, is func(*line) bool) int {
	t.Helper()
	for i := range all {
		if is(&all[i]) {
			if n == 0 {
				return i
			}
			n--
		}
	}
	t.Fatal("there is no such line")
	return 0
}

func ofKind(kind byte) func(*line) bool { return func(l *line) bool { return l.kind == kind } }

func ofFate(fate Fate) func(*line) bool { return func(l *line) bool { return l.fate == fate } }

// A history that is only written again is in order: rewrite plants nothing.
func TestRewritingHistoryChangesNothing(t *testing.T) {
	l := booked(t)
	was := slices.Clone(l.history)
	l.rewrite(l.lines())
	if !bytes.Equal(was, l.history) {
		t.Fatal("a history that is written again is another")
	}
	l.verify()
}

func TestVerifyFindsWhatIsWrong(t *testing.T) {
	account := func(l *ledger, n int) *account {
		id := account_(n)
		a, _, _ := l.accounts.find(&id)
		return a
	}
	for name, plant := range map[string]func(t *testing.T, l *ledger) (says string){
		"a balance": func(_ *testing.T, l *ledger) string { account(l, 1).balance++; return "its postings say" },
		"two balances that make up for each other": func(_ *testing.T, l *ledger) string {
			account(l, 1).balance++
			account(l, 3).balance--
			return "its postings say"
		},
		"a debt": func(_ *testing.T, l *ledger) string { account(l, 2).debt--; return "its postings say" },
		"a balance without postings": func(_ *testing.T, l *ledger) string {
			id := account_(9)
			a, _, _ := l.accounts.open(&id)
			a.balance = 5
			return "balance 5 and debt 0, its postings say 0 and 0"
		},
		"where the newest posting lies": func(_ *testing.T, l *ledger) string { account(l, 1).last++; return "its newest posting lies" },
		"the incidents":                 func(_ *testing.T, l *ledger) string { l.totals.Incidents++; return "history tells of" },
		"when an account changed":       func(_ *testing.T, l *ledger) string { account(l, 1).changed++; return "digest" },
		"the digest":                    func(_ *testing.T, l *ledger) string { l.digest[1]++; return "digest" },
		"a chain's hash":                func(_ *testing.T, l *ledger) string { l.chains.at(0).hash[7]++; return "digest" },
		"a chain's mark":                func(_ *testing.T, l *ledger) string { l.chains.at(0).seq++; return "its records end at" },
		"a chain that is refused":       func(_ *testing.T, l *ledger) string { l.chains.at(0).fork = true; return "digest" },
		"the posted":                    func(_ *testing.T, l *ledger) string { l.totals.Posted++; return "the records say" },
		"the repeats":                   func(_ *testing.T, l *ledger) string { l.totals.Repeats++; return "the records say" },
		"the transactions":              func(_ *testing.T, l *ledger) string { l.totals.Transactions--; return "postings" },
		"the anonymous":                 func(_ *testing.T, l *ledger) string { l.totals.Anonymous++; return "are not the" },
		"the points issued":             func(_ *testing.T, l *ledger) string { l.totals.Issued--; return "do not sum to zero" },
		"the points returned":           func(_ *testing.T, l *ledger) string { l.totals.Returned++; return "do not sum to zero" },
		"the balances' total":           func(_ *testing.T, l *ledger) string { l.totals.Shopper++; return "balances and debts sum to" },
		"a posting is gone": func(t *testing.T, l *ledger) string {
			all := l.lines()
			i := nth(t, all, 0, ofKind(linePosting))
			l.rewrite(slices.Delete(all, i, i+1))
			return "the postings sum to"
		},
		"a posting of another account": func(t *testing.T, l *ledger) string {
			all := l.lines()
			all[nth(t, all, 0, ofKind(linePosting))].account = 77
			l.rewrite(all)
			return "is not open"
		},
		"a posting that does not sum to zero": func(t *testing.T, l *ledger) string {
			all := l.lines()
			all[nth(t, all, 0, ofKind(linePosting))].Returned++
			l.rewrite(all)
			return "does not sum to zero"
		},
		"a posting twice": func(t *testing.T, l *ledger) string {
			all := l.lines()
			i := nth(t, all, 0, ofKind(linePosting))
			l.rewrite(slices.Insert(all, i, all[i]))
			return "its postings say"
		},
		"a posting that does not name the one before": func(t *testing.T, l *ledger) string {
			all := l.lines()
			var fx fold.Effects
			for i := range all {
				if all[i].kind == linePosting && all[i].back > 0 {
					all[i].back++
				}
				fx.Line(all[i].append(nil))
			}
			l.history = append(fold.Lines(fold.LinesHead), fx.Framed...)
			return "does not name the one before"
		},
		"an account under another number": func(t *testing.T, l *ledger) string {
			all := l.lines()
			all[nth(t, all, 1, ofKind(lineAccount))].number = 2
			l.rewrite(all)
			return "as number 2"
		},
		"an account that history does not open": func(t *testing.T, l *ledger) string {
			all := l.lines()
			i := nth(t, all, 2, ofKind(lineAccount))
			l.rewrite(slices.Delete(all, i, i+1))
			return "history has opened 2"
		},
		"an incident that the books do not know": func(t *testing.T, l *ledger) string {
			l.rewrite(append(l.lines(), line{kind: lineIncident, text: "x"}))
			return "history tells of"
		},
		"a record is gone": func(t *testing.T, l *ledger) string {
			all := l.lines()
			i := nth(t, all, 1, ofFate(FatePosted))
			l.rewrite(slices.Delete(all, i, i+1))
			return "goes from seq"
		},
		"the last record is gone": func(t *testing.T, l *ledger) string {
			all := l.lines()
			i := nth(t, all, 0, func(ln *line) bool { return ln.fate != 0 && ln.chain == 0 && ln.seq == l.chains.at(0).seq })
			l.rewrite(slices.Delete(all, i, i+1))
			return "its records end at"
		},
		"a chain that goes on elsewhere": func(t *testing.T, l *ledger) string {
			all := l.lines()
			all[nth(t, all, 1, ofKind(lineChain))].after = 3
			l.rewrite(all)
			return "goes on after seq 3"
		},
		"a rid is posted twice": func(t *testing.T, l *ledger) string {
			all := l.lines()
			all[nth(t, all, 1, ofFate(FatePosted))].RID = all[nth(t, all, 0, ofFate(FatePosted))].RID
			l.rewrite(all)
			return "is posted twice"
		},
		"a repeat that is said to be posted": func(t *testing.T, l *ledger) string {
			all := l.lines()
			all[nth(t, all, 0, ofFate(FateRepeat))].fate = FatePosted
			l.rewrite(all)
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

func TestVerifySaysWhenItCannotReadALine(t *testing.T) {
	for i := range booked(t).history {
		l := booked(t)
		l.history[i] ^= 0x10
		if _, err := l.Verify(l.history); err == nil {
			t.Fatalf("byte %d of %d is another, and nobody says so", i, len(l.history))
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
