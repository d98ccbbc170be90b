package cpp

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tillstream/central/flow"
	"tillstream/central/streams"
	"tillstream/kv/progress"
	"tillstream/kv/record"
	"tillstream/subjects"
	"tillstream/subjects/event"
)

// patience is how long a test waits for what must come.
const patience = time.Minute

var testKey = []byte("a secret of the brand")

// world is a centre's server with the flow's streams, and a clock that stands.
type world struct {
	t    *testing.T
	net  subjects.Net
	conn *nats.Conn
	js   jetstream.JetStream
	docs *flow.Documents

	read  []message // the flow's stream, as far as it was read
	floor int       // those before it are left out

	mu  sync.Mutex
	now time.Time // guarded by mu
}

func open(t *testing.T) *world {
	t.Helper()
	t.Parallel()
	srv, err := server.NewServer(&server.Options{DontListen: true, JetStream: true, StoreDir: t.TempDir(), NoSigs: true})
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	t.Cleanup(func() { srv.Shutdown(); srv.WaitForShutdown() })
	if !srv.ReadyForConnections(patience) {
		t.Fatal("the server does not come up")
	}
	w := &world{t: t, now: time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC), net: subjects.Net{
		DC: subjects.MustToken("eu1"), Env: subjects.MustToken("test"), Brand: subjects.BrandID{Token: subjects.MustToken("acme")},
	}}
	if w.conn, err = nats.Connect("", nats.InProcessServer(srv)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.conn.Close)
	if w.js, err = jetstream.New(w.conn); err != nil {
		t.Fatal(err)
	}
	for _, want := range [][]jetstream.StreamConfig{streams.Want(w.net, 1), streams.WantFlow(w.net, 1)} {
		if _, err := streams.Apply(t.Context(), w.js, want); err != nil {
			t.Fatal(err)
		}
	}
	w.docs = flow.NewDocuments(w.net, w.js, w.log())
	w.run(w.docs.Run)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := w.docs.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) log() *slog.Logger {
	return slog.New(slog.NewTextHandler(w.t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// run runs a component until the test ends or stop is called.
func (w *world) run(part func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(w.t.Context()))
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := part(ctx); err != nil {
			w.t.Errorf("a component ended: %v", err)
		}
	})
	stop = sync.OnceFunc(func() { cancel(); wg.Wait() })
	w.t.Cleanup(stop)
	return stop
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) set(at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = at
}

func (w *world) base(js jetstream.JetStream) flow.Base {
	return flow.Base{Net: w.net, Conn: w.conn, JS: js, Docs: w.docs, Now: w.clock, Log: w.log()}
}

func (w *world) settings(document string) {
	w.t.Helper()
	if _, err := w.docs.PutSettings(w.t.Context(), []byte(document)); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) promotion(document string) *progress.Promotion {
	w.t.Helper()
	p, err := w.docs.PutPromotion(w.t.Context(), []byte(document))
	if err != nil {
		w.t.Fatal(err)
	}
	return &p
}

// forget leaves out of said what was said until now.
func (w *world) forget() {
	w.t.Helper()
	w.fill()
	w.floor = len(w.read)
}

// message is an activity as it lies in the flow's stream.
type message struct {
	subject string
	event.Envelope
	header nats.Header
	data   []byte
	cpp    event.CPPActivity
	eppm   event.EPPMActivity
}

// fill reads what has come to the flow's stream.
func (w *world) fill() {
	w.t.Helper()
	stream, err := w.js.Stream(w.t.Context(), w.net.FlowStream())
	if err != nil {
		w.t.Fatal(err)
	}
	for seq := uint64(len(w.read)) + 1; seq <= stream.CachedInfo().State.LastSeq; seq++ {
		raw, err := stream.GetMsg(w.t.Context(), seq)
		if err != nil {
			w.t.Fatal(err)
		}
		m := message{subject: raw.Subject, header: raw.Header, data: raw.Data}
		if m.Envelope, err = event.ReadEnvelope(raw.Header); err == nil {
			if m.Type == event.TypeEPPMActivity {
				m.eppm, err = event.Read[event.EPPMActivity](&m.Envelope, m.Type, m.data)
			} else {
				m.cpp, err = event.Read[event.CPPActivity](&m.Envelope, m.Type, m.data)
			}
		}
		if err != nil {
			w.t.Fatalf("message %d: %v", seq, err)
		}
		w.read = append(w.read, m)
	}
}

// said gives all activities of an account, the first of each id; one that was said again must be the same.
func (w *world) said(account record.AccountID) (all []message, again int) {
	w.t.Helper()
	w.fill()
	seen := map[string]*message{}
	for i := range w.read[w.floor:] {
		m := &w.read[w.floor+i]
		if m.Attempt.Account != account {
			continue
		}
		if old := seen[m.ID]; old != nil {
			again++
			if a, b := text(w.t, old), text(w.t, m); a != b {
				w.t.Errorf("said again, and not the same:\n%s\n%s", a, b)
			}
			continue
		}
		seen[m.ID] = m
		all = append(all, *m)
	}
	return all, again
}

func text(t *testing.T, m *message) string {
	b, err := json.Marshal([]any{m.subject, m.header, string(m.data)})
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

var errFault = errors.New("a fault of the test")

// faulty is JetStream whose writes fail now and then: some were made nevertheless.
type faulty struct {
	jetstream.JetStream
	mu   sync.Mutex
	rnd  *rand.Rand // guarded by mu
	rate float64
}

// fails says whether the next write fails, and whether it is made.
func (f *faulty) fails() (fails, made bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.rnd.Float64() < f.rate, f.rnd.IntN(2) == 0
}

func (f *faulty) Publish(ctx context.Context, subject string, data []byte, opts ...jetstream.PublishOpt) (*jetstream.PubAck, error) {
	return f.PublishMsg(ctx, &nats.Msg{Subject: subject, Data: data}, opts...)
}

func (f *faulty) PublishMsg(ctx context.Context, m *nats.Msg, opts ...jetstream.PublishOpt) (*jetstream.PubAck, error) {
	fails, made := f.fails()
	if !fails {
		return f.JetStream.PublishMsg(ctx, m, opts...)
	}
	if made {
		if _, err := f.JetStream.PublishMsg(ctx, m, opts...); err != nil {
			return nil, err
		}
	}
	return nil, errFault
}

// journal is receipts that were posted, one an entry.
type journal struct {
	all []receipt
}

func (j *journal) add(kind record.Kind, account record.AccountID, of record.RID, at time.Time, body string) record.RID {
	r := receipt{entry: uint64(len(j.all) + 1), at: at}
	r.Kind, r.Account, r.Of, r.Data, r.At = kind, account, of, []byte(body), at.UnixMilli()
	r.RID = record.NewRID(at)
	r.store, r.till = subjects.StoreID{Token: subjects.MustToken("0042")}, subjects.TillID{Token: subjects.MustToken("t1")}
	j.all = append(j.all, r)
	return r.RID
}

// find is what the books and the journal say of a sale.
func (j *journal) find(_ context.Context, rid record.RID) (*story, error) {
	for i := range j.all {
		if j.all[i].RID != rid || j.all[i].Kind != record.KindSale {
			continue
		}
		doc, err := readDocument(&j.all[i].Receipt)
		if err != nil {
			return nil, err
		}
		s := &story{sale: j.all[i].Receipt, doc: doc}
		for k := range j.all {
			if j.all[k].Of == rid {
				s.add(&j.all[k].Receipt, j.all[k].entry)
			}
		}
		return s, nil
	}
	return nil, nil
}

func (j *journal) earlier() map[record.RID]bool {
	has := map[record.RID]bool{}
	for i := range j.all {
		if of := j.all[i].Of; of != (record.RID{}) {
			has[of] = true
		}
	}
	return has
}

// cpp makes a CPP that counts what is in a journal of the test.
func (w *world) cpp(js jetstream.JetStream, j *journal) *CPP {
	b := w.base(js)
	c := &CPP{b: b, goods: goods{}, standings: flow.NewStandings(b, testKey), find: j.find}
	return c
}

func shopper(n byte) record.AccountID { return record.AccountID{n, 15: 1} }
