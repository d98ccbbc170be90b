package laws

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tillstream/central/books"
	"tillstream/kv/record"
)

// Law is one invariant. Holds gives what breaks it, at most a few of each kind.
type Law struct {
	Name  string // its number in the catalogue of invariants
	Says  string
	Holds func(History) []Violation
}

// Laws are the invariants that hold for every history that has come to rest.
func Laws() []Law {
	return []Law{
		{"I1", "what a till has answered is posted", NoLoss},
		{"I2", "nothing is posted twice", NoDouble},
		{"I3", "nothing is posted that was not sent, and not otherwise than it was sent", NoInvention},
		{"I4", "every transaction sums to zero, and so does the whole", Conservation},
		{"I5", "no balance and no debt is ever negative", NonNegative},
		{"I11", "a return takes back what it says, a sale gives what it says", Returns},
		{"I12", "the journal and every till's chain are unbroken", Chains},
		{"I13", "terms and time never go back; a disk put back is noticed", Fence},
		{"I14", "all nodes are the same, and so is one made again from the journal", Determinism},
		{"I15", "the order in which chains arrive does not matter", Commutation},
		{"I16", "a till that is up answers in time and refuses no sale", Availability},
		{"I17", "after the last fault all comes to rest, and tills say what the books say", Convergence},
		{"I19", "every record that arrived has one fate, and nothing is set aside", Accounted},
		{"I20", "what came with a store's key is that store's", Isolation},
		{"I24", "no points are spent twice: who pays with points has set them aside, and uses that once", Spending},
		{"I25", "what comes back of a line is its share of what was paid, and not more of it than was sold", GivenBack},
		{"I26", "each shopper's lots are those of the count", Lots},
	}
}

// ErrBroken means that laws do not hold.
var ErrBroken = errors.New("laws are broken")

// Check holds all laws to a history.
func Check(h History) []Violation {
	h.folded = newModel(h.Journal) // once for all of them
	var all []Violation
	for _, l := range Laws() {
		all = append(all, l.Holds(h)...)
	}
	return all
}

// MaxSaid is how many violations of one law are named; the rest is counted.
const MaxSaid = 10

// finding collects the violations of one law.
type finding struct {
	law   string
	found []Violation
	more  int
}

func (f *finding) say(format string, args ...any) {
	if len(f.found) == MaxSaid {
		f.more++
		return
	}
	f.found = append(f.found, Violation{f.law, fmt.Sprintf(format, args...)})
}

func (f *finding) all() []Violation {
	if f.more > 0 {
		return append(f.found, Violation{f.law, fmt.Sprintf("and %d more", f.more)})
	}
	return f.found
}

// first is the node whose rows stand for all; I14 sees to it that they may.
func (h *History) first() Books {
	if len(h.Nodes) == 0 {
		return Books{}
	}
	return h.Nodes[0]
}

// model is the journal folded by code of the laws' own.
func (h *History) model() *model {
	if h.folded == nil {
		h.folded = newModel(h.Journal)
	}
	return h.folded
}

// meant reports whether a test has provoked what a text says.
func (h *History) meant(text string) bool {
	return slices.ContainsFunc(h.Meant, func(part string) bool { return strings.Contains(text, part) })
}

// sentAs gives the sales of each receipt: one that a till has forgotten may be sold at another one too.
func (h *History) sentAs() map[record.RID][]*Sale {
	sent := make(map[record.RID][]*Sale, len(h.Sent))
	for i := range h.Sent {
		s := &h.Sent[i]
		sent[s.RID] = append(sent[s.RID], s)
	}
	return sent
}

// Posted counts how often the books have posted each receipt.
func (h *History) Posted() map[record.RID]int {
	n := map[record.RID]int{}
	for _, f := range h.first().Fates {
		if f.Fate == books.FatePosted {
			n[f.RID]++
		}
	}
	return n
}

// NoLoss is I1: each receipt that a till has answered is posted exactly once.
func NoLoss(h History) []Violation {
	f := finding{law: "I1"}
	posted := h.Posted()
	for i := range h.Sent {
		s := &h.Sent[i]
		if s.Answered.IsZero() || h.Excused[s.RID] != "" {
			continue
		}
		if n := posted[s.RID]; n != 1 {
			f.say("receipt %s, answered by till %s at %s, is posted %d times", s.RID, s.At, s.Answered.Format("15:04:05.000"), n)
		}
	}
	return f.all()
}

// NoDouble is I2: a receipt has one fate "posted" and at most one transaction, and what is noted as a
// repeat repeats something.
func NoDouble(h History) []Violation {
	f := finding{law: "I2"}
	posted := h.Posted()
	for rid, n := range posted {
		if n > 1 {
			f.say("receipt %s is posted %d times", rid, n)
		}
	}
	lines := map[record.RID]int{}
	for i := range h.first().Postings {
		if p := &h.first().Postings[i]; p.OfRecord() {
			lines[p.RID]++
		}
	}
	for rid, n := range lines {
		if n > 1 {
			f.say("receipt %s has %d transactions", rid, n)
		}
		if posted[rid] == 0 {
			f.say("receipt %s has a transaction and is not posted", rid)
		}
	}
	for _, t := range h.first().Fates {
		if t.Fate == books.FateRepeat && posted[t.RID] == 0 {
			f.say("seq %d of chain %s is noted as a repeat of receipt %s, which is not posted", t.Seq, t.Chain, t.RID)
		}
	}
	return f.all()
}

// NoInvention is I3: each record that arrived is a receipt that a POS sent, byte for byte, and moves the
// points that an independent count gives it.
func NoInvention(h History) []Violation {
	f := finding{law: "I3"}
	for i := range h.Journal {
		for _, text := range h.Journal[i].Unreadable {
			f.say("entry %d: %s", h.Journal[i].Number, text)
		}
	}
	if h.Sent == nil {
		return f.all()
	}
	sent := h.sentAs()
	for _, t := range h.model().taken {
		if t.fate == books.FateStart {
			continue
		}
		of := sent[t.head.RID]
		if len(of) == 0 {
			f.say("receipt %s of till %s was never sent", t.head.RID, t.of)
			continue
		}
		s, body := t.sentAs(of)
		switch {
		case body != s.Body || t.head.Kind != s.Kind:
			f.say("receipt %s is %s with body %s, the POS sent %s with body %s", s.RID, t.head.Kind, body, s.Kind, s.Body)
		case s.Bill != nil || s.Of != (record.RID{}):
			if why := t.notAsSent(s); why != "" {
				f.say("%s %s of till %s: %s", t.head.Kind, s.RID, t.of, why)
			}
		case t.head.Account != s.Account || !s.Account.IsZero() && t.head.Points != s.Points:
			f.say("receipt %s moves %d points of account %s, want %d of %s", s.RID, t.head.Points, t.head.Account, s.Points, s.Account)
		}
	}
	return f.all()
}

// Conservation is I4.
func Conservation(h History) []Violation {
	f := finding{law: "I4"}
	var sum books.Posting
	for i := range h.first().Postings {
		p := &h.first().Postings[i]
		if p.Sum() != 0 {
			f.say("the transaction of receipt %s does not sum to zero", p.RID)
		}
		sum.Shopper += p.Shopper
		sum.Debt += p.Debt
		sum.Issued += p.Issued
		sum.Returned += p.Returned
		sum.Held += p.Held
		sum.Redeemed += p.Redeemed
		sum.Expired += p.Expired
	}
	for _, n := range h.Nodes {
		t := n.Totals
		if t.Sum() != 0 {
			f.say("node %s: the totals do not sum to zero: %+v", n.Node, t)
		}
		sums := books.Posting{
			Shopper: t.Shopper, Debt: t.Debt, Issued: t.Issued, Returned: t.Returned, Held: t.Held, Redeemed: t.Redeemed, Expired: t.Expired,
		}
		if sums != sum {
			f.say("node %s: the totals %+v are not the sums of the transactions", n.Node, t)
		}
		for _, w := range n.Wrong {
			f.say("node %s: %s", n.Node, w)
		}
	}
	m := h.model()
	if len(h.Nodes) > 0 && len(h.Journal) > 0 {
		got, want := h.first().Totals, m.totals
		got.Incidents, got.Moves = 0, 0
		if got != want {
			f.say("the totals are %+v, the journal says %+v", got, want)
		}
	}
	return f.all()
}

// NonNegative is I5, at every entry and not only at the last.
func NonNegative(h History) []Violation {
	f := finding{law: "I5"}
	running := map[record.AccountID]runningAccount{}
	for i := range h.first().Postings { // within an account they are in the order in which they were made
		p := &h.first().Postings[i]
		a := running[p.Account]
		a.balance += p.Shopper
		a.debt -= p.Debt
		a.held += p.Held
		running[p.Account] = a
		if a.balance < 0 || a.debt < 0 || a.held < 0 {
			f.say("account %s has balance %d, debt %d and %d held after receipt %s", p.Account, a.balance, a.debt, a.held, p.RID)
		}
	}
	for _, n := range h.Nodes {
		for id, s := range n.Shoppers {
			if want := running[id]; s.Balance != want.balance || s.Debt != want.debt || s.Held != want.held {
				f.say("node %s, account %s: balance %d, debt %d and %d held, its transactions say %d, %d and %d",
					n.Node, id, s.Balance, s.Debt, s.Held, want.balance, want.debt, want.held)
			}
		}
	}
	return f.all()
}

type runningAccount struct{ balance, debt, held int64 }

// Returns is I11: what a record moves as it comes is what the count of its own says. A return takes no more
// back than its sale earned, and gives no more back than that spent, both less what returns before it did.
func Returns(h History) []Violation {
	f := finding{law: "I11"}
	want, n := map[record.RID]books.Posting{}, 0
	for _, t := range h.model().taken {
		if t.fate == books.FatePosted && t.posts {
			want[t.head.RID] = t.lines
		}
	}
	for i := range h.first().Postings {
		p := &h.first().Postings[i]
		if !p.OfRecord() {
			continue
		}
		n++
		w, ok := want[p.RID]
		got := books.Posting{
			Shopper: p.Shopper, Debt: p.Debt, Issued: p.Issued, Returned: p.Returned, Held: p.Held, Redeemed: p.Redeemed, Expired: p.Expired,
		}
		if !ok || got != w {
			f.say("receipt %s moved %+v, its record says %+v", p.RID, got, w)
		}
	}
	if len(h.Nodes) > 0 && n != len(want) {
		f.say("%d transactions, the journal says %d", n, len(want))
	}
	return f.all()
}

// Availability is I16.
func Availability(h History) []Violation {
	f := finding{law: "I16"}
	for _, text := range h.Tries.Refused {
		f.say("refused: %s", text)
	}
	for _, text := range h.Tries.Late {
		f.say("no answer within %s: %s", h.Tries.Deadline, text)
	}
	return f.all()
}

// How long the chain may take to come to rest: idle uplinks ask again every 15 s, and a backlog drains at
// least so fast.
const (
	// RestWithin is that time when nothing is waiting.
	RestWithin   = 30 * time.Second
	restAtLeast  = 200 // receipts per second
	restPerBatch = time.Second / restAtLeast
)

// Convergence is I17.
func Convergence(h History) []Violation {
	f := finding{law: "I17"}
	if most := RestWithin + time.Duration(h.Settled.Backlog)*restPerBatch; h.Settled.Took > most {
		f.say("with %d receipts to post it took %s to come to rest, want at most %s", h.Settled.Backlog, h.Settled.Took, most)
	}
	for _, text := range h.Differs {
		f.say("%s", text)
	}
	return f.all()
}
