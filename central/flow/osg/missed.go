package osg

import (
	"context"
	"time"

	"tillstream/central/flow"
	"tillstream/kv/record"
)

// missed is a shopper whom somebody wanted to show a message, and was told that they are not on site. Whoever was told
// so gives the message to MSQ. If the shopper comes before it is there, their coming finds nothing; so it is said again,
// a moment later and when the message must be in MSQ's bucket or given to us once more. In this way neither OSG nor MSQ
// has to look into the bucket for each message whose shopper is not there, which most are: two looks cost as much as all
// else that such a message costs.
type missed struct {
	at    time.Time // when somebody was told
	since time.Time // when they came; zero: they have not
	next  time.Time // when it is said again
}

const (
	// missedFor is longer than BCG takes from OSG's answer until MSQ has the message: it begins anew after 8 s.
	missedFor = 10 * time.Second
	// soonAgain is longer than that takes as a rule, and MSQ's second is not over yet.
	soonAgain = 500 * time.Millisecond
	missTick  = 100 * time.Millisecond
)

func (m *missed) comes(since, now time.Time) {
	if m.since.IsZero() {
		m.next = now.Add(soonAgain)
	}
	m.since = since
}

// due gives who is to be spoken of again, and since when they are there, and forgets who is not missed any more.
func (s *site) due(now time.Time) map[record.AccountID]time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all map[record.AccountID]time.Time
	for account, m := range s.missed {
		end := now.After(m.at.Add(missedFor))
		if end {
			delete(s.missed, account)
		}
		if !m.since.IsZero() && (end || now.After(m.next)) {
			m.next = m.at.Add(missedFor)
			if all == nil {
				all = map[record.AccountID]time.Time{}
			}
			all[account] = m.since
		}
	}
	return all
}

// sayAgain speaks of those who came when somebody had just missed them.
func (o *OSG) sayAgain(ctx context.Context) error {
	for flow.Sleep(ctx, missTick) {
		for account, since := range o.site.due(time.Now()) {
			if err := o.arrived(account, since); err != nil {
				o.Log.Debug("say again that somebody is there", "err", err)
			}
		}
	}
	return nil
}
