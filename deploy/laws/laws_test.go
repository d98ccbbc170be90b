package laws

import (
	"slices"
	"strings"
	"testing"
	"time"

	"tillstream/central/books"
	"tillstream/kv/record"
)

func TestLawsHold(t *testing.T) {
	t.Parallel()
	h := newHistory(t)
	for _, v := range Check(h) {
		t.Error(v)
	}
	m := h.model()
	if m.totals.Repeats != 1 || len(m.oldDisks) != 1 || m.again == 0 || m.totals.Debt != 0 || m.totals.Returned != 135 {
		t.Errorf("the history does not have what it should have: %s, %+v", Summary(h), m.totals)
	}
	if got := Summary(h); !strings.Contains(got, "7 entries in 2 terms, 3 chains; 7 receipts posted, 1 repeats") {
		t.Errorf("summary %q", got)
	}
	// Without a journal of what was sent the laws that need none still hold.
	h.Sent = nil
	for _, v := range Check(h) {
		t.Error(v)
	}
}

// The tests are tested: each law, broken once, is found by the law that is meant to.
func TestLawsFind(t *testing.T) {
	t.Parallel()
	rows := func(h *History) *Books { return &h.Nodes[0] }
	last := func(h *History) *record.Receipt {
		run := h.Journal[len(h.Journal)-1].Packs[0].Runs[0]
		return &run[len(run)-1]
	}
	for _, c := range []struct {
		law, what string
		spoil     func(*History)
	}{
		{"I1", "an answered receipt is not there", func(h *History) {
			h.Sent = append(h.Sent, Sale{RID: record.NewRID(time.Now()), Answered: time.Now()})
		}},
		{"I1", "an answered receipt is not posted", func(h *History) {
			b := rows(h)
			b.Fates = slices.DeleteFunc(b.Fates, func(f Fate) bool { return f.Fate == books.FatePosted && f.Entry == 6 })
		}},
		{"I2", "posted twice", func(h *History) {
			b := rows(h)
			i := slices.IndexFunc(b.Fates, func(f Fate) bool { return f.Fate == books.FateRepeat })
			b.Fates[i].Fate = books.FatePosted
		}},
		{"I2", "two transactions", func(h *History) { rows(h).Postings = append(rows(h).Postings, rows(h).Postings[0]) }},
		{"I3", "never sent", func(h *History) { h.Sent = h.Sent[1:] }},
		{"I3", "another body", func(h *History) { h.Sent[0].Body[0]++ }},
		{"I3", "other points", func(h *History) { h.Sent[0].Points++ }},
		{"I3", "another account", func(h *History) { h.Sent[0].Account[3]++ }},
		{"I3", "another kind", func(h *History) { h.Sent[0].Kind = record.KindReturn }},
		{"I3", "a body that is not its header's", func(h *History) { h.Journal[1].Unreadable = []string{"x"} }},
		{"I4", "a transaction that makes points", func(h *History) { rows(h).Postings[0].Shopper++ }},
		{"I4", "totals that make points", func(h *History) { h.Nodes[2].Totals.Shopper++ }},
		{"I4", "what a node found itself", func(h *History) { h.Nodes[1].Wrong = []string{"x"} }},
		{"I5", "negative in between", func(h *History) { rows(h).Postings[0].Shopper -= 101 }},
		{"I5", "a balance that nothing made", func(h *History) {
			for id, s := range h.Nodes[1].Shoppers {
				s.Balance++
				h.Nodes[1].Shoppers[id] = s
			}
		}},
		{"I11", "a return takes more than it says", func(h *History) {
			i := slices.IndexFunc(rows(h).Postings, func(p Posting) bool { return p.Kind == record.KindReturn })
			rows(h).Postings[i].Returned++
		}},
		{"I12", "a hole in the journal", func(h *History) { h.Journal = slices.Delete(h.Journal, 3, 4) }},
		{"I12", "another entry", func(h *History) { h.Journal[2].Prev[0]++ }},
		{"I12", "a record from elsewhere in a chain", func(h *History) { last(h).Prev[0]++ }},
		{"I12", "a hole in the books", func(h *History) { rows(h).Fates = slices.Delete(rows(h).Fates, 2, 3) }},
		{"I13", "a writer of an earlier term", func(h *History) { h.Journal[6].Term = 1 }},
		{"I13", "a term that begins with receipts", func(h *History) { h.Journal[5].Term, h.Journal[6].Term = 6, 6 }},
		{"I13", "time goes back", func(h *History) { h.Journal[6].At = 5 }},
		{"I13", "an old disk that nobody notices", func(h *History) { rows(h).Incidents = nil }},
		{"I14", "a node that differs", func(h *History) { h.Nodes[2].Digest[0]++ }},
		{"I14", "all nodes are the same and wrong", func(h *History) {
			for i := range h.Nodes {
				h.Nodes[i].Digest[0]++
			}
		}},
		{"I14", "a history that differs", func(h *History) { h.Nodes[1].Rows[0]++ }},
		{"I14", "a node that is behind", func(h *History) { h.Nodes[1].Entry-- }},
		{"I16", "late", func(h *History) { h.Tries.Late = []string{"x"} }},
		{"I16", "refused", func(h *History) { h.Tries.Refused = []string{"x"} }},
		{"I17", "no rest", func(h *History) { h.Settled.Took = time.Minute }},
		{"I17", "a till says otherwise", func(h *History) { h.Differs = []string{"x"} }},
		{"I19", "no fate", func(h *History) { rows(h).Fates = rows(h).Fates[1:] }},
		{"I19", "another fate", func(h *History) {
			i := slices.IndexFunc(rows(h).Fates, func(f Fate) bool { return f.Fate == books.FatePosted })
			rows(h).Fates[i].Fate = books.FateRepeat
		}},
		{"I19", "a fate of nothing", func(h *History) { rows(h).Fates[2].Seq = 99 }},
		{"I19", "an incident", func(h *History) { rows(h).Incidents = append(rows(h).Incidents, Incident{2, "x"}) }},
		{"I20", "a record of another store", func(h *History) { h.Journal[6].Packs[0].Store = place("0003", "01").Store }},
		{"I20", "sold elsewhere", func(h *History) { h.Sent[0].At = place("0002", "02") }},
	} {
		t.Run(c.law+" "+c.what, func(t *testing.T) {
			t.Parallel()
			h := newHistory(t)
			c.spoil(&h)
			found := Check(h)
			if !slices.ContainsFunc(found, func(v Violation) bool { return v.Law == c.law }) {
				t.Errorf("found %v, want a violation of %s", found, c.law)
			}
		})
	}
}

// A receipt whose last copy was taken away may be gone, and no other.
func TestExcused(t *testing.T) {
	t.Parallel()
	h := newHistory(t)
	gone, lost := record.NewRID(time.Now()), record.NewRID(time.Now())
	h.Sent = append(h.Sent, Sale{RID: gone, Answered: time.Now()}, Sale{RID: lost, Answered: time.Now()}, Sale{RID: record.NewRID(time.Now())})
	h.Excused = map[record.RID]string{gone: "its disk was taken"}
	found := Check(h)
	if len(found) != 1 || found[0].Law != "I1" || !strings.Contains(found[0].Text, lost.String()) {
		t.Errorf("found %v, want that %s is lost", found, lost)
	}
}

// The same receipt may be sent at two tills, with a body each; and to a third till's chain it may not come.
func TestReceiptSentAtTwoTills(t *testing.T) {
	t.Parallel()
	h := newHistory(t)
	there := h.Sent[0]
	there.At, there.Body = place("0001", "02"), record.Hash{1}
	h.Sent = append(h.Sent, there)
	for _, v := range Check(h) {
		t.Error(v)
	}
	h.Sent[0].At = place("0001", "03")
	if found := Isolation(h); len(found) != 1 {
		t.Errorf("found %v, want that a receipt came from a till where it was not sold", found)
	}
}

// The copy of a till's disk in another till's place may give what that till was sent, byte for byte and up to
// the copy. What was sent later, and what comes from a third place, still breaks a law.
func TestCopiedDisk(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	a, b := k.begin(place("0001", "01"), record.Tip{}), k.begin(place("0001", "02"), record.Tip{})
	k.entry(1)
	k.sell(a, 1, record.KindSale, 7, 100)
	k.sell(a, 2, record.KindSale, 7, 100)
	k.entry(1, a)
	k.sell(b, 1, record.KindSale, 7, 100) // the first once more: see kit.sell
	k.entry(1, b)
	copied := func(to Place, before int) History {
		h, sent := k.history(), NewSent()
		for i, s := range h.Sent {
			if i == before {
				sent.Copied(a.at, to)
			}
			sent.Send(s)
			sent.Answered(s.RID, s.At)
		}
		h.Sent = sent.Sales()
		return h
	}
	for _, v := range Check(copied(b.at, 1)) {
		t.Error(v)
	}
	for name, h := range map[string]History{
		"copied before it was sold": copied(b.at, 0), "put elsewhere": copied(place("0001", "03"), 1),
	} {
		if found := Check(h); len(found) != 1 || found[0].Law != "I20" {
			t.Errorf("%s: found %v, want that a receipt came from a till where it was not sold", name, found)
		}
	}
}

// What a test provokes breaks no law, and anything else still does.
func TestMeant(t *testing.T) {
	t.Parallel()
	h := newHistory(t)
	h.Nodes[0].Incidents = append(h.Nodes[0].Incidents, Incident{2, "provoked this"}, Incident{3, "and not that"})
	h.Journal[6].Packs[0].Store = place("0003", "01").Store
	h.Meant = []string{"provoked"}
	if found := Accounted(h); len(found) != 2 { // the second incident, and the record that has no fate now
		t.Errorf("found %v, want only what was not provoked", found)
	}
	if len(Isolation(h)) == 0 {
		t.Error("a foreign record that nobody provoked breaks no law")
	}
	h.Meant = []string{"store 0003 sent records"}
	if found := Isolation(h); len(found) > 0 {
		t.Errorf("found %v, which was provoked", found)
	}
}

// A second chain behind one that is whole is an old disk as well: its image was made while the till was off.
func TestSecondStartBehindOneChain(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	a := k.begin(place("0001", "01"), record.Tip{})
	k.entry(1)
	k.sell(a, 1, record.KindSale, 7, 100)
	k.entry(1, a)
	b, c := k.begin(place("0001", "01"), a.tip), k.begin(place("0001", "01"), a.tip)
	k.entry(1, b)
	k.entry(1, c)
	h := k.history()
	for _, v := range Check(h) {
		t.Error(v)
	}
	if n := len(h.model().oldDisks); n != 1 {
		t.Errorf("%d old disks, want the one that was started second", n)
	}
	h.Nodes[0].Incidents = nil
	if len(Fence(h)) == 0 {
		t.Error("nobody noticed it, and no law is broken")
	}
}

// Nothing more of a chain that has forked is taken, also by the laws' own fold.
func TestForkedChain(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	a := k.begin(place("0001", "01"), record.Tip{})
	k.entry(1)
	k.sell(a, 1, record.KindSale, 7, 100)
	k.entry(1, a)
	other := *a
	other.recs = slices.Clone(a.recs)
	k.sell(a, 2, record.KindSale, 7, 10)
	k.entry(3, a)
	k.sell(&other, 3, record.KindSale, 7, 20) // the same seq, on a copy
	k.entry(3, &other)
	k.sell(a, 4, record.KindSale, 7, 10)
	k.entry(4, a)
	h := k.history()
	h.Excused = map[record.RID]string{k.rid(3): "on a branch", k.rid(4): "in a chain that is closed"}
	if found := Check(h); len(found) != 2 { // the fork itself, in I12, and its incident, in I19
		t.Errorf("found %v, want the fork alone", found)
	}
	h.Meant = []string{"another record for", "does not follow"}
	for _, v := range Check(h) {
		t.Error(v)
	}
}

// Many violations of one law are counted, not all named.
func TestFindingsAreBounded(t *testing.T) {
	t.Parallel()
	h := newHistory(t)
	for range 100 {
		h.Sent = append(h.Sent, Sale{RID: record.NewRID(time.Now()), Answered: time.Now()})
	}
	found := NoLoss(h)
	if len(found) != MaxSaid+1 || found[MaxSaid].Text != "and 90 more" {
		t.Errorf("%d violations, the last is %v", len(found), found[len(found)-1])
	}
}
