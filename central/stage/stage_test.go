package stage_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tillstream/central/stage"
	"tillstream/central/streams"
	"tillstream/subjects"
	"tillstream/subjects/event"
)

func TestAnEventPasses(t *testing.T) {
	w := open(t)
	w.run(w.config(nil))
	e := w.event(1, 1)
	e.Stamps[event.DEC] = e.Time
	w.Publish(w.Net.CPPEnriched(), e, []byte(`{"a": 1}`))
	got := w.Expect(w.Net.Relevant())
	if got.ID != out(e.ID) || string(got.Data) != `{"a": 1}` || got.Type != event.TypeRelevant {
		t.Errorf("got %+v with %s", got.Envelope, got.Data)
	}
	for _, p := range []event.Point{event.CPP, event.DEC, event.TIM} {
		if got.Stamps[p].IsZero() {
			t.Errorf("stamp of %s is lost", p)
		}
	}
	w.Settle(subjects.TIM)
	w.ExpectNone(w.Net.Relevant())
}

// Both rows of the fault table: the publish failed; it failed but was kept, and the instance died of it. Nothing is
// lost, and what comes twice has the same id.
func TestAKillBetweenPublishAndAck(t *testing.T) {
	for name, kept := range map[string]bool{"failed": false, "kept": true} {
		t.Run(name, func(t *testing.T) {
			w := open(t)
			w.ackWait(500 * time.Millisecond)
			ctx, kill := context.WithCancel(t.Context())
			cfg := w.config(nil)
			cfg.JS = faulty{cfg.JS, func(_ *nats.Msg, really func() error) error {
				if kept {
					w.Must(really())
				}
				kill()
				return errTest
			}}
			id := w.put(1, 1)
			if err := stage.New(cfg).Run(ctx); err != nil {
				t.Fatal(err)
			}
			delivered := make(chan bool, 1)
			w.run(w.config(func(_ context.Context, in *stage.Input) error {
				delivered <- in.Delivered
				return nil
			}))
			times := 1
			if kept {
				times = 2
			}
			for range times {
				if got := w.Expect(w.Net.Relevant()); got.ID != out(id) {
					t.Errorf("got %s, want %s", got.ID, out(id))
				}
			}
			if !<-delivered {
				t.Error("the handler is not told that it may be a repeat")
			}
			w.Settle(subjects.TIM)
			w.ExpectNone(w.Net.Relevant())
		})
	}
}

func TestAnErrorMeansAgain(t *testing.T) {
	w := open(t)
	tries := make(chan int, 10)
	w.run(w.config(func(_ context.Context, in *stage.Input) error {
		tries <- in.Tries
		if in.Tries < 3 {
			return errTest
		}
		return nil
	}))
	id := w.put(1, 1)
	if got := w.Expect(w.Net.Relevant()); got.ID != out(id) {
		t.Errorf("got %s", got.ID)
	}
	w.Settle(subjects.TIM)
	close(tries)
	var got []int
	for n := range tries {
		got = append(got, n)
	}
	if want := []int{1, 2, 3}; !slices.Equal(got, want) {
		t.Errorf("tries %v, want %v", got, want)
	}
	w.ExpectNone(w.Net.Relevant())
	w.ExpectNone(w.Net.DeadLetters(subjects.TIM))
}

// Events that fail for long do not keep the others out, though there are as many as there are slots.
func TestThoseThatFailLetTheOthersPass(t *testing.T) {
	w := open(t)
	good := w.event(2, 0).Attempt
	passed := make(chan struct{})
	cfg := w.config(func(_ context.Context, in *stage.Input) error {
		if in.Attempt == good {
			close(passed)
			return nil
		}
		select {
		case <-passed:
			return nil
		default:
			return errTest
		}
	})
	cfg.AtOnce = 2
	w.run(cfg)
	for n := range 2 {
		w.put(1, n)
	}
	w.put(2, 0)
	for range 3 {
		w.Expect(w.Net.Relevant())
	}
}

func TestEventsOfAnAccountAreInOrder(t *testing.T) {
	w := open(t)
	var mu sync.Mutex
	var order []string // guarded by mu
	other := make(chan struct{})
	names := map[string]string{}
	for n := range 3 {
		names[w.event(1, n).ID] = "a" + string(rune('0'+n))
	}
	names[w.event(2, 0).ID] = "b0"
	cfg := w.config(func(_ context.Context, in *stage.Input) error {
		mu.Lock()
		defer mu.Unlock()
		name := names[in.ID]
		order = append(order, name)
		switch {
		case name == "b0":
			close(other)
		case name == "a1" && in.Tries == 1:
			return errTest
		case name == "a1":
			select {
			case <-other: // that of another account goes on meanwhile
			default:
				return errTest
			}
		}
		return nil
	})
	cfg.Ordered = true
	w.run(cfg)
	for n := range 3 {
		w.put(1, n)
	}
	w.put(2, 0)
	for range 4 {
		w.Expect(w.Net.Relevant())
	}
	mu.Lock()
	defer mu.Unlock()
	got := slices.Compact(slices.DeleteFunc(slices.Clone(order), func(s string) bool { return s == "b0" }))
	if want := []string{"a0", "a1", "a2"}; !slices.Equal(got, want) {
		t.Errorf("order %v, want %v", got, want)
	}
}

// One account with many events behind one that takes long does not take every slot.
func TestOneAccountDoesNotTakeEverySlot(t *testing.T) {
	w := open(t)
	other := w.event(2, 0).Attempt
	passed := make(chan struct{})
	cfg := w.config(func(ctx context.Context, in *stage.Input) error {
		if in.Attempt == other {
			close(passed)
			return nil
		}
		select {
		case <-passed:
		case <-ctx.Done():
		}
		return nil
	})
	cfg.Ordered, cfg.AtOnce = true, 4
	w.run(cfg)
	want := map[string]bool{}
	for n := range 10 {
		want[out(w.put(1, n))] = true
	}
	want[out(w.put(2, 0))] = true
	w.wait("the other account", passed)
	for range len(want) {
		delete(want, w.Expect(w.Net.Relevant()).ID)
	}
	if len(want) > 0 {
		t.Errorf("lost %d events", len(want))
	}
}

// An event that takes longer than the server waits for a dead instance is not given to another.
func TestAnEventThatTakesLongIsKept(t *testing.T) {
	w := open(t)
	w.ackWait(4 * time.Second)
	acks, err := w.Conn.SubscribeSync("$JS.ACK.>")
	w.Must(err)
	w.Must(w.Conn.Flush())
	var handled tally
	cfg := w.config(func(ctx context.Context, in *stage.Input) error {
		handled.add(in.ID)
		if in.Delivered {
			return nil
		}
		for range 2 { // 4 s at the least
			m, err := acks.NextMsgWithContext(ctx)
			if err != nil {
				return err
			}
			if string(m.Data) != "+WPI" {
				t.Errorf("the server is told %q", m.Data)
			}
		}
		return nil
	})
	w.run(cfg)
	id := w.put(1, 1)
	w.Expect(w.Net.Relevant())
	w.Settle(subjects.TIM)
	if n := handled.of(id); n != 1 {
		t.Errorf("handled %d times", n)
	}
}

func TestInstancesShareAStage(t *testing.T) {
	w := open(t)
	const events = 200
	var both sync.WaitGroup
	both.Add(2)
	for range 2 {
		var once sync.Once
		cfg := w.config(func(context.Context, *stage.Input) error {
			once.Do(func() { both.Done(); both.Wait() }) // each has one at least
			return nil
		})
		cfg.AtOnce = 8
		w.run(cfg)
	}
	w.expectEach(events)
}

// expectEach publishes events and wants one of each, however often.
func (w world) expectEach(events int) {
	w.T.Helper()
	want := map[string]bool{}
	for n := range events {
		want[out(w.put(uint16(n), n))] = true
	}
	w.expectAll(want)
	w.Settle(subjects.TIM)
	w.ExpectNone(w.Net.Relevant())
}

// expectAll wants events that have these ids; one may come again.
func (w world) expectAll(want map[string]bool) {
	w.T.Helper()
	for left := len(want); left > 0; {
		id := w.Expect(w.Net.Relevant()).ID
		first, ok := want[id]
		if !ok {
			w.T.Fatalf("an event %s that nobody sent", id)
		}
		if first {
			left--
		}
		want[id] = false
	}
}

func TestOneOfTwoIsKilled(t *testing.T) {
	w := open(t)
	w.ackWait(500 * time.Millisecond)
	const events = 200
	killed := make(chan struct{})
	var seen tally
	stop := w.run(w.config(func(ctx context.Context, _ *stage.Input) error {
		if seen.add("") == events/4 {
			close(killed)
		}
		if seen.of("") >= events/4 {
			<-ctx.Done() // it dies with these in its hands
			return ctx.Err()
		}
		return nil
	}))
	want := map[string]bool{}
	for n := range events {
		want[out(w.put(uint16(n), n))] = true
	}
	w.wait("the first instance has work", killed)
	stop()
	w.run(w.config(nil))
	w.expectAll(want)
	w.Settle(subjects.TIM)
}

func TestAStagePausesWithItsConsumer(t *testing.T) {
	w := open(t)
	w.run(w.config(nil))
	w.put(1, 1)
	w.Expect(w.Net.Relevant())
	stream, err := w.JS.Stream(t.Context(), w.Net.FlowStream())
	w.Must(err)
	if p, err := stream.PauseConsumer(t.Context(), subjects.TIM.String(), time.Now().Add(time.Hour)); err != nil || !p.Paused {
		t.Fatalf("pause: %+v, %v", p, err)
	}
	w.put(1, 2)
	w.Until("an event waits", subjects.TIM, func(i *jetstream.ConsumerInfo) bool { return i.NumPending == 1 && i.Paused })
	w.ExpectNone(w.Net.Relevant())
	_, err = stream.ResumeConsumer(t.Context(), subjects.TIM.String())
	w.Must(err)
	w.Expect(w.Net.Relevant())
}

// Whoever takes the consumer or the stream away, and makes it again, finds the stage at work.
func TestConsumerAndStreamAreMadeAgain(t *testing.T) {
	w := open(t)
	w.run(w.config(nil))
	first := w.put(1, 1)
	w.Expect(w.Net.Relevant())
	w.Settle(subjects.TIM)

	w.Must(w.JS.DeleteConsumer(t.Context(), w.Net.FlowStream(), subjects.TIM.String()))
	w.Must(streams.ApplyConsumers(t.Context(), w.JS, w.Net))
	second := w.put(1, 2)
	w.expectAll(map[string]bool{out(first): true, out(second): true}) // a new consumer begins with what the stream has
	w.Settle(subjects.TIM)

	w.Must(w.JS.DeleteStream(t.Context(), w.Net.FlowStream()))
	_, err := streams.Apply(t.Context(), w.JS, streams.WantFlow(w.Net, 1))
	w.Must(err)
	w.Must(streams.ApplyConsumers(t.Context(), w.JS, w.Net))
	w.put(1, 3)
	w.Settle(subjects.TIM)
	stream, err := w.JS.Stream(t.Context(), w.Net.FlowStream())
	w.Must(err)
	m, err := stream.GetLastMsgForSubject(t.Context(), w.Net.Relevant())
	if err != nil || m.Header.Get("ce-id") != out(w.event(1, 3).ID) {
		t.Errorf("got %+v, %v", m, err)
	}
}
