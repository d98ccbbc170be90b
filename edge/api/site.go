package api

import (
	"context"
	"errors"
	"sync"
	"time"

	"tillstream/kv/record"
	"tillstream/subjects"
)

// staysFor is how long a shopper counts as at the till after the last word of the POS about them, their receipt too:
// they pack their bags.
const staysFor = 120 * time.Second

// site knows which shopper is at this till now. Words are look-ups, scans of cards, quotes, holds and receipts; none
// of training, and none at headquarters, which has no till.
type site struct {
	off   bool
	now   func() time.Time
	moved chan struct{} // of one: who is here may have changed

	mu      sync.Mutex
	account record.AccountID // guarded by mu; zero: nobody
	rid     record.RID       // guarded by mu: of their basket; zero: none yet
	word    time.Time        // guarded by mu: the last
}

func newSite(store subjects.StoreID, now func() time.Time) *site {
	return &site{off: store == subjects.Headquarters, now: now, moved: make(chan struct{}, 1)}
}

// Shopper gives the shopper who is at this till. Zero: nobody.
func (a *API) Shopper() record.AccountID { return a.site.shopper() }

// Moved is sent to when somebody else may be at the till. One word may stand for several.
func (a *API) Moved() <-chan struct{} { return a.site.moved }

func (s *site) shopper() record.AccountID {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now().Sub(s.word) >= staysFor {
		s.account, s.rid = record.AccountID{}, record.RID{}
	}
	return s.account
}

// looked notes that a shopper was looked up, or their card scanned.
func (s *site) looked(account record.AccountID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if account != s.account {
		s.put(account, record.RID{})
	}
	s.word = s.now()
}

// basket notes whose basket is being paid for. One of nobody ends a presence.
func (s *site) basket(rid record.RID, account record.AccountID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put(account, rid)
}

// sold notes a receipt. One that comes late, after the till had been without its node, says nothing of who is here
// now: the next shopper's screen must not show what is for the one before.
func (s *site) sold(h *record.Header) {
	s.mu.Lock()
	defer s.mu.Unlock()
	age := s.now().Sub(time.UnixMilli(h.At))
	if age >= staysFor || age <= -staysFor || s.rid != (record.RID{}) && s.rid != h.RID {
		return
	}
	s.put(h.Account, h.RID)
}

// put says who is here; the mutex is held.
func (s *site) put(account record.AccountID, rid record.RID) {
	if s.off {
		return
	}
	if account != s.account {
		select {
		case s.moved <- struct{}{}:
		default:
		}
	}
	s.account, s.rid, s.word = account, rid, s.now()
}

// showWithin is how long a POS has to take a message that its stream is given.
const showWithin = 500 * time.Millisecond

// Screen shows a message to the shopper at this till, and reports whether it is on the way to their screen: they are
// here, and a POS has taken it. The same message again is told as it was, and shown once.
func (a *API) Screen(ctx context.Context, m *record.Screen) (delivered bool, err error) {
	if !a.gate.enter() {
		return false, errStopping
	}
	defer a.gate.leave()
	p := a.board.offer(m)
	if p == nil {
		return false, nil
	}
	late := time.NewTimer(showWithin)
	defer late.Stop()
	select {
	case <-p.sent:
		return true, nil
	case <-late.C:
	case <-ctx.Done():
	case <-a.crashed:
	}
	return a.board.withdraw(p, m.Try)
}

// errTaking means that nobody knows yet whether a POS has a message: ask again.
var errTaking = errors.New("a POS is being given the message")
