package msq_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"tillstream/central/flow/flowtest"
	"tillstream/central/flow/msq"
	"tillstream/kv"
	"tillstream/kv/record"
	"tillstream/subjects"
	"tillstream/subjects/event"
	"tillstream/subjects/service"
)

// screen stands for OSG: it knows who is on site, and shows a message once.
type screen struct {
	w    *flowtest.World
	conn *nats.Conn

	mu     sync.Mutex
	here   map[record.AccountID]time.Time // guarded by mu: since when
	shown  []string                       // guarded by mu: ids in the order in which they were shown
	before func(e *event.Envelope) bool   // guarded by mu: called before it decides; false: no answer
}

func open(t *testing.T, w *flowtest.World) *screen {
	t.Helper()
	conn, _ := w.Connect()
	s := &screen{w: w, conn: conn, here: map[record.AccountID]time.Time{}}
	_, err := conn.QueueSubscribe(w.Net.OSGDeliver(), "osg", func(m *nats.Msg) { go s.answer(m) })
	w.Must(err)
	w.Must(conn.Flush())
	return s
}

func (s *screen) answer(m *nats.Msg) {
	e, err := event.ReadEnvelope(m.Header)
	if err != nil {
		s.w.T.Error(err)
		return
	}
	s.mu.Lock()
	before := s.before
	s.mu.Unlock()
	if before != nil && !before(&e) {
		_ = m.RespondMsg(&nats.Msg{Header: nats.Header{"Nats-Service-Error-Code": {service.CodeLater}}})
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	status := event.OSGDelivered
	switch {
	case slices.Contains(s.shown, e.ID):
	case s.here[e.Attempt.Account].IsZero():
		status = event.OSGNotOnSite
	default:
		s.shown = append(s.shown, e.ID)
	}
	_ = m.RespondMsg(&nats.Msg{Header: nats.Header{event.OSGStatus: {status}}}) // the asker's time-out tells
}

func (s *screen) set(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

func (s *screen) all() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.shown)
}

// comes says that a shopper is there, as OSG does: first it is so, then it is said.
func (s *screen) comes(account record.AccountID) {
	s.w.T.Helper()
	now := s.w.Now()
	s.set(func() {
		if s.here[account].IsZero() {
			s.here[account] = now
		}
		now = s.here[account]
	})
	s.w.Must(s.conn.PublishMsg(&nats.Msg{
		Subject: s.w.Net.OSGArrived(), Data: account[:], Header: nats.Header{event.ArrivedSince: {now.UTC().Format(time.RFC3339Nano)}},
	}))
	s.w.Must(s.conn.Flush())
}

func (s *screen) goes(account record.AccountID) {
	s.w.T.Helper()
	s.set(func() { delete(s.here, account) })
}

// eventually does what may fail until it does not.
func eventually(t testing.TB, what string, do func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), flowtest.Within)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		err := do(ctx)
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%s: %v", what, err)
		}
	}
}

// wants waits until these are shown, in this order, and nothing waits for the shopper any more.
func (s *screen) wants(of record.Attempt, ids ...string) {
	s.w.T.Helper()
	eventually(s.w.T, "messages are shown", func(ctx context.Context) error {
		left := waiting(s.w, of.Account)
		if got := s.all(); !slices.Equal(got, ids) || len(left) > 0 {
			return fmt.Errorf("shown %v, want %v; %v wait", got, ids, left)
		}
		return nil
	})
}

// waiting lists the keys of what waits for a shopper.
func waiting(w *flowtest.World, account record.AccountID) []string {
	w.T.Helper()
	b, err := kv.Open(w.T.Context(), w.JS, kv.Onsite(w.Net.Brand))
	w.Must(err)
	keys, err := b.Keys(w.T.Context(), kv.WaitKey(account, "*"))
	w.Must(err)
	return keys
}

// message makes an onsite message; number makes its id, and its place.
func message(w *flowtest.World, of record.Attempt, number int) (event.Envelope, event.OnsiteMessage) {
	now := w.Now()
	e := event.Envelope{
		ID: fmt.Sprintf("%032x", number), Type: event.TypeOnsiteMessage, Source: event.Source(w.Net.DC, w.Net.Brand, "bcg"),
		Time: now, DC: w.Net.DC, Brand: w.Net.Brand, Attempt: of, Status: event.RewardAwarded,
	}
	return e, event.OnsiteMessage{
		AccountID: of.Account, PromoCode: of.Promo, AttemptID: of.Attempt, MessageType: event.MessageRewardAwarded,
		Delivery: event.FullScreen, Text: "Hello", CreatedAt: now.Add(time.Duration(number) * time.Millisecond), ExpiresAt: now.Add(time.Hour),
	}
}

func putOnce(ctx context.Context, w *flowtest.World, conn *nats.Conn, e event.Envelope, m event.OnsiteMessage) error {
	data, err := event.Data(m)
	if err != nil {
		return err
	}
	_, err = service.AskWith(ctx, conn, service.Question{Subject: w.Net.MSQPut(), Header: nats.Header(e.Headers()), Data: data})
	return err
}

// put gives MSQ a message as BCG does, again until it is taken.
func put(t testing.TB, w *flowtest.World, e event.Envelope, m event.OnsiteMessage) {
	t.Helper()
	eventually(t, "a message is put", func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		return putOnce(ctx, w, w.Conn, e, m)
	})
}

// instruct publishes a DeleteMessageInstruction as TIM does.
func instruct(w *flowtest.World, of record.Attempt, rewards ...event.Reward) {
	w.T.Helper()
	now := w.Now()
	e := event.Envelope{
		ID: event.FirstID(of, event.RewardSpent, "spent"), Type: event.TypeDeleteMessage, Source: event.Source(w.Net.DC, w.Net.Brand, "tim"),
		Time: now, DC: w.Net.DC, Brand: w.Net.Brand, Attempt: of, Status: event.RewardSpent, Rewards: rewards,
	}
	w.Publish(w.Net.MSQDelete(), e, event.DeleteMessageInstruction{
		AccountID: of.Account, PromoCode: of.Promo, AttemptID: of.Attempt, MessageType: event.MessageRewardAwarded, Brand: w.Net.Brand, At: now,
	})
}

func start(w *flowtest.World) (stop func()) { return w.Run(msq.New(w.Base()).Run) }

// attempt names an attempt of this week.
func attempt(w *flowtest.World, n uint16) record.Attempt {
	s := w.Docs.Settings()
	return flowtest.MustAttempt(n, "STAMPS", s.Calendar().AttemptAt(w.Now()).String())
}

func settle(w *flowtest.World) { w.Settle(subjects.MSQ) }
