package books

import "tillstream/kv/record"

// rids remembers which receipts have been posted, for at least keepDays after the posting or its
// last repeat (by the journal's time, never by the rid's own, which a wrong clock may have drawn). They
// lie in the order in which they came; forgetting is dropping what lies first. Nothing that lies there is
// ever changed, so a snapshot may read it while more come.
type rids struct {
	index index
	slabs []*[ridSlab]record.RID // of the rids from first on
	first uint32                 // number of the first rid of the first slab; numbers wrap around
	begin uint32                 // number of the first rid that is remembered
	next  uint32                 // number of the next
	days  []ridDays              // oldest first
	sweep int                    // part of the index to be cleaned next
}

// ridDays says which rids came on some days.
type ridDays struct {
	day   int64  // on which they begin
	begin uint32 // number of the first
}

const (
	keepDays = 45
	partDays = 5
	ridSlab  = 4096
)

func newRids() rids { return rids{index: newIndex()} }

// len is how many are remembered.
func (r *rids) len() int { return int(r.next - r.begin) }

func (r *rids) at(number uint32) *record.RID {
	i := number - r.first
	return &r.slabs[i/ridSlab][i%ridSlab]
}

// remembered reports whether a number is of a rid that is not forgotten.
func (r *rids) remembered(number uint32) bool { return number-r.begin < r.next-r.begin }

func (r *rids) find(rid *record.RID) bool {
	_, ok := r.index.find(r.index.hash((*[16]byte)(rid)), r.is(rid))
	return ok
}

func (r *rids) is(rid *record.RID) func(uint32) bool {
	return func(n uint32) bool { return r.remembered(n) && *r.at(n) == *rid }
}

// add remembers a rid from now on, and reports whether it was remembered before.
func (r *rids) add(rid *record.RID, at int64) (known bool) {
	day := at / dayMS
	if n := len(r.days); n == 0 || day >= r.days[n-1].day+partDays {
		r.days = append(r.days, ridDays{day - day%partDays, r.next})
	}
	return r.push(rid)
}

func (r *rids) push(rid *record.RID) (known bool) {
	hash := r.index.hash((*[16]byte)(rid))
	known = r.index.put(hash, r.next, r.is(rid))
	i := r.next - r.first
	if int(i/ridSlab) == len(r.slabs) {
		r.slabs = append(r.slabs, new([ridSlab]record.RID))
	}
	r.slabs[i/ridSlab][i%ridSlab] = *rid
	r.next++
	return known
}

// forget drops the rids of the days that ended more than keepDays before at. The index is cleaned of them
// a part at a time: all at once would hold up the fold.
func (r *rids) forget(at int64) {
	day := at / dayMS
	for len(r.days) > 0 && r.days[0].day+partDays+keepDays < day {
		r.days = r.days[1:]
		r.begin, r.sweep = r.next, indexParts
		if len(r.days) > 0 {
			r.begin = r.days[0].begin
		}
		drop := (r.begin - r.first) / ridSlab
		r.slabs = append([]*[ridSlab]record.RID(nil), r.slabs[drop:]...) // or they would live on under the slice
		r.first += drop * ridSlab
	}
	if r.sweep > 0 {
		r.sweep--
		r.index.forget(r.sweep, r.remembered)
	}
}
