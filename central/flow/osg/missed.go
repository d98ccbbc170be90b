package osg

import (
	"context"
	"time"

	"tillstream/central/flow"
	"tillstream/kv/record"
)

// Whoever is told that a shopper is not on site gives their message to MSQ. If the shopper comes before it is there,
// their coming finds nothing; so it is said again, a moment later and when the message must be in MSQ's bucket or given to
// us once more. In this way neither OSG nor MSQ looks into the bucket for each message whose shopper is not there, which
// most are.
const (
	// missedFor is longer than BCG takes from OSG's answer until MSQ has the message: it begins anew after 8 s.
	missedFor = 10 * time.Second
	// soonAgain is longer than that takes as a rule, and the second within which a shopper sees what waits is not over.
	soonAgain = 500 * time.Millisecond
	againTick = 100 * time.Millisecond
)

// again is a shopper who came when somebody had just been told that they were not there.
type again struct {
	since time.Time // when they came
	next  time.Time // when it is said again
	end   time.Time // when it is for the last time
}

// comes notes that a shopper came who was missed at a moment. Called with mu held.
func (s *site) comes(account record.AccountID, missed, since, now time.Time) {
	end := missed.Add(missedFor)
	if now.After(end) {
		return
	}
	a := s.came[account]
	if a == nil {
		a = &again{next: now.Add(soonAgain)}
		s.came[account] = a
	}
	a.since, a.end = since, end
}

// due gives who is to be spoken of again, and since when they are there.
func (s *site) due(now time.Time) map[record.AccountID]time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[record.AccountID]time.Time{}
	for account, a := range s.came {
		if !now.After(a.next) {
			continue
		}
		all[account] = a.since
		if a.next.Before(a.end) {
			a.next = a.end
		} else {
			delete(s.came, account)
		}
	}
	return all
}

// sayAgain speaks of those who came when somebody had just missed them.
func (o *OSG) sayAgain(ctx context.Context) error {
	for flow.Sleep(ctx, againTick) {
		for account, since := range o.site.due(time.Now()) {
			if err := o.arrived(account, since); err != nil {
				o.Log.Debug("say again that somebody is there", "err", err)
			}
		}
	}
	return nil
}
