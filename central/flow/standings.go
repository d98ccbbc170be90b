package flow

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"tillstream/kv"
	"tillstream/kv/progress"
	"tillstream/kv/record"
	"tillstream/subjects/event"
)

// Standings changes shoppers' progress, and says what comes of that. CPP and EPPM change the same records, each with
// Standings of its own; several nodes may at once.
//
// A change is one compare-and-set of a record that also holds what the change has to say ([progress.Outbox]); from then
// on it is said, with the same ids and the same bytes however often, before the record changes again. So whoever dies
// in between, the next one who touches the record, or comes to the same cause again, says it.
type Standings struct {
	base Base
	key  []byte

	mu     sync.Mutex
	bucket *kv.Store        // guarded by mu: nil until it was opened
	known  map[string]known // guarded by mu: the newest that this process has seen
	// settled is until when receipts' words are known to be out; guarded by mu. Unix milliseconds.
	settled int64
}

// known is a record as it was read or written here.
type known struct {
	value    []byte
	revision uint64
	said     bool // what is in its outbox
}

// maxKnown bounds the records that are remembered, so that a shopper's next receipt needs no read.
const maxKnown = 20_000

// NewStandings makes Standings. The codes of rewards follow from key: whoever has it can guess them.
func NewStandings(b Base, key []byte) *Standings {
	return &Standings{base: b, key: key, known: map[string]known{}}
}

// Bucket gives the bucket of shoppers' progress, opened.
func (s *Standings) Bucket(ctx context.Context) (*kv.Store, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bucket == nil {
		b, err := kv.Open(ctx, s.base.JS, kv.Attempts(s.base.Net.Brand))
		if err != nil {
			return nil, err
		}
		s.bucket = b
	}
	return s.bucket, nil
}

// Outcome is what a cause does to a record.
type Outcome int

// Outcomes.
const (
	Nothing Outcome = iota // it has nothing to do with it, or was in it long ago
	Again                  // it is in it, and what it has to say is in the outbox
	Changed                // the record is another, and has what is to be said in its outbox
)

// Settled says that all that receipts of before a moment have to say was said, by whoever: CPP's cursor is moved after
// that. So it is not said again when their records change.
func (s *Standings) Settled(until int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settled = max(s.settled, until)
}

// Change changes a shopper's progress in a promotion by fn, which may be called several times, each time with the
// record as it is then; it must find by itself that its cause is in it already. When Change returns without an error,
// what the cause has to say is kept in the flow's stream.
func (s *Standings) Change(ctx context.Context, account record.AccountID, p *progress.Promotion, fn func(*progress.Standing) (Outcome, error)) error {
	bucket, err := s.Bucket(ctx)
	if err != nil {
		return err
	}
	key := kv.ProgressKey(account, p.Code)
	for {
		k, err := s.read(ctx, bucket, key)
		if err != nil {
			return err
		}
		err = s.once(ctx, bucket, key, k, account, p, fn)
		if !errors.Is(err, kv.ErrConflict) {
			return err
		}
	}
}

// once is one try of Change.
func (s *Standings) once(ctx context.Context, bucket *kv.Store, key string, k known, account record.AccountID, p *progress.Promotion,
	fn func(*progress.Standing) (Outcome, error)) error {
	st, err := progress.ReadStanding(k.value)
	if err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	before := st.Out
	outcome, err := fn(&st)
	if err != nil || outcome == Nothing {
		return err
	}
	if !k.said && (outcome == Again || !s.isSettled(&before)) {
		if err := s.say(ctx, account, p.Code, &before); err != nil {
			return err
		}
	}
	k.said = true
	s.remember(key, k)
	if outcome == Again {
		return nil
	}
	value, err := st.Bytes()
	if err != nil {
		return err
	}
	if len(value) > maxStanding { // it would fit no message, and stop all others
		s.base.Log.Warn("a shopper's record is full: what comes is not counted", "customer", account.String(), "promotion", p.Code.String(), "bytes", len(value))
		return nil
	}
	if k, err = s.put(ctx, bucket, key, k.revision, value, p); err != nil {
		return err
	}
	// From here on the change is kept, and with it what it has to say.
	if err := s.say(ctx, account, p.Code, &st.Out); err != nil {
		return err
	}
	k.said = true
	s.remember(key, k)
	return nil
}

// maxStanding bounds a record, in bytes.
const maxStanding = 768 << 10

func (s *Standings) isSettled(out *progress.Outbox) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(out.Said) == 0 || out.RID != (record.RID{}) && out.Posted < s.settled
}

// put writes a record of which nothing is known to be said.
func (s *Standings) put(ctx context.Context, bucket *kv.Store, key string, was uint64, value []byte, p *progress.Promotion) (known, error) {
	settings := s.base.Docs.Settings()
	revision, err := bucket.PutFor(ctx, key, value, was, settings.Calendar().Stay(p, s.base.Now()))
	if err != nil { // also if it was made and its answer did not come: read again
		s.forget(key)
		return known{}, err
	}
	k := known{value: value, revision: revision}
	s.remember(key, k)
	return k, nil
}

// Read gives a shopper's progress as it is.
func (s *Standings) Read(ctx context.Context, account record.AccountID, promo record.PromoCode) (progress.Standing, error) {
	bucket, err := s.Bucket(ctx)
	if err != nil {
		return progress.Standing{}, err
	}
	k, err := s.read(ctx, bucket, kv.ProgressKey(account, promo))
	if err != nil {
		return progress.Standing{}, err
	}
	return progress.ReadStanding(k.value)
}

func (s *Standings) read(ctx context.Context, bucket *kv.Store, key string) (known, error) {
	s.mu.Lock()
	k, ok := s.known[key]
	s.mu.Unlock()
	if ok {
		return k, nil
	}
	r, err := bucket.Get(ctx, key)
	if errors.Is(err, kv.ErrNone) {
		return known{said: true}, nil
	}
	if err != nil {
		return k, err
	}
	k = known{value: r.Value, revision: r.Revision}
	s.remember(key, k)
	return k, nil
}

// Forget forgets what this process has seen. Others may have changed records since, and from what was it would follow
// that a cause has nothing to do with them: for a change that is found out, for none it is not. Whoever begins to work
// calls it.
func (s *Standings) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.known)
}

func (s *Standings) remember(key string, k known) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.known[key]; !ok && len(s.known) >= maxKnown {
		clear(s.known)
	}
	s.known[key] = k
}

func (s *Standings) forget(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.known, key)
}

// say publishes what is in an outbox, and returns once the flow's stream has it.
func (s *Standings) say(ctx context.Context, account record.AccountID, promo record.PromoCode, out *progress.Outbox) error {
	for i := range out.Said {
		said := &out.Said[i]
		awards := said.Awards
		if len(awards) == 0 {
			awards = []progress.Award{{}}
		}
		for _, a := range awards {
			m, err := s.message(account, promo, out, said, a)
			if err != nil {
				return err
			}
			if err := s.publish(ctx, m); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Standings) publish(ctx context.Context, m *nats.Msg) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if _, err := s.base.JS.PublishMsg(ctx, m); err != nil {
		return fmt.Errorf("publish on %s: %w", m.Subject, err)
	}
	return nil
}

// message makes an activity of what is said: of EPPM if it is of week one, else of CPP.
func (s *Standings) message(account record.AccountID, promo record.PromoCode, out *progress.Outbox, said *progress.Said,
	award progress.Award) (*nats.Msg, error) {
	attempt := record.Attempt{Account: account, Promo: promo, Attempt: said.Attempt}
	net := s.base.Net
	e := event.Envelope{
		ID: event.FirstID(attempt, said.Status, causeOf(out, award)), Type: event.TypeCPPActivity,
		Time: time.UnixMicro(out.Made).UTC(), DC: net.DC, Brand: net.Brand,
		Attempt: attempt, Status: said.Status, Receipt: out.RID,
	}
	point, subject := event.CPP, net.CPPActivity()
	all := s.progressOf(attempt, said, award)
	at := time.UnixMilli(out.Posted).UTC()
	var payload any = event.CPPActivity{
		AccountID: account, PromoCode: promo, AttemptID: said.Attempt, Status: said.Status, OccurredAt: at,
		Store: out.Store, Till: out.Till, RID: out.RID, RewardProgress: all,
	}
	if said.Week == 1 {
		point, subject, e.Type = event.EPPM, net.EPPMActivity(), event.TypeEPPMActivity
		payload = event.EPPMActivity{
			AccountID: account, PromoCode: promo, AttemptID: said.Attempt, Week: said.Week, OccurredAt: at, RewardProgress: all,
		}
	}
	e.Source = event.Source(net.DC, net.Brand, point.String())
	e.Stamps[point] = e.Time
	if out.Sold != 0 {
		e.Stamps[event.Sold] = time.UnixMilli(out.Sold).UTC()
		e.Stamps[event.Posted] = at
	}
	data, err := event.Data(payload)
	if err != nil {
		return nil, err
	}
	return &nats.Msg{Subject: subject, Header: e.Headers(), Data: data}, nil
}

func causeOf(out *progress.Outbox, a progress.Award) string {
	if a.Scheme == "" {
		return out.Cause
	}
	return fmt.Sprintf("%s/%s/%d", out.Cause, a.Scheme, a.Time)
}

// progressOf gives the rewards of an activity. Only the one that it awards, or that was spent, bears its code and that
// status: of others that have it too was, or is, another activity. They are shown as completed.
func (s *Standings) progressOf(attempt record.Attempt, said *progress.Said, a progress.Award) []event.RewardProgress {
	if a.Scheme == "" {
		return said.Progress
	}
	all := make([]event.RewardProgress, len(said.Progress))
	copy(all, said.Progress)
	for i := range all {
		if all[i].RewardSchemeID == a.Scheme {
			all[i].Status, all[i].RewardID = said.Status, RewardID(s.key, attempt, a)
			if all[i].Times > 0 {
				all[i].Times = a.Time
			}
		} else if all[i].Status == said.Status {
			all[i].Status = event.Completed
		}
	}
	return all
}

// RewardID is the code of a reward: that of the coupon, where it is one. It follows from what it is for, so a crash does
// not make another one, and cannot be guessed without the key. It is RewardSize letters and digits, the first two RW: no
// scanner takes it for goods or a card.
func RewardID(key []byte, of record.Attempt, a progress.Award) string {
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "tillstream reward\x00%s\x00%s\x00%d", of, a.Scheme, a.Time) // a hash takes all that it is given
	return rewardPrefix + base32.StdEncoding.EncodeToString(mac.Sum(nil)[:10])
}

const rewardPrefix = "RW"

// RewardSize is how long a RewardID is.
const RewardSize = len(rewardPrefix) + 16

// IsReward reports whether a coupon's code may be a RewardID.
func IsReward(code string) bool {
	return len(code) == RewardSize && code[:len(rewardPrefix)] == rewardPrefix
}

// RewardCode gives the code of a shopper's award.
func (s *Standings) RewardCode(of record.Attempt, a progress.Award) string {
	return RewardID(s.key, of, a)
}
