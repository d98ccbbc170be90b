package books

import (
	"sort"

	"tillstream/kv/record"
)

// rids remembers which receipts have been posted, for at least keepDays after the posting or its
// last repeat (by the journal's time, never by the rid's own, which a wrong clock may have drawn). They
// lie in the order in which they came; forgetting is dropping what lies first. Nothing that lies there is
// ever changed, so a snapshot may read it while more come.
type rids struct {
	index  index
	slabs  []*[ridSlab]record.RID // of the rids from first on
	solds  []*[ridSlab]sold       // of the same
	first  uint32                 // number of the first rid of the first slab; numbers wrap around
	begin  uint32                 // number of the first rid that is remembered
	next   uint32                 // number of the next
	days   []ridDays              // oldest first
	blocks []block                // likewise
	sweep  int                    // part of the index to be cleaned next
}

// sold is what is remembered of a receipt beside its rid. It is written with its rid, and never after.
type sold struct {
	account uint32 // number plus one of who earned; zero: nobody; notSale
	earned  uint32 // earnedMuch: see its deal
}

const (
	notSale    = 1 << 31
	earnedMuch = 1<<32 - 1
)

// block says of some rids that follow each other where their records lie: they came with its entry or a later
// one, up to that of the next block; and which lot their points went to.
type block struct {
	entry uint64
	begin uint32 // number of its first
	lot   uint16
}

const blockRids = 64

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
	_, ok := r.number(rid)
	return ok
}

// number gives that of a rid which is remembered.
func (r *rids) number(rid *record.RID) (uint32, bool) {
	return r.index.find(r.index.hash((*[16]byte)(rid)), r.is(rid))
}

func (r *rids) sold(number uint32) *sold {
	i := number - r.first
	return &r.solds[i/ridSlab][i%ridSlab]
}

// block gives the block of a rid that is remembered, and the entry with which the next one begins: zero if
// there is none.
func (r *rids) block(number uint32) (bl block, next uint64) {
	i := sort.Search(len(r.blocks), func(i int) bool { return int32(r.blocks[i].begin-number) > 0 })
	if i < len(r.blocks) {
		next = r.blocks[i].entry
	}
	return r.blocks[i-1], next
}

func (r *rids) is(rid *record.RID) func(uint32) bool {
	return func(n uint32) bool { return r.remembered(n) && *r.at(n) == *rid }
}

// add remembers a rid from now on, and gives its number. A rid that was remembered before gets another one,
// and known says so: before is the one it had.
func (r *rids) add(rid *record.RID, at int64, bl block) (number, before uint32, known bool) {
	day := at / dayMS
	if n := len(r.days); n == 0 || day >= r.days[n-1].day+partDays {
		r.days = append(r.days, ridDays{day - day%partDays, r.next})
	}
	if n := len(r.blocks); n == 0 || r.next-r.blocks[n-1].begin >= blockRids || r.blocks[n-1].lot != bl.lot {
		bl.begin = r.next
		r.blocks = append(r.blocks, bl)
	}
	return r.push(rid)
}

func (r *rids) push(rid *record.RID) (number, before uint32, known bool) {
	hash := r.index.hash((*[16]byte)(rid))
	before, known = r.index.put(hash, r.next, r.is(rid))
	number = r.next
	i := number - r.first
	if int(i/ridSlab) == len(r.slabs) {
		r.slabs, r.solds = append(r.slabs, new([ridSlab]record.RID)), append(r.solds, new([ridSlab]sold))
	}
	r.slabs[i/ridSlab][i%ridSlab] = *rid
	r.next++
	return number, before, known
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
		r.solds = append([]*[ridSlab]sold(nil), r.solds[drop:]...)
		old := sort.Search(len(r.blocks), func(i int) bool { return int32(r.blocks[i].begin-r.begin) > 0 })
		r.blocks = append([]block(nil), r.blocks[max(old-1, 0):]...)
		r.first += drop * ridSlab
	}
	if r.sweep > 0 {
		r.sweep--
		r.index.forget(r.sweep, r.remembered)
	}
}
