package osg_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"tillstream/central/flow/flowtest"
	"tillstream/central/flow/osg"
	"tillstream/kv/record"
	"tillstream/subjects"
	"tillstream/subjects/event"
	"tillstream/subjects/service"
)

// shop is a store with tills, as OSG knows them: it shows a message as a till's node does.
type shop struct {
	t    *testing.T
	w    *flowtest.World
	id   subjects.StoreID
	conn *nats.Conn

	mu     sync.Mutex
	here   map[string]record.AccountID // guarded by mu: by till
	shown  map[string][]string         // guarded by mu: by till, ids in the order in which they were shown
	no     map[string]uint64           // guarded by mu: by till and id, the last try refused
	silent func(m *record.Screen) bool // guarded by mu: whether the answer is lost; nil: none is
	before func(m *record.Screen)      // guarded by mu: called before a till decides
}

func open(t *testing.T, w *flowtest.World, id string) *shop {
	t.Helper()
	conn, _ := w.Connect()
	s := &shop{
		t: t, w: w, id: subjects.StoreID{Token: subjects.MustToken(id)}, conn: conn,
		here: map[string]record.AccountID{}, shown: map[string][]string{}, no: map[string]uint64{},
	}
	_, err := conn.Subscribe(w.Net.StoreScreen(s.id), func(q *nats.Msg) { go s.screen(q) })
	w.Must(err)
	w.Must(conn.Flush())
	return s
}

func (s *shop) screen(q *nats.Msg) {
	m, err := record.ReadScreen(q.Data)
	if err != nil {
		s.t.Error(err)
		return
	}
	s.mu.Lock()
	before := s.before
	s.mu.Unlock()
	if before != nil {
		before(&m)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	till, status := m.Till.String(), event.OSGDelivered
	switch {
	case has(s.shown[till], m.ID):
	case s.here[till] != m.Account || s.no[till+m.ID] >= m.Try:
		s.no[till+m.ID] = max(s.no[till+m.ID], m.Try)
		status = event.OSGNotOnSite
	default:
		s.shown[till] = append(s.shown[till], m.ID)
	}
	if s.silent != nil && s.silent(&m) {
		return
	}
	_ = q.RespondMsg(&nats.Msg{Header: nats.Header{event.OSGStatus: {status}}}) // the asker's time-out tells
}

func has(all []string, id string) bool {
	for _, x := range all {
		if x == id {
			return true
		}
	}
	return false
}

func (s *shop) set(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// all gives what was shown at a till.
func (s *shop) all(till string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.shown[till]...)
}

// comes has a shopper come to a till, and the store say so.
func (s *shop) comes(account record.AccountID, till string) {
	s.t.Helper()
	s.set(func() { s.here[till] = account })
	s.say(account, till, true)
}

func (s *shop) goes(account record.AccountID, till string) {
	s.t.Helper()
	s.set(func() { delete(s.here, till) })
	s.say(account, till, false)
}

func (s *shop) say(account record.AccountID, till string, here bool) {
	s.t.Helper()
	p := record.Presence{Till: subjects.TillID{Token: subjects.MustToken(till)}, Account: account, Here: here, At: time.Now().UnixMilli()}
	eventually(s.t, "OSG hears a presence", func(ctx context.Context) error {
		_, err := service.Ask(ctx, s.conn, s.w.Net.POSPresence(s.id), p.Append(nil))
		return err
	})
}

// eventually does what may fail until it does not.
func eventually(t *testing.T, what string, do func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), flowtest.Within)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		one, end := context.WithTimeout(ctx, 5*time.Second)
		err := do(one)
		end()
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

// message makes an onsite message of a shopper; number makes its id.
func message(w *flowtest.World, of record.Attempt, number int) (event.Envelope, event.OnsiteMessage) {
	now := w.Now()
	e := event.Envelope{
		ID: fmt.Sprintf("%032x", number), Type: event.TypeOnsiteMessage, Source: event.Source(w.Net.DC, w.Net.Brand, "bcg"),
		Time: now, DC: w.Net.DC, Brand: w.Net.Brand, Attempt: of, Status: event.RewardAwarded,
	}
	e.Stamps[event.Posted] = now
	return e, event.OnsiteMessage{
		AccountID: of.Account, PromoCode: of.Promo, AttemptID: of.Attempt, MessageType: event.MessageRewardAwarded,
		Delivery: event.FullScreen, Title: "Coffee", Text: "One is on us.", CreatedAt: now, ExpiresAt: now.Add(time.Hour),
	}
}

// deliver asks OSG as BCG does, and gives the status, or "" if it is neither.
func deliver(w *flowtest.World, conn *nats.Conn, e event.Envelope, m event.OnsiteMessage) string {
	w.T.Helper()
	data, err := event.Data(m)
	w.Must(err)
	ctx, cancel := context.WithTimeout(w.T.Context(), 5*time.Second)
	defer cancel()
	a, err := service.AskWith(ctx, conn, service.Question{Subject: w.Net.OSGDeliver(), Header: nats.Header(e.Headers()), Data: data})
	if err != nil {
		return ""
	}
	return a.Header.Get(event.OSGStatus)
}

// settled asks until there is an answer, and wants it.
func settled(t *testing.T, w *flowtest.World, e event.Envelope, m event.OnsiteMessage, want string) {
	t.Helper()
	eventually(t, "OSG says what became of a message", func(context.Context) error {
		switch got := deliver(w, w.Conn, e, m); got {
		case want:
			return nil
		case "":
			return fmt.Errorf("no answer")
		default:
			t.Fatalf("got %s, want %s", got, want)
			return nil
		}
	})
}

// start runs an OSG and waits until it answers.
func start(t *testing.T, w *flowtest.World) (o *osg.OSG, stop func()) {
	t.Helper()
	o = osg.New(w.Base())
	stop = w.Run(o.Run)
	e, m := message(w, flowtest.MustAttempt(9999, "NONE", "2011-W48"), 1<<30)
	settled(t, w, e, m, event.OSGNotOnSite)
	return o, stop
}
