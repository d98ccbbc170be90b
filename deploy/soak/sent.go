package soak

import (
	"encoding/json"
	"sync"
	"time"

	"tillstream/deploy/laws"
	"tillstream/kv/record"
)

// sent is the POS terminals' own journal: what they sent, and what tills answered. It knows nothing that
// the system under test has said but that.
type sent struct {
	mu     sync.Mutex
	byTill map[laws.Place][]*sale // guarded by mu; in the order in which they were first sent
	n      map[laws.Place]int     // guarded by mu; how many of them are answered
	no     int                    // guarded by mu; how many were refused, as they may be
	holds  []*laws.Hold           // guarded by mu; that tills have said to stand
	late   map[laws.Place][]*sale // guarded by mu; the last that were answered, with their bodies
}

// remembered is how many receipts a POS could send again.
const remembered = 60

// sale is a Sale under way.
type sale struct {
	laws.Sale
	before   []laws.Sale // as it was sent before, with another quote
	refused  bool
	deal     *deal // that it is or gives back from; nil: neither
	try      *try
	asked    time.Time // when the post began that was answered last
	customer string
	path     string
	body     []byte // until it is too old to be sent again
	disk     int64  // of its till, when it answered last; -1: it was being replaced
}

func newSent() *sent {
	return &sent{byTill: map[laws.Place][]*sale{}, n: map[laws.Place]int{}, late: map[laws.Place][]*sale{}}
}

// send notes a receipt before it is sent for the first time.
func (s *sent) send(x *sale) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byTill[x.At] = append(s.byTill[x.At], x)
}

// change notes that a receipt is sent with other bytes from now on.
func (s *sent) change(x *sale, do func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if x.Body != (record.Hash{}) {
		x.before = append(x.before, x.Sale)
	}
	do()
}

// paper is what is on paper of a receipt: the document as it was sent last, as far as it is remembered; on which of its
// till's disks it is; and whether it was sent otherwise before.
func (s *sent) paper(x *sale) (doc document, known bool, disk int64, changed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	known = json.Unmarshal(x.body, &doc) == nil
	return doc, known, x.disk, len(x.before) > 0
}

// refuse notes that a till does not take it, and may not.
func (s *sent) refuse(x *sale) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if x.Answered.IsZero() && !x.refused {
		x.refused = true
		s.no++
	}
}

// told notes what a till answered about a receipt.
func (s *sent) told(x *sale, t *laws.Told) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x.Told = t
}

// hold notes that a till has said that points are set aside.
func (s *sent) hold(h *laws.Hold) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.holds = append(s.holds, h)
}

// freed notes that it has said that they are free again.
func (s *sent) freed(h *laws.Hold) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h.Released = true
}

// held gives all holds.
func (s *sent) held() (out []laws.Hold) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range s.holds {
		out = append(out, *h)
	}
	return out
}

// answered notes that a till has it, for the first time or once more.
func (s *sent) answered(x *sale, asked, at time.Time, disk int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if x.Answered.IsZero() {
		s.n[x.At]++
		if x.refused { // a repeat of it was not
			x.refused = false
			s.no--
		}
		s.late[x.At] = append(s.late[x.At], x)
		if late := s.late[x.At]; len(late) > remembered {
			late[0].body = nil
			s.late[x.At] = late[1:]
		}
	}
	x.asked, x.Answered, x.disk = asked, at, disk
	if x.Disk != disk {
		x.Disk = -1
	}
}

// resale is a receipt that is sent again.
type resale struct {
	*sale
	bytes []byte // its body
}

// lately gives the last receipts that a till has answered, at most so many.
func (s *sent) lately(p laws.Place, most int) (out []resale) {
	s.mu.Lock()
	defer s.mu.Unlock()
	late := s.late[p]
	for _, x := range late[max(0, len(late)-most):] {
		out = append(out, resale{x, x.body})
	}
	return out
}

// answeredAt is how many receipts a till has answered, or all tills of a store if no till is named.
func (s *sent) answeredAt(at laws.Place) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for p, k := range s.n {
		if p == at || at.Till.IsZero() && p.Store == at.Store {
			n += k
		}
	}
	return n
}

// answeredOn gives what a till has answered.
func (s *sent) answeredOn(p laws.Place) []sale {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []sale
	for _, x := range s.byTill[p] {
		if !x.Answered.IsZero() {
			out = append(out, *x)
		}
	}
	return out
}

// totals is how many receipts were sent that were not refused, and how many of them are answered.
func (s *sent) totals() (all, answered int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for p, list := range s.byTill {
		all += len(list)
		answered += s.n[p]
	}
	return all - s.no, answered
}

// asked gives when the posts began that were answered last.
func (s *sent) asked() map[record.RID]time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[record.RID]time.Time{}
	for _, list := range s.byTill {
		for _, x := range list {
			out[x.RID] = x.asked
		}
	}
	return out
}

// sales gives all.
func (s *sent) sales() []laws.Sale {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []laws.Sale
	for _, list := range s.byTill {
		for _, x := range list {
			out = append(append(out, x.before...), x.Sale)
		}
	}
	return out
}

// customers gives who has shopped and been answered, and their accounts.
func (s *sent) customers() map[string]record.AccountID {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]record.AccountID{}
	for _, list := range s.byTill {
		for _, x := range list {
			if x.customer != "" && !x.Answered.IsZero() {
				out[x.customer] = x.Account
			}
		}
	}
	return out
}
