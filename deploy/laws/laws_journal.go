package laws

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"tillstream/central/books"
	"tillstream/central/fold"
	"tillstream/kv/record"
)

// Chains is I12: the journal is one chain of entries, whose generation changes only with an empty entry that
// begins a term and names the one it ends; what each till's chain holds is
// contiguous and linked by hash, and nothing forked. (The model takes only what follows.)
func Chains(h History) []Violation {
	f := finding{law: "I12"}
	var prev record.Hash
	for i := range h.Journal {
		e := &h.Journal[i]
		if e.Number != uint64(i)+1 || e.Prev != prev {
			f.say("entry %d in message %d does not follow entry %d", e.Number, e.Stream, i)
		}
		if i > 0 {
			before := h.Journal[i-1].Generation
			begins := e.Ends == before && e.Ends != e.Generation && e.Term == e.Number && len(e.Packs)+len(e.Commands) == 0
			if e.Generation != before && !begins {
				f.say("entry %d is of another generation", e.Number)
			}
		}
		prev = e.Hash
	}
	m := h.model()
	for _, text := range m.forks {
		if !h.meant(text) {
			f.say("%s", text)
		}
	}
	last := map[record.ChainID]uint64{}
	for _, t := range h.first().Fates { // in the order of chain and seq
		if t.Seq != last[t.Chain]+1 {
			f.say("in the books chain %s goes from seq %d to %d", t.Chain, last[t.Chain], t.Seq)
		}
		last[t.Chain] = t.Seq
	}
	for id, c := range m.chains {
		if held := uint64(len(c.hashes)); len(h.Nodes) > 0 && last[id] != held {
			f.say("the books hold chain %s of till %s up to seq %d, the journal up to %d", id, c.of, last[id], held)
		}
	}
	return f.all()
}

// Fence is I13. What an epoch of a till is elsewhere is here its chain, and a new process begins a new
// one; so what is fenced is the writer: in a term, which begins with an empty entry of its number, nobody
// of an earlier term gets an entry in. And a till whose disk was put back behind what is held of its last
// chain is an incident with its first record.
func Fence(h History) []Violation {
	f := finding{law: "I13"}
	var term uint64
	var at int64
	for i := range h.Journal {
		e := &h.Journal[i]
		switch {
		case e.Term < term:
			f.say("entry %d is of term %d, after term %d", e.Number, e.Term, term)
		case e.Term > term && (e.Term != e.Number || len(e.Packs)+len(e.Commands) > 0):
			f.say("entry %d begins term %d with %d packs, want an empty entry and its number", e.Number, e.Term, len(e.Packs))
		case e.At < at:
			f.say("entry %d: time goes back by %d ms", e.Number, at-e.At)
		}
		term, at = e.Term, e.At
	}
	if len(h.Nodes) == 0 {
		return f.all()
	}
	noticed := map[uint64]int{}
	for _, i := range h.first().Incidents {
		if strings.Contains(i.Text, "old disk image") {
			noticed[i.Entry]++
		}
	}
	for _, e := range h.model().oldDisks {
		if noticed[e]--; noticed[e] < 0 {
			f.say("entry %d begins a chain on a disk that had been put back, and no incident says so", e)
		}
	}
	for e, n := range noticed {
		if n > 0 {
			f.say("%d incidents of entry %d tell of an old disk, and there was none", n, e)
		}
	}
	return f.all()
}

// Determinism is I14: the nodes, of which one may have been made again from nothing, and a fold of the
// journal by no node at all.
func Determinism(h History) []Violation {
	f := finding{law: "I14"}
	for i := range h.Nodes {
		n, one := &h.Nodes[i], &h.Nodes[0]
		if n.Entry != one.Entry || n.Hash != one.Hash || n.Generation != one.Generation {
			f.say("node %s is at entry %d (%s), node %s at entry %d (%s)", n.Node, n.Entry, n.Hash, one.Node, one.Entry, one.Hash)
			continue
		}
		if n.Digest != one.Digest || n.Totals != one.Totals || n.Accounts != one.Accounts {
			f.say("nodes %s and %s differ at entry %d: digest %s and %s", n.Node, one.Node, n.Entry, n.Digest, one.Digest)
		}
		if n.Rows != one.Rows {
			f.say("the histories of nodes %s and %s differ at entry %d", n.Node, one.Node, n.Entry)
		}
	}
	if len(h.Nodes) == 0 || len(h.Journal) == 0 {
		return f.all()
	}
	b := books.New()
	for i := range h.Journal {
		b.Apply(h.Journal[i].entry(), &fold.Effects{})
	}
	if one := h.first(); uint64(len(h.Journal)) == one.Entry && b.Digest() != one.Digest {
		f.say("node %s has digest %s at entry %d, the journal gives %s", one.Node, one.Digest, one.Entry, b.Digest())
	}
	return f.all()
}

// entry is the entry as a fold takes it, made again from its records.
func (e *Entry) entry() *fold.Entry {
	out := &fold.Entry{Generation: e.Generation, Ends: e.Ends, Number: e.Number, Term: e.Term, At: e.At, Prev: e.Prev}
	for i := 0; i <= len(e.Packs); i++ {
		for _, c := range e.Commands {
			if c.Behind == i {
				out.Proposals = append(out.Proposals, fold.Proposal{Head: c.Head})
			}
		}
		if i < len(e.Packs) {
			p := e.Packs[i].Proposal()
			out.Proposals = append(out.Proposals, fold.Proposal{Head: p.Head})
		}
	}
	return out
}

// permutations is how many other orders Commutation tries.
const permutations = 3

// Commutation is I15: the records that arrived, in an order that keeps that of each chain and no other,
// one to an entry, give the same sums, and each account the same worth: its balance and what is held, less its debt.
// (The digest holds when an account changed last, so it is that of the order; the number of incidents is too.
// Holds are not placed then: what their sales spend is the same, where it comes from is not. Points that expire
// are left out: which do, the order says.)
func Commutation(h History) []Violation {
	f := finding{law: "I15"}
	m := h.model()
	want := timeless(m.totals)
	if want.Expired != 0 {
		return nil
	}
	for seed := range uint64(permutations) {
		b := books.New()
		for i, t := range shuffled(m.taken, seed) {
			b.Apply(t.alone(uint64(i)+1, h.Journal[0].At), &fold.Effects{})
		}
		if got := timeless(b.Totals()); got != want {
			f.say("in order %d the totals are %+v, want %+v", seed, got, want)
		}
		for id, a := range m.count.Purses {
			if s, _ := b.Shopper(id); s.Balance+s.Held-s.Debt != a.Balance()+a.Held-a.Debt {
				f.say("in order %d account %s has balance %d and debt %d, want %d and %d, with %d held", seed, id, s.Balance, s.Debt, a.Balance(), a.Debt, a.Held)
			}
		}
	}
	return f.all()
}

// timeless are totals without what the order decides: where points lie, and who a return was posted to at once.
func timeless(t books.Totals) books.Totals {
	t.Shopper, t.Debt, t.Held = t.Shopper+t.Debt+t.Held, 0, 0
	t.Transactions, t.Anonymous, t.Moves, t.Incidents = t.Transactions+t.Anonymous, 0, 0, 0
	return t
}

// alone is an entry of one record.
func (t *taken) alone(number uint64, at int64) *fold.Entry {
	p := books.Pack{Store: t.of.Store, Runs: [][]record.Receipt{{{Header: t.head, Data: t.start}}}}
	return &fold.Entry{Number: number, At: at, Proposals: []fold.Proposal{{Head: p.Proposal().Head}}}
}

// shuffled merges the chains in another order. A receipt that came again with other numbers, because its till had
// lost its disk in between, does so behind the one that is posted: which of the two counts, the order does say.
func shuffled(all []taken, seed uint64) []*taken {
	chains := map[record.ChainID][]*taken{}
	var turns []record.ChainID
	for i := range all {
		id := all[i].head.Chain
		chains[id] = append(chains[id], &all[i])
		turns = append(turns, id)
	}
	r := rand.New(rand.NewPCG(seed, 0x736f616b))
	r.Shuffle(len(turns), func(i, k int) { turns[i], turns[k] = turns[k], turns[i] })
	out := make([]*taken, 0, len(turns))
	behind, done := others(all), map[record.RID]bool{}
	for len(turns) > 0 {
		i := len(turns) - 1 // from the end: nothing has to move up
		for behind[chains[turns[i]][0]] && !done[chains[turns[i]][0].head.RID] {
			i--
		}
		t := chains[turns[i]][0]
		chains[turns[i]] = chains[turns[i]][1:]
		turns = slices.Delete(turns, i, i+1)
		done[t.head.RID] = true
		out = append(out, t)
	}
	return out
}

// others gives the repeats that say otherwise than what they repeat.
func others(all []taken) map[*taken]bool {
	first, out := map[record.RID]*taken{}, map[*taken]bool{}
	for i := range all {
		t := &all[i]
		was := first[t.head.RID]
		switch {
		case t.fate == books.FatePosted:
			first[t.head.RID] = t
		case t.fate == books.FateRepeat && was != nil:
			a, b := t.head, was.head
			a.Chain, a.Seq, a.Prev, a.Body, a.BodySize, a.At, a.Day, a.Rules = b.Chain, b.Seq, b.Prev, b.Body, b.BodySize, b.At, b.Day, b.Rules
			out[t] = a != b
		}
	}
	return out
}

// Accounted is I19: nothing that arrived is without a fate, none has another than the journal gives it,
// and no chain is shut out.
func Accounted(h History) []Violation {
	f := finding{law: "I19"}
	if len(h.Nodes) == 0 {
		return nil
	}
	type at struct {
		chain record.ChainID
		seq   uint64
	}
	fates := make(map[at]Fate, len(h.first().Fates))
	for _, t := range h.first().Fates {
		fates[at{t.Chain, t.Seq}] = t
	}
	m := h.model()
	for _, t := range m.taken {
		k := at{t.head.Chain, t.head.Seq}
		got, ok := fates[k]
		if !ok {
			f.say("seq %d of chain %s of till %s arrived in entry %d and has no fate", k.seq, k.chain, t.of, t.entry)
			continue
		}
		if got.Fate != t.fate || got.Entry != t.entry || got.RID != t.head.RID {
			f.say("seq %d of chain %s of till %s: fate %d in entry %d, want %d in entry %d", k.seq, k.chain, t.of, got.Fate, got.Entry, t.fate, t.entry)
		}
		delete(fates, k)
	}
	for k := range fates {
		f.say("seq %d of chain %s has a fate and never arrived", k.seq, k.chain)
	}
	for _, text := range h.unexplained() {
		f.say("%s", text)
	}
	return f.all()
}

// Isolation is I20, as far as the journal shows it: every record came from the store whose till began its
// chain, and from the till at which it was sold.
func Isolation(h History) []Violation {
	f := finding{law: "I20"}
	m := h.model()
	for _, text := range m.foreign {
		if !h.meant(text) {
			f.say("%s", text)
		}
	}
	sent := h.sentAs()
	for _, t := range m.taken {
		of := sent[t.head.RID]
		if len(of) > 0 && !slices.ContainsFunc(of, func(s *Sale) bool { return s.At == t.of }) {
			f.say("receipt %s was sold at till %s and came from till %s", t.head.RID, of[0].At, t.of)
		}
	}
	return f.all()
}

// Summary says what a history holds, for a person.
func Summary(h History) string {
	m := h.model()
	var terms int
	for i := range h.Journal {
		if h.Journal[i].Term == h.Journal[i].Number {
			terms++
		}
	}
	return fmt.Sprintf("journal: %d entries in %d terms, %d chains; %d receipts posted, %d repeats, %d runs came with a gap and %d records again; %d old disks noticed",
		len(h.Journal), terms, len(m.chains), m.totals.Posted, m.totals.Repeats, m.gaps, m.again, len(m.oldDisks))
}
