package uplink_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats-server/v2/server/ats"
	"github.com/nats-io/nats.go"

	"tillstream/edge/journal"
	"tillstream/edge/uplink"
	"tillstream/kv/record"
)

// bubble runs a test in virtual time: what waits for minutes takes none. The hop gives packs to the
// store's journal itself: a micro service that stops takes a timer from a pool that the client shares
// with other bubbles.
func bubble(t *testing.T, f func(*testing.T, *world)) {
	t.Helper()
	t.Parallel()
	ats.Register() // the server's clock, which must not be made within
	t.Cleanup(ats.Unregister)
	synctest.Test(t, func(t *testing.T) {
		ns := startServer(t)
		w := &world{up: storeJournal(t), j: openJournal(t, t.TempDir(), lane1.Till), l: &link{id: 1, up: true}}
		w.h = &hop{t: t, hand: w.keep}
		if _, err := connect(t, ns).Subscribe(upward, w.h.take); err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // until the server has it
		w.u = uplink.New(uplink.Config{Conn: connect(t, ns), Subject: upward, Journal: w.j, Link: w.l.get, Log: logger(t)})
		f(t, w)
	})
}

// world is a till that sends to its store through a hop.
type world struct {
	h     *hop
	l     *link
	u     *uplink.Uplink
	j, up *journal.Journal
}

// keep is an intake's work on a good pack.
func (w *world) keep(p *record.Pack, _ *nats.Msg) (*nats.Msg, error) {
	marks := w.up.Marks(p.Ask)
	if len(p.Runs) > 0 {
		taken, err := w.up.Accept(w.h.t.Context(), p.Runs)
		if err != nil {
			return nil, err
		}
		marks = append(marks, taken...)
	}
	return &nats.Msg{Data: record.AppendMarks(nil, marks)}, nil
}

// pass lets virtual time pass.
func pass(d time.Duration) { <-time.After(d) }

// An upstream whose disk is full answers questions and takes no pack. It is not flooded with the same
// pack, and gets it when it can take it.
func TestErrorAnswers(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.h.on(func(p *record.Pack, m *nats.Msg) (pass, answer bool) {
			if len(p.Runs) == 0 {
				return true, true
			}
			refuse(t, m, "503")
			return false, false
		})
		sold := sell(t, w.j, 10)
		run(t, w.u.Run)
		pass(time.Minute)
		_, times := w.h.seen()
		if n := len(times); n < 30 || n > 150 {
			t.Errorf("the pack was sent %d times in a minute, want about 60", n)
		}
		for i := 10; i < len(times); i++ {
			if gap := times[i].Sub(times[i-1]); gap < 400*time.Millisecond || gap > 2*time.Second {
				t.Fatalf("after %d refusals it waits %v", i, gap)
			}
		}
		if n, _ := w.j.Unconfirmed(); n != 11 {
			t.Errorf("%d records are unconfirmed, want 11", n)
		}
		w.h.on(nil)
		pass(3 * time.Second)
		if n, _ := w.j.Unconfirmed(); n != 0 {
			t.Errorf("%d records are unconfirmed 3 s after upstream takes them again", n)
		}
		wantHeld(t, w.up, sold)
	})
}

// An answer that was under way when the link broke does not come: the pack is sent again as soon as
// there is a link, long before the time for an answer is up.
func TestLinkBreaks(t *testing.T) {
	for _, c := range []struct {
		name   string
		break_ func(*link)
		down   time.Duration
	}{
		{"it is another one", func(l *link) { l.set(2, true) }, 0},
		{"it is down", func(l *link) { l.set(1, false) }, time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				w.h.on(func(p *record.Pack, _ *nats.Msg) (pass, answer bool) {
					return len(p.Runs) == 0, true
				})
				sold := sell(t, w.j, 10)
				run(t, w.u.Run)
				pass(2 * time.Second)
				if packs, _ := w.h.seen(); len(packs) != 1 {
					t.Fatalf("%d packs were sent, want one that is awaited", len(packs))
				}
				w.h.on(nil)
				c.break_(w.l)
				pass(c.down)
				if packs, _ := w.h.seen(); len(packs) != 1 {
					t.Errorf("a pack was sent although the link is down")
				}
				w.l.set(2, true)
				pass(2 * time.Second)
				if n, _ := w.j.Unconfirmed(); n != 0 {
					t.Errorf("%d records are unconfirmed 2 s after the link is back", n)
				}
				wantHeld(t, w.up, sold)
			})
		})
	}
}

// A pack that nobody answers is given up after Config.Wait, 10 s, while the link says that it is up.
func TestNoAnswer(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		var silent sync.Once
		w.h.on(func(p *record.Pack, _ *nats.Msg) (pass, answer bool) {
			pass = true
			if len(p.Runs) > 0 {
				silent.Do(func() { pass = false })
			}
			return pass, true
		})
		sold := sell(t, w.j, 10)
		run(t, w.u.Run)
		pass(9 * time.Second)
		if n, _ := w.j.Unconfirmed(); n != 11 {
			t.Errorf("%d records are unconfirmed, want 11", n)
		}
		pass(2 * time.Second)
		if n, _ := w.j.Unconfirmed(); n != 0 {
			t.Errorf("%d records are unconfirmed after the time for an answer is up", n)
		}
		wantHeld(t, w.up, sold)
	})
}

// With nothing to send, upstream is asked now and then: its last answer is the health of the link.
func TestLastAnswerMovesWhenIdle(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		if got := w.u.LastAnswer(); !got.IsZero() {
			t.Errorf("last answer %v before the first", got)
		}
		run(t, w.u.Run)
		for range 10 {
			pass(time.Minute)
			if age := time.Since(w.u.LastAnswer()); age > 16*time.Second {
				t.Errorf("the last answer is %v old", age)
			}
		}
		w.l.set(1, false)
		w.h.on(func(*record.Pack, *nats.Msg) (pass, answer bool) { return false, false })
		pass(time.Minute)
		if age := time.Since(w.u.LastAnswer()); age < 45*time.Second {
			t.Errorf("the last answer is %v old, although the link is down", age)
		}
		if packs, _ := w.h.seen(); len(packs) > 0 {
			t.Errorf("%d packs with runs were sent, but nothing was sold", len(packs))
		}
	})
}

// Run ends at once with its context, whatever it waits for.
func TestStopsWhileItWaits(t *testing.T) {
	for name, wait := range map[string]func(*testing.T, *world){
		"for an answer": func(t *testing.T, w *world) { sell(t, w.j, 1); w.h.on(dropped) },
		"for a receipt": func(*testing.T, *world) {},
		"for the link":  func(_ *testing.T, w *world) { w.l.set(1, false) },
		"after an error": func(_ *testing.T, w *world) {
			w.h.on(func(_ *record.Pack, m *nats.Msg) (bool, bool) { refuse(t, m, "503"); return false, false })
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				wait(t, w)
				stop := run(t, w.u.Run)
				pass(20*time.Second + 300*time.Millisecond)
				before := time.Now()
				stop()
				if took := time.Since(before); took > 0 {
					t.Errorf("it took %v to stop", took)
				}
			})
		})
	}
}

func dropped(p *record.Pack, _ *nats.Msg) (pass, answer bool) { return len(p.Runs) == 0, true }
