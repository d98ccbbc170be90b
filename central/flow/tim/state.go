package tim

import (
	"maps"
	"slices"
	"time"

	"tillstream/subjects/event"
)

// state is what TIM keeps of an attempt.
type state struct {
	At          time.Time         `json:"at"` // CPP's stamp of the newest event that has passed
	Unqualified bool              `json:"unqualified,omitempty"`
	Rewards     map[string]reward `json:"rewards,omitempty"` // by rewardSchemeId
	Passed      []passed          `json:"passed"`            // the last of them, oldest first
}

// maxPassed bounds what a state remembers of events: far more than one attempt has under way at a time.
const maxPassed = 32

// passed is an event that has passed.
type passed struct {
	Sequence uint64 `json:"sequence"`
	ID       string `json:"id"`
	Deletes  bool   `json:"deletes,omitempty"` // it brought a DeleteMessageInstruction
}

// reward is how far it has come with one reward.
type reward struct {
	Awarded times `json:"awarded,omitzero"` // or spent or expired without
	Spent   times `json:"spent,omitzero"`
	Expired times `json:"expired,omitzero"`
	// Progress goes in rounds, as often as the reward can be earned.
	Round     int64 `json:"round,omitempty"`
	Started   bool  `json:"started,omitempty"`
	Completed bool  `json:"completed,omitempty"`
}

// verdict is what becomes of an event.
type verdict int

// Verdicts.
const (
	passes verdict = iota
	again          // this very message has passed, and may not have been published
	repeat
	older
)

func (v verdict) String() string { return [...]string{"passed", "again", "repeat", "older"}[v] }

// clone gives a copy to change.
func (s *state) clone() *state {
	return &state{s.At, s.Unqualified, maps.Clone(s.Rewards), slices.Clone(s.Passed)}
}

// judge says what becomes of an event, and whether MSQ must delete a message for it. It changes the state if the event
// passes; deletes says whether the brand wants that.
func (s *state) judge(e *event.Envelope, sequence uint64, deletes bool) (v verdict, delete bool) {
	for _, p := range s.Passed {
		if p.ID == e.ID && p.Sequence == sequence {
			return again, p.Deletes
		}
	}
	for _, p := range s.Passed {
		if p.ID == e.ID {
			return repeat, false
		}
	}
	at := said(e)
	news, spent := s.take(e, at)
	if !news {
		return older, false
	}
	if at.After(s.At) {
		s.At = at
	}
	delete = spent && deletes
	s.Passed = append(s.Passed, passed{sequence, e.ID, delete})
	s.Passed = s.Passed[max(len(s.Passed)-maxPassed, 0):]
	return passes, delete
}

// said is when CPP said it: the same however often the event comes.
func said(e *event.Envelope) time.Time {
	if at := e.Stamps[event.CPP]; !at.IsZero() {
		return at
	}
	return e.Time
}

// take takes in what an event says: whether that is news, and whether a reward was spent whose award had passed.
func (s *state) take(e *event.Envelope, at time.Time) (news, spent bool) {
	switch e.Status {
	case event.Unqualified:
		if s.Unqualified || s.awarded() {
			return false, false
		}
		s.Unqualified = true
		return true, false
	case event.InProgress, event.Completed:
		if s.Unqualified || len(e.Rewards) == 0 && s.awarded() {
			return false, false
		}
	}
	late := at.Before(s.At)
	all := e.Rewards
	if len(all) == 0 { // the event speaks of the attempt as a whole
		all = []event.Reward{{}}
	}
	for _, about := range all {
		r := s.Rewards[about.SchemeID]
		had := r.Awarded.has(about.Times)
		if !r.take(e.Status, about.Times, late) {
			continue
		}
		if s.Rewards == nil {
			s.Rewards = map[string]reward{}
		}
		s.Rewards[about.SchemeID] = r
		news = true
		spent = spent || e.Status == event.RewardSpent && had
	}
	return news, spent
}

func (s *state) awarded() bool {
	for _, r := range s.Rewards {
		if r.Awarded.top() > 0 {
			return true
		}
	}
	return false
}

// take takes in that it has come to a status, for the nth time; false: nothing new. late: something newer has passed.
func (r *reward) take(status event.Status, n int64, late bool) bool {
	switch status {
	case event.RewardAwarded:
		return r.award(n)
	case event.RewardSpent, event.Expired:
		if r.Spent.has(n) || r.Expired.has(n) {
			return false
		}
		r.award(n)
		if status == event.RewardSpent {
			r.Spent.add(n)
		} else {
			r.Expired.add(n)
		}
		return true
	}
	switch {
	case n < r.Awarded.top() || n < r.Round:
		return false // of a round that is over
	case n > r.Round:
		r.Round, r.Started, r.Completed = n, false, false
	case r.Completed || r.Started && late && status == event.InProgress:
		return false
	}
	r.Started = true
	r.Completed = status == event.Completed
	return true
}

// award takes in that it was awarded; false: that is known.
func (r *reward) award(n int64) bool {
	if r.Awarded.has(n) {
		return false
	}
	r.Awarded.add(n)
	if top := r.Awarded.top(); top > r.Round {
		r.Round, r.Started, r.Completed = top, false, false
	}
	return true
}
