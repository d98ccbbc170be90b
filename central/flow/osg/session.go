package osg

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"tillstream/kv/record"
	"tillstream/subjects"
	"tillstream/subjects/event"
	"tillstream/subjects/service"
)

const (
	heartbeat   = 15 * time.Second       // between signs of life on a stream
	streamWrite = 5 * time.Second        // for a device to take what is sent
	showWithin  = 500 * time.Millisecond // for a device to take a message
	saidEvery   = 3                      // times in a presence's life it is said again
	maxShown    = 1 << 16                // messages that are remembered, shown and not
)

// sessions are the devices of the app that are connected to this instance. What it remembers is in memory only: with
// the instance, its devices go.
type sessions struct {
	osg *OSG

	mu      sync.Mutex
	open    map[device]*session
	offers  map[shownKey]*offer    // guarded by mu: on the way to a device
	shown   map[shownKey]time.Time // guarded by mu: until when it is worth knowing
	refused map[shownKey]uint64    // guarded by mu: the last try at which it was not shown
}

// device is one device of a shopper.
type device struct {
	account record.AccountID
	id      subjects.TillID
}

type shownKey struct {
	device
	message string
}

// session is one connection. A device that connects again ends the one before.
type session struct {
	queue []*offer      // guarded by sessions.mu
	more  chan struct{} // of one
	end   chan struct{} // closed when another takes its place
}

// offer is a message on its way to a device.
type offer struct {
	record.Screen
	sent   chan struct{} // closed when the device has taken it
	taking bool          // guarded by sessions.mu: it is being written
}

func newSessions(o *OSG) *sessions {
	return &sessions{
		osg: o, open: map[device]*session{}, offers: map[shownKey]*offer{}, shown: map[shownKey]time.Time{}, refused: map[shownKey]uint64{},
	}
}

// AppMessage is what a device is sent: the data of one event, whose id is the message's. A device that is sent an id
// again drops it.
type AppMessage struct {
	ID        string         `json:"id"`
	Delivery  event.Delivery `json:"delivery"`
	Language  string         `json:"language,omitempty"`
	Title     string         `json:"title,omitempty"`
	Text      string         `json:"text"`
	Code      string         `json:"code,omitempty"`
	ExpiresAt time.Time      `json:"expiresAt"`
}

// serve is the stream of one device.
func (s *sessions) serve(w http.ResponseWriter, r *http.Request) {
	account, err := record.ParseAccountID(r.PathValue("account"))
	id, err2 := subjects.ParseTillID(r.PathValue("device"))
	if err := errors.Join(err, err2); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	select {
	case <-s.osg.ready:
	default:
		http.Error(w, "OSG is starting: ask again", http.StatusServiceUnavailable)
		return
	}
	d := device{account, id}
	x := s.join(d)
	defer s.leave(context.WithoutCancel(r.Context()), d, x)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	out := http.NewResponseController(w)
	_ = out.SetReadDeadline(time.Time{}) // the request is in; a writer without deadlines is a test's
	write := func(text string) bool {
		_ = out.SetWriteDeadline(time.Now().Add(streamWrite))
		_, err := w.Write([]byte(text))
		return err == nil && out.Flush() == nil
	}
	if !write(": welcome\n\n") {
		return
	}
	s.run(r.Context(), d, x, write)
}

// run says again and again that the device is there, and gives it what is for it.
func (s *sessions) run(ctx context.Context, d device, x *session, write func(string) bool) {
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	said := time.NewTimer(0)
	defer said.Stop()
	for {
		select {
		case <-said.C:
			next := time.Duration(s.osg.Docs.Settings().PresenceSeconds) * time.Second / saidEvery
			if err := s.say(ctx, d, true); err != nil {
				s.osg.Log.Debug("nobody hears of a device", "account", d.account, "err", err)
				next = time.Second
			}
			said.Reset(next)
		case <-x.more:
			if !s.give(d, x, write) {
				return
			}
		case <-beat.C:
			if !write(": still here\n\n") {
				return
			}
		case <-x.end:
			return
		case <-ctx.Done():
			return
		}
	}
}

func (s *sessions) say(ctx context.Context, d device, here bool) error {
	p := record.Presence{Account: d.account, Here: here, At: s.osg.Now().UnixMilli()}
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	return s.osg.say(ctx, spot{subjects.Headquarters, d.id}, p, s.osg.instance)
}

// give writes what is for a device.
func (s *sessions) give(d device, x *session, write func(string) bool) bool {
	s.mu.Lock()
	offers := x.queue
	x.queue = nil
	for _, o := range offers {
		o.taking = true
	}
	s.mu.Unlock()
	taken := true
	for _, o := range offers {
		taken = taken && write(mustEvent(&o.Screen))
		s.mu.Lock()
		o.taking = false
		if delete(s.offers, shownKey{d, o.ID}); taken {
			s.shown[shownKey{d, o.ID}] = time.UnixMilli(o.Expires)
			close(o.sent)
		}
		s.mu.Unlock()
	}
	return taken
}

// mustEvent writes an event of the stream. Its JSON is of texts and a time, which cannot fail, and has no line ends.
func mustEvent(m *record.Screen) string {
	v := AppMessage{
		ID: m.ID, Delivery: event.Toast, Language: m.Language, Title: m.Title, Text: m.Text, Code: m.Code, ExpiresAt: time.UnixMilli(m.Expires).UTC(),
	}
	if m.Full {
		v.Delivery = event.FullScreen
	}
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return fmt.Sprintf("id: %s\ndata: %s\n\n", m.ID, b)
}

func (s *sessions) join(d device) *session {
	x := &session{more: make(chan struct{}, 1), end: make(chan struct{})}
	s.mu.Lock()
	defer s.mu.Unlock()
	if before := s.open[d]; before != nil {
		close(before.end)
	}
	s.open[d] = x
	return x
}

// leave ends a session. What it had on its way was not shown.
func (s *sessions) leave(ctx context.Context, d device, x *session) {
	s.mu.Lock()
	for _, o := range x.queue {
		delete(s.offers, shownKey{d, o.ID})
	}
	x.queue = nil
	last := s.open[d] == x
	if last {
		delete(s.open, d)
	}
	s.mu.Unlock()
	if !last {
		return // another connection of the device is there
	}
	if err := s.say(ctx, d, false); err != nil {
		s.osg.Log.Debug("nobody hears that a device has gone", "account", d.account, "err", err)
	}
}

// answer answers another instance.
func (s *sessions) answer(ctx context.Context, q service.Question) (a service.Answer, err error) {
	m, err := record.ReadScreen(q.Data)
	if err != nil {
		return a, &service.Refusal{Err: err}
	}
	shown, err := s.show(ctx, &m)
	status := event.OSGNotOnSite
	if shown {
		status = event.OSGDelivered
	}
	return service.Answer{Header: nats.Header{event.OSGStatus: {status}}}, err
}

// show gives a message to a device, and reports whether the device has taken it, now or before.
func (s *sessions) show(ctx context.Context, m *record.Screen) (bool, error) {
	key := shownKey{device{m.Account, m.Till}, m.ID}
	o, shown := s.offer(key, m)
	if o == nil {
		return shown, nil
	}
	late := time.NewTimer(showWithin)
	defer late.Stop()
	select {
	case <-o.sent:
		return true, nil
	case <-late.C:
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !s.shown[key].IsZero():
		return true, nil
	case o.taking:
		return false, errSilent
	}
	if x := s.open[key.device]; x != nil {
		x.queue = slices.DeleteFunc(x.queue, func(p *offer) bool { return p == o })
	}
	delete(s.offers, key)
	s.refuse(key, m.Try)
	return false, nil
}

// offer puts a message on its way; nil: it is not, and shown says whether it has been there before.
func (s *sessions) offer(key shownKey, m *record.Screen) (o *offer, shown bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.shown[key].IsZero() {
		return nil, true
	}
	if o := s.offers[key]; o != nil {
		return o, false
	}
	x := s.open[key.device]
	if x == nil || s.refused[key] >= m.Try || m.Expires <= s.osg.Now().UnixMilli() {
		s.refuse(key, m.Try)
		return nil, false
	}
	o = &offer{Screen: *m, sent: make(chan struct{})}
	s.offers[key] = o
	x.queue = append(x.queue, o)
	select {
	case x.more <- struct{}{}:
	default:
	}
	return o, false
}

// refuse remembers that a message was not shown at a try. The mutex is held.
func (s *sessions) refuse(key shownKey, try uint64) {
	now := s.osg.Now()
	if len(s.shown) >= maxShown {
		maps.DeleteFunc(s.shown, func(_ shownKey, until time.Time) bool { return !now.Before(until) })
		if len(s.shown) >= maxShown {
			clear(s.shown) // claims know, and devices drop what they had
		}
	}
	if len(s.refused) >= maxShown {
		clear(s.refused) // what is so old is not asked for any more
	}
	s.refused[key] = max(s.refused[key], try)
}
