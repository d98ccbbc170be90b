package laws

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"tillstream/central/books"
	"tillstream/central/books/count"
	"tillstream/kv/record"
)

// Hold is what a till has answered about points set aside, in the POS's own journal.
type Hold struct {
	ID, RID  record.RID
	Account  record.AccountID
	Points   int64
	At       Place
	Released bool // and was told that they are free again
}

// Told is what a till answered to a sale with a quote, a return of a sale or a void.
type Told struct {
	Points, Spent int64 // earned and spent, or taken back and given back
	Money         int64 // paid, or given back
	Flagged       bool
	Verified      bool // a return: held against its sale
	Given         Bill // then: what came back of each line
}

// Spending is I24: who pays with points has them. A sale that its till has kept without a word against its
// hold finds it in the books: its own basket's and shopper's, over enough, standing. It may have ended
// only where the till went on in another chain than the one that had asked: then a receipt that comes
// late can find that the books have let go. A hold is used once, and not after it was given back.
func Spending(h History) []Violation {
	f := finding{law: "I24"}
	m := h.model()
	used := map[record.RID]record.RID{}
	for i := range m.taken {
		t := &m.taken[i]
		if t.fate != books.FatePosted || t.head.Kind != record.KindSale || t.head.Spent == 0 && t.head.Hold == (record.RID{}) {
			continue
		}
		if t.stood {
			if by, ok := used[t.head.Hold]; ok {
				f.say("hold %s is used by sale %s and by sale %s", t.head.Hold, by, t.head.RID)
			}
			used[t.head.Hold] = t.head.RID
		}
		if why := t.uncovered(); why != "" && !t.kept.differs(differsHold) {
			f.say("sale %s of till %s spends %d points, %s, and its till has kept it without a word", t.head.RID, t.of, t.head.Spent, why)
		}
	}
	for _, told := range h.Holds {
		o := m.count.Holds[told.ID]
		switch {
		case o == nil:
			f.say("till %s has said that hold %s stands, and nobody has asked for it", told.At, told.ID)
		case o.Ask.RID != told.RID || o.Ask.Account != told.Account || o.Ask.Points != told.Points:
			f.say("till %s has said that hold %s has %d points for basket %s, and it has %d for %s", told.At, told.ID,
				told.Points, told.RID, o.Ask.Points, o.Ask.RID)
		case told.Released && (o.State == record.HoldUsed || o.State == record.HoldPlaced):
			f.say("till %s has said that hold %s is free again, and it is %d", told.At, told.ID, o.State)
		}
	}
	return f.all()
}

// uncovered says what is wrong with the hold of a sale that spends, as it was when the sale came.
func (t *taken) uncovered() string {
	o := t.hold
	switch {
	case t.head.Hold == record.RID{}:
		return "without a hold"
	case o == nil:
		return "by a hold that nobody has asked for"
	case o.Ask.RID != t.head.RID || o.Ask.Account != t.head.Account:
		return "by the hold of another basket or shopper"
	case o.Ask.Points < t.head.Spent:
		return fmt.Sprintf("by a hold over %d", o.Ask.Points)
	case !t.stood && o.Ask.From.Chain == t.head.Chain:
		return "by a hold that stands no more"
	}
	return ""
}

// Lots is I26: each shopper has what the count of the laws says, lot by lot, and set aside what it says. What
// has expired is taken out when its account is touched, so a history in which points expire is left to I4.
func Lots(h History) []Violation {
	f := finding{law: "I26"}
	m := h.model()
	if m.totals.Expired != 0 || len(h.Nodes) == 0 || len(h.Journal) == 0 {
		return nil
	}
	for _, n := range h.Nodes {
		for id, s := range n.Shoppers {
			want, ok := m.count.Purses[id]
			if !ok {
				want = &count.Purse{}
			}
			if s.Balance != want.Balance() || s.Debt != want.Debt || s.Held != want.Held {
				f.say("node %s, account %s: balance %d, debt %d and %d held, the count is %d, %d and %d", n.Node, id,
					s.Balance, s.Debt, s.Held, want.Balance(), want.Debt, want.Held)
			}
			if got, want := s.Expires, expires(want); got != want {
				f.say("node %s, account %s: its next lots are %v, the count is %v", n.Node, id, got, want)
			}
		}
	}
	return f.all()
}

// expires gives the lots of a purse that expire next.
func expires(p *count.Purse) (out [record.MaxExpires]record.Lot) {
	var days []uint16
	for day := range p.Lots {
		if day != count.Never {
			days = append(days, day)
		}
	}
	slices.Sort(days)
	for i, day := range days[:min(len(days), len(out))] {
		out[i] = record.Lot{Points: p.Lots[day], At: int64(day) * (24 * time.Hour).Milliseconds()}
	}
	return out
}

// unexplained gives what of the books' incidents nothing accounts for. An incident about a sale's hold, or about
// a return beyond its sale, is one that the count has too, and then it says something that no till could know:
// the sale is flagged for its hold or went on in another chain, the return met another one of the same sale.
func (h *History) unexplained() (out []string) {
	m := h.model()
	var excused map[record.RID]bool
	left := map[uint64]int{}
	for _, i := range h.first().Incidents {
		if strings.Contains(i.Text, "old disk image") || h.meant(i.Text) {
			continue
		}
		rid, ok := aboutMoney(i.Text)
		if !ok || h.Sent == nil {
			out = append(out, fmt.Sprintf("entry %d: incident: %s", i.Entry, i.Text))
			continue
		}
		left[i.Entry]++
		if excused == nil {
			excused = h.noTillCouldKnow()
		}
		if !excused[rid] {
			out = append(out, fmt.Sprintf("entry %d: incident that a till could have known of: %s", i.Entry, i.Text))
		}
	}
	if h.Sent == nil || len(h.Nodes) == 0 {
		return out
	}
	for entry, n := range m.incidents {
		left[entry] -= n
	}
	for entry, n := range left {
		if n != 0 && len(h.Meant) == 0 {
			out = append(out, fmt.Sprintf("entry %d has %d incidents about points more than the count", entry, n))
		}
	}
	return out
}

// aboutMoney reads which sale or return an incident is about.
func aboutMoney(text string) (rid record.RID, ok bool) {
	for _, word := range [...]string{": sale ", "return "} {
		_, rest, found := strings.Cut(text, word)
		if found && len(rest) >= 36 {
			if rid, err := record.ParseRID(rest[:36]); err == nil {
				return rid, true
			}
		}
	}
	return rid, false
}

// noTillCouldKnow gives the sales and returns about which the books may have something to say.
func (h *History) noTillCouldKnow() map[record.RID]bool {
	out := map[record.RID]bool{}
	for i := range h.model().taken {
		t := &h.model().taken[i]
		if t.head.Kind == record.KindSale && (t.kept.differs(differsHold) || t.hold != nil && !t.stood && t.hold.Ask.From.Chain != t.head.Chain) {
			out[t.head.RID] = true
		}
	}
	for _, d := range h.deals() {
		for _, r := range d.backs {
			for _, o := range d.backs {
				if !r.verified() || o != r && (!o.verified() || !r.knew(o)) {
					out[r.rid] = true
				}
			}
		}
	}
	return out
}

// sentAs gives that of a receipt's sales which the record is, and the hash of its body as it was sent. None of them
// is it: any, at its till if there is one.
func (t *taken) sentAs(of []*Sale) (s *Sale, body record.Hash) {
	if body = t.head.Body; t.kept != nil {
		body = t.kept.Sent
	}
	for _, fits := range [...]func(*Sale) bool{
		func(s *Sale) bool { return s.At == t.of && s.Body == body },
		func(s *Sale) bool { return s.Body == body },
		func(s *Sale) bool { return s.At == t.of },
	} {
		if i := slices.IndexFunc(of, fits); i >= 0 {
			return of[i], body
		}
	}
	return of[0], body
}

// notAsSent says in what a sale with a quote, or a return of a sale, is not what the POS sent and its till said.
func (t *taken) notAsSent(s *Sale) string {
	h := &t.head
	switch {
	case h.Of != s.Of:
		return fmt.Sprintf("it names sale %s, and was sent with %s", h.Of, s.Of)
	case s.Of != (record.RID{}) && t.kept == nil: // what its lines would earn
		if h.Account != s.Account || h.Points != s.Points {
			return fmt.Sprintf("it takes %d points back from %s, want %d from %s", h.Points, h.Account, s.Points, s.Account)
		}
	case h.Account != s.Account:
		return fmt.Sprintf("it is of account %s, want %s", h.Account, s.Account)
	case s.Of != (record.RID{}): // I25
	case h.Spent != s.Spent:
		return fmt.Sprintf("it spends %d points, and was paid with %d", h.Spent, s.Spent)
	case h.Hold != s.Hold:
		return fmt.Sprintf("it uses hold %s, and was sent with %s", h.Hold, s.Hold)
	case t.kept.differs(differsDigest) && s.Fact: // it goes by other rules, and says so
	case h.Points != s.Points || t.kept == nil || !t.kept.Bill.same(s.Bill):
		return fmt.Sprintf("it earns %d points, want %d, for other lines than its till has quoted", h.Points, s.Points)
	}
	if d := s.Told; d != nil && s.Disk >= 0 && (h.Points != d.Points || h.Spent != d.Spent) {
		return fmt.Sprintf("it moves %d points and %d, and its till has said %d and %d", h.Points, h.Spent, d.Points, d.Spent)
	}
	return ""
}
