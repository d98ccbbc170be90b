package osg

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"tillstream/central/flow"
	"tillstream/kv"
	"tillstream/kv/record"
	"tillstream/subjects"
	"tillstream/subjects/event"
	"tillstream/subjects/service"
)

// goneStays is how long it stands in the bucket that a shopper has gone, so that every instance hears it: a record
// that is taken away is not heard of.
const goneStays = 10 * time.Second

// spot is where a shopper is: at a till, or with a device of the app, which headquarters stands for.
type spot struct {
	Store subjects.StoreID `json:"store"`
	Till  subjects.TillID  `json:"till"`
}

// presence is the value of a kv.PresenceKey.
type presence struct {
	Since    time.Time       `json:"since"`
	Until    time.Time       `json:"until"`             // without another word
	Said     int64           `json:"said"`              // Unix milliseconds by the till's clock
	Gone     bool            `json:"gone,omitempty"`    // they are not there any more
	Instance subjects.NodeID `json:"instance,omitzero"` // of OSG, which has the device
}

// place is a spot with what is known of the shopper there.
type place struct {
	spot
	presence
	revision uint64
}

func (p *place) here(now time.Time) bool { return !p.Gone && now.Before(p.Until) }

// site is this instance's copy of who is on site.
type site struct {
	mu    sync.Mutex
	whole bool                                // guarded by mu: it has all that the bucket had
	by    map[record.AccountID]map[spot]place // guarded by mu
	// missed says of whom somebody was told just now that they are not on site, and when: a message of theirs is on its
	// way to MSQ. came are those of them who are there now. Guarded by mu.
	missed map[record.AccountID]time.Time
	came   map[record.AccountID]*again
}

// take takes over what the bucket has.
func (s *site) take(key string, p presence, revision uint64) {
	account, at, ok := readKey(key)
	if !ok {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.by[account][at].revision >= revision {
		return
	}
	if s.by[account] == nil {
		s.by[account] = map[spot]place{}
	}
	s.by[account][at] = place{at, p, revision}
	if missed, ok := s.missed[account]; ok && !p.Gone {
		s.comes(account, missed, p.Since, time.Now())
	}
}

// readKey reads a kv.PresenceKey.
func readKey(key string) (account record.AccountID, at spot, ok bool) {
	parts := strings.Split(key, ".")
	if len(parts) != 4 {
		return account, at, false
	}
	account, err := record.ParseAccountID(parts[1])
	store, err2 := subjects.ParseStoreID(parts[2])
	till, err3 := subjects.ParseTillID(parts[3])
	return account, spot{store, till}, errors.Join(err, err2, err3) == nil
}

// at gives what is known of a shopper at one spot, gone or not.
func (s *site) at(account record.AccountID, at spot) place {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.by[account][at]
}

// seek reports whether a shopper is anywhere, and remembers of one who is not that somebody wanted them; whole: it is
// known.
func (s *site) seek(account record.AccountID, now time.Time) (there, whole bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.by[account] {
		if p.here(now) {
			return true, s.whole
		}
	}
	if s.whole {
		s.missed[account] = time.Now()
	}
	return false, s.whole
}

// of gives the places where a shopper is, the newest first.
func (s *site) of(account record.AccountID, now time.Time) (places []place) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.by[account] {
		if p.here(now) {
			places = append(places, p)
		}
	}
	slices.SortFunc(places, func(a, b place) int {
		return cmp.Or(b.Since.Compare(a.Since), strings.Compare(a.Store.String(), b.Store.String()), strings.Compare(a.Till.String(), b.Till.String()))
	})
	return places
}

// forget lets go of what has faded. What has gone is kept for as long as the bucket keeps it: an older word may come
// after it.
func (s *site) forget(now time.Time) (there int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for account, spots := range s.by {
		for at, p := range spots {
			if !now.Before(p.Until) {
				delete(spots, at)
			} else if !p.Gone {
				there++
			}
		}
		if len(spots) == 0 {
			delete(s.by, account)
		}
	}
	for account, at := range s.missed {
		if time.Since(at) > missedFor {
			delete(s.missed, account)
		}
	}
	return there
}

// follow keeps the copy until ctx ends.
func (o *OSG) follow(ctx context.Context) error {
	for ctx.Err() == nil {
		err := o.bucket.WatchFrom(ctx, "at.>", func() {
			o.site.mu.Lock()
			o.site.whole = true
			o.site.mu.Unlock()
		}, func(r kv.Record) error {
			o.read(r)
			return nil
		})
		if err != nil {
			o.Log.Debug("follow who is on site", "err", err)
			flow.Sleep(ctx, 200*time.Millisecond)
		}
	}
	return nil
}

func (o *OSG) read(r kv.Record) {
	var p presence
	if err := json.Unmarshal(r.Value, &p); err != nil {
		o.Log.Error("a presence cannot be read", "key", r.Key, "err", err)
		return
	}
	o.site.take(r.Key, p, r.Revision)
}

// hear answers stores, which say who is at their tills.
func (o *OSG) hear(ctx context.Context, q service.Question) (a service.Answer, err error) {
	store, ok := o.Net.StoreOf(q.Subject)
	p, err := record.ReadPresence(q.Data)
	switch {
	case err != nil:
		return a, &service.Refusal{Err: err}
	case !ok || store == subjects.Headquarters:
		return a, &service.Refusal{Err: errors.New("the subject names no store that has tills")}
	case p.Till.IsZero():
		return a, &service.Refusal{Err: fmt.Errorf("presence of account %s: it names no till", p.Account)}
	}
	return a, o.say(ctx, spot{store, p.Till}, p, subjects.NodeID{})
}

// say puts a word about a shopper into the bucket, and tells MSQ that they are there. An older word of the same till
// than the last changes nothing.
func (o *OSG) say(ctx context.Context, at spot, p record.Presence, instance subjects.NodeID) error {
	key := kv.PresenceKey(p.Account, at.Store, at.Till)
	was := o.site.at(p.Account, at)
	for range 5 {
		now := o.Now()
		there := was.revision > 0 && !was.Gone && now.Before(was.Until)
		if was.revision > 0 && now.Before(was.Until) && p.At < was.Said || !p.Here && (!there || was.Instance != instance) {
			return nil
		}
		stay := time.Duration(o.Docs.Settings().PresenceSeconds) * time.Second
		next := presence{Since: now, Said: p.At, Instance: instance}
		switch {
		case !p.Here:
			next.Gone, stay = true, goneStays
		case there && was.Instance == instance:
			next.Since = was.Since
		}
		next.Until = now.Add(stay)
		value, err := json.Marshal(next)
		if err != nil {
			return fmt.Errorf("write a presence: %w", err)
		}
		revision, err := o.bucket.PutFor(ctx, key, value, was.revision, stay)
		if err == nil {
			o.site.take(key, next, revision)
			if p.Here {
				return o.arrived(p.Account, next.Since)
			}
			return nil
		}
		if !errors.Is(err, kv.ErrConflict) {
			return err
		}
		if was, err = o.stands(ctx, key); err != nil {
			return err
		}
	}
	return fmt.Errorf("put %s: %w", key, kv.ErrConflict)
}

// stands reads one presence from the bucket.
func (o *OSG) stands(ctx context.Context, key string) (p place, err error) {
	r, err := o.bucket.Get(ctx, key)
	if errors.Is(err, kv.ErrNone) {
		return p, nil
	}
	if err != nil {
		return p, err
	}
	if err := json.Unmarshal(r.Value, &p.presence); err != nil {
		return p, fmt.Errorf("read presence %s: %w", key, err)
	}
	p.revision = r.Revision
	return p, nil
}

// arrived tells MSQ, from when on the presence is in the bucket. It is said again with every word of the till: so what
// a crash or a lost word left behind is found.
func (o *OSG) arrived(account record.AccountID, since time.Time) error {
	m := &nats.Msg{Subject: o.Net.OSGArrived(), Data: account[:], Header: nats.Header{event.ArrivedSince: {since.UTC().Format(time.RFC3339Nano)}}}
	if err := o.Conn.PublishMsg(m); err != nil {
		return fmt.Errorf("tell MSQ of account %s: %w", account, err)
	}
	return nil
}
