package laws

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"tillstream/central/books"
	"tillstream/kv/record"
)

// Moment is how long after a return was posted another till may still not know of it: a store asks the nearest
// node of the centre, which may have been frozen, cut off or just started.
const Moment = 15 * time.Second

// deal is a sale with a quote, and what was given back of it.
type deal struct {
	bill  Bill
	sale  *Sale // that a till answered
	backs []*back
}

// back is a return or void of a sale.
type back struct {
	rid    record.RID
	sale   *Sale
	posted *taken // nil: it never came
}

func (r *back) verified() bool {
	return r.posted == nil || r.posted.kept != nil && r.posted.kept.Given != nil
}

func (r *back) void() bool { return r.sale.Kind == record.KindVoid }

// lines is what came back: as it was posted, as its till answered, or as it was asked for.
func (r *back) lines() (map[string]int64, bool) {
	given := Bill(nil)
	switch {
	case r.posted != nil && r.posted.kept != nil:
		given = r.posted.kept.Given
	case r.sale.Told != nil:
		given = r.sale.Told.Given
	}
	if given == nil {
		return r.sale.Back, r.sale.Back != nil
	}
	out := map[string]int64{}
	for id, l := range given {
		out[id] = l.Quantity
	}
	return out, true
}

func (r *back) points() (taken, given int64) {
	switch {
	case r.posted != nil:
		return r.posted.head.Points, r.posted.head.Spent
	case r.sale.Told != nil:
		return r.sale.Told.Points, r.sale.Told.Spent
	}
	return r.sale.Points, 0
}

// knew reports whether the till of r knew of o for certain: it had kept it on the same disk, or the centre had
// posted it for longer than a moment and was asked.
func (r *back) knew(o *back) bool {
	s := o.sale
	if s.At == r.sale.At && s.Disk >= 0 && s.Disk == r.sale.Disk && !s.Answered.IsZero() && s.Answered.Before(r.sale.Asked) {
		return true
	}
	asked := r.posted == nil || !r.posted.kept.differs(differsElsewhere)
	return asked && o.posted != nil && time.UnixMilli(o.posted.at).Add(Moment).Before(r.sale.Asked)
}

// deals gives the sales of which something has come back.
func (h *History) deals() map[record.RID]*deal {
	if h.dealt != nil {
		return h.dealt
	}
	out := map[record.RID]*deal{}
	backs := map[record.RID]*back{}
	for i := range h.Sent {
		s := &h.Sent[i]
		if s.Of == (record.RID{}) || backs[s.RID] != nil && (!s.Answered.IsZero() == !backs[s.RID].sale.Answered.IsZero()) {
			continue
		}
		if backs[s.RID] == nil {
			if out[s.Of] == nil {
				out[s.Of] = &deal{}
			}
			backs[s.RID] = &back{rid: s.RID}
			out[s.Of].backs = append(out[s.Of].backs, backs[s.RID])
		}
		backs[s.RID].sale = s
	}
	m := h.model()
	for i := range m.taken {
		if t := &m.taken[i]; t.fate == books.FatePosted {
			if r := backs[t.head.RID]; r != nil {
				r.posted = t
			}
			if d := out[t.head.RID]; d != nil && t.kept != nil {
				d.bill = t.kept.Bill
			}
		}
	}
	for i := range h.Sent { // the sale was lost with a disk: what its till had said of it
		s := &h.Sent[i]
		if d := out[s.RID]; d != nil && !s.Answered.IsZero() && s.Bill != nil {
			if d.sale = s; d.bill == nil {
				d.bill = s.Bill
			}
		}
	}
	h.dealt = out
	return out
}

// GivenBack is I25: what a return that was held against its sale gives back of a line is that line's share, of
// money, discounts and points, behind all that its till knew to have come back before; so a line that comes back in
// parts comes back to the minor unit, and never more of it than was sold. What a till must know is what it
// kept itself, on the disk that it has, and what the centre had posted a moment before, unless the till says
// that it could not ask. What another till gives back within that moment it need not know: that is how the
// same piece can be given back for money twice. (Points it cannot, see I11.) A return that was not held against
// its sale names it, gives no points back, and is not of a sale that lies on the till's own disk.
func GivenBack(h History) []Violation {
	f := finding{law: "I25"}
	for of, d := range h.deals() {
		for _, r := range d.backs {
			switch {
			case r.posted == nil:
			case r.posted.head.Of != of:
				f.say("return %s names sale %s, and was sent as one of %s", r.rid, r.posted.head.Of, of)
			case r.verified():
				if why := d.wrong(r); why != "" {
					f.say("return %s at till %s of sale %s: %s", r.rid, r.posted.of, of, why)
				}
			default:
				if why := d.unverified(r); why != "" {
					f.say("return %s at till %s of sale %s: %s", r.rid, r.posted.of, of, why)
				}
			}
		}
	}
	return f.all()
}

func (d *deal) unverified(r *back) string {
	s := d.sale
	switch {
	case r.posted.head.Spent != 0 || r.posted.head.Rearm:
		return "it gives points back, and its till did not know what was spent"
	case s != nil && s.At == r.sale.At && s.Disk >= 0 && s.Disk == r.sale.Disk && s.Answered.Before(r.sale.Asked):
		return "its till did not know the sale, which it had kept itself"
	}
	return ""
}

// mostOthers bounds the returns of a sale whose sets are tried.
const mostOthers = 10

// wrong says what is wrong with a return that was held against its sale: there is no set of the others, with all
// that its till must have known, behind which it gives back what it does.
func (d *deal) wrong(r *back) string {
	if d.bill == nil {
		return "" // the sale is not known: it was sold without a quote
	}
	var must, may []*back
	for _, o := range d.backs {
		switch {
		case o == r:
		case r.knew(o):
			must = append(must, o)
		default:
			may = append(may, o)
		}
	}
	if len(may) > mostOthers {
		return fmt.Sprintf("%d others are of the same sale: too many to try", len(may))
	}
	why := ""
	for set := range 1 << len(may) {
		known := slices.Clone(must)
		for i, o := range may {
			if set&(1<<i) != 0 {
				known = append(known, o)
			}
		}
		text := d.behind(r, known)
		if text == "" {
			return ""
		}
		if why == "" { // behind what it must have known
			why = text
		}
	}
	return fmt.Sprintf("%s (behind %d returns that its till must have known and any of %d others)", why, len(must), len(may))
}

// behind says what is wrong with a return if its till knew just these others.
func (d *deal) behind(r *back, known []*back) string {
	before := map[string]int64{}
	var earned, spent int64
	for _, o := range known {
		if o.void() {
			return fmt.Sprintf("the sale is void by %s", o.rid)
		}
		lines, ok := o.lines()
		if !ok {
			return ""
		}
		for id, n := range lines {
			before[id] = min(before[id]+n, d.bill[id].Quantity)
		}
		taken, given := o.points()
		earned, spent = earned+taken, spent+given
	}
	given := r.posted.kept.Given
	var taken, back, allEarned, allSpent int64
	whole := true
	for _, id := range slices.Sorted(maps.Keys(d.bill)) {
		line, now := d.bill[id], given[id]
		left := line.Quantity - before[id]
		allEarned, allSpent = allEarned+line.Earned, allSpent+line.Spent
		whole = whole && now.Quantity == left
		switch {
		case now.Quantity > left:
			return fmt.Sprintf("%d thousandths of line %s come back and %d were left", now.Quantity, id, left)
		case now.Quantity == 0:
			continue
		}
		if want := line.share(before[id], now.Quantity); !now.same(want) {
			return fmt.Sprintf("line %s gives back %+v, want %+v", id, now, want)
		}
		taken, back = taken+now.Earned, back+now.Spent
	}
	if r.void() && !whole {
		return "it is void, and something is left"
	}
	for id := range given {
		if _, ok := d.bill[id]; !ok {
			return fmt.Sprintf("line %s comes back, which the sale has not", id)
		}
	}
	if whole { // who brings the last settles what others took or gave otherwise
		taken, back = allEarned-earned, allSpent-spent
	}
	taken, back = max(min(taken, allEarned-earned), 0), max(min(back, allSpent-spent), 0)
	if h := &r.posted.head; h.Points != taken || h.Spent != back {
		return fmt.Sprintf("it takes %d points back and gives %d back, want %d and %d", h.Points, h.Spent, taken, back)
	}
	return ""
}
