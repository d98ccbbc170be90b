package leaf

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"time"
)

// greeter takes connections, greets as a leaf port does, and says no more.
func greeter(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", localhost)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { c.Close() })
			_, _ = c.Write([]byte(greeting + "{}\r\n")) // the leaf may have gone
		}
	})
	t.Cleanup(func() {
		l.Close()
		wg.Wait()
	})
	return l.Addr().String()
}

func TestRunGivesUpOnlyWhenThisServerIsAtFault(t *testing.T) {
	t.Parallel()
	_, public := key(t)
	seed, _ := key(t)
	above := open(t, Config{
		Name: "above", Accept: localhost,
		Downstream: []User{{Nkey: public, Publish: []string{">"}, Subscribe: []string{">"}}},
	})
	l, err := net.Listen("tcp", localhost)
	if err != nil {
		t.Fatal(err)
	}
	away := l.Addr().String()
	l.Close()
	for what, c := range map[string]struct {
		addr string
		want error
	}{
		"upstream greets and no more": {greeter(t), ErrStuck},
		"upstream refuses the key":    {above.LeafAddr(), nil},
		"upstream is away":            {away, nil},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			l := open(t, Config{Name: "till", Upstreams: []string{"nats-leaf://" + c.addr}, UpstreamSeed: seed})
			l.pace = pace{look: 50 * time.Millisecond, again: 800 * time.Millisecond, stuck: 1600 * time.Millisecond}
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			if err := l.Run(ctx); !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			if c.want != nil && ctx.Err() != nil {
				t.Fatal("not in time")
			}
			if _, up := l.link(); up && c.want == nil {
				t.Fatal("up")
			}
		})
	}
}

func TestWatch(t *testing.T) {
	t.Parallel()
	start := time.Unix(1_000_000, 0)
	w := watch{pace: pace{look: 1, again: 10, stuck: 60}, since: start, tried: start}
	at := func(s time.Duration) time.Time { return start.Add(s) }
	for s := range time.Duration(10) { // flapping: a new connection at each look
		if w.due(at(s), uint64(s+1), true) {
			t.Fatalf("due at %d", s)
		}
	}
	if !w.due(at(10), 99, true) || w.judge(at(10), true) {
		t.Fatal("a link that flaps for 10 must be judged, and is not stuck yet")
	}
	if w.due(at(11), 99, true) { // two looks, one connection: it lasts
		t.Fatal("due although it lasts")
	}
	if !w.due(at(21), 0, false) || w.judge(at(21), false) {
		t.Fatal("down and out of reach is not stuck")
	}
	for s := time.Duration(31); s < 81; s += 10 {
		if !w.due(at(s), 0, false) || w.judge(at(s), true) {
			t.Fatalf("at %d: down, reachable since 21, not stuck before 81", s)
		}
	}
	if !w.due(at(81), 0, false) || !w.judge(at(81), true) {
		t.Fatal("reachable and down for 60 is stuck")
	}
}
