package books

import "tillstream/kv/record"

// place is where a receipt was posted from.
type place struct {
	chain uint32 // index into Books.chains
	seq   uint32
}

// rids remembers which receipts have been posted, for at least keepDays after the posting or its
// last repeat (by the journal's time, never by the rid's own, which a wrong clock may have drawn). It is kept in parts of
// partDays, so that forgetting is dropping a map.
type rids struct {
	parts []ridPart // oldest first
}

type ridPart struct {
	first int64 // day on which it begins
	rids  map[record.RID]place
}

const (
	keepDays = 45
	partDays = 5
)

func (r *rids) find(rid record.RID) (place, bool) {
	for i := len(r.parts) - 1; i >= 0; i-- {
		if p, ok := r.parts[i].rids[rid]; ok {
			return p, true
		}
	}
	return place{}, false
}

func (r *rids) add(rid record.RID, p place, at int64) {
	day := at / dayMS
	if n := len(r.parts); n == 0 || day >= r.parts[n-1].first+partDays {
		r.parts = append(r.parts, ridPart{day - day%partDays, map[record.RID]place{}})
	}
	r.parts[len(r.parts)-1].rids[rid] = p
}

// forget drops the parts that ended more than keepDays before at.
func (r *rids) forget(at int64) {
	day := at / dayMS
	for len(r.parts) > 0 && r.parts[0].first+partDays+keepDays < day {
		r.parts[0] = ridPart{} // or the map would live on under the slice
		r.parts = r.parts[1:]
	}
}
