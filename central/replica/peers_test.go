package replica

import (
	"testing"
	"time"

	"tillstream/subjects"
)

// clock moves only when told.
type clock struct{ now time.Time }

func (c *clock) add(d time.Duration) { c.now = c.now.Add(d) }

func newPeersAt() (*peers, *clock) {
	return newPeers(nodeID(0)), &clock{time.UnixMilli(1291192560000)}
}

func beatOf(node int, term uint64, writing bool, at time.Time) heartbeat {
	return heartbeat{node: nodeID(node), term: term, writing: writing, clock: at.UnixMilli()}
}

func (p *peers) expect(t *testing.T, now time.Time, writer string, term uint64, alive bool) {
	t.Helper()
	w, in, lives := p.writer(now)
	if w.String() != writer || in != term || lives != alive {
		t.Fatalf("writer %q in term %d, alive %v; want %q, %d, %v", w, in, lives, writer, term, alive)
	}
}

func TestHeartbeatsComeBackAsTheyWere(t *testing.T) {
	for _, b := range []heartbeat{beatOf(2, 1<<40, true, time.Now()), beatOf(0, 0, false, time.UnixMilli(0))} {
		data := b.append(nil)
		got, err := readBeat(data)
		if err != nil || got != b {
			t.Fatalf("%+v: %v, want %+v", got, err, b)
		}
		for cut := range data {
			if _, err := readBeat(data[:cut]); err == nil {
				t.Fatalf("%d of %d bytes were read", cut, len(data))
			}
		}
	}
	if _, err := readBeat((&heartbeat{node: subjects.NodeID{}}).append(nil)); err == nil {
		t.Fatal("a heartbeat of nobody was read")
	}
}

func TestAWriterIsAliveWhileItIsHeard(t *testing.T) {
	p, c := newPeersAt()
	p.expect(t, c.now, "", 0, false)
	p.hear(beatOf(1, 7, true, c.now), c.now)
	p.expect(t, c.now, "c1", 7, true)
	c.add(silence)
	p.expect(t, c.now, "c1", 7, false)
	p.hear(beatOf(1, 7, true, c.now), c.now)
	p.expect(t, c.now, "c1", 7, true)
	p.hear(beatOf(1, 7, false, c.now), c.now) // it says that it has stood down
	p.expect(t, c.now, "", 7, false)
}

// A writer of a lower term is a zombie, whatever it says of itself, and however late it says so.
func TestAZombiesHeartbeatsAreNotAWriters(t *testing.T) {
	p, c := newPeersAt()
	p.hear(beatOf(1, 7, true, c.now), c.now)
	p.hear(beatOf(2, 9, true, c.now), c.now)
	p.expect(t, c.now, "c2", 9, true)
	p.hear(beatOf(1, 7, true, c.now), c.now)
	p.expect(t, c.now, "c2", 9, true)
	p.hear(beatOf(2, 9, false, c.now), c.now)
	p.hear(beatOf(1, 7, true, c.now), c.now)
	p.expect(t, c.now, "", 9, false)
	p.setSelf(12, true)
	p.expect(t, c.now, "c0", 12, true)
	p.hear(beatOf(2, 9, true, c.now), c.now)
	p.expect(t, c.now, "c0", 12, true)
	p.hear(beatOf(2, 13, true, c.now), c.now) // the stream let it in
	p.expect(t, c.now, "c2", 13, true)
	p.setSelf(12, false)
	p.expect(t, c.now, "c2", 13, true)
}

func TestWhoeverWaitsForAWriterIsWoken(t *testing.T) {
	p, c := newPeersAt()
	woken := func(by func(), want bool) {
		t.Helper()
		_, change := p.watch()
		by()
		select {
		case <-change:
			if !want {
				t.Fatal("woken for nothing")
			}
		default:
			if want {
				t.Fatal("not woken")
			}
		}
	}
	beat := func(node int, term uint64, writing bool) func() {
		return func() { p.hear(beatOf(node, term, writing, c.now), c.now) }
	}
	woken(beat(1, 7, true), true)
	woken(beat(1, 7, true), false)
	woken(beat(2, 3, true), false)
	woken(beat(1, 9, true), true) // the same node in a new term: what waits there was dropped
	woken(beat(1, 9, false), true)
	woken(func() { p.setSelf(11, true) }, true)
	woken(func() { p.setSelf(11, false) }, true)
}

func TestDriftIsFromTheMedian(t *testing.T) {
	for _, d := range []struct {
		peers []time.Duration // offsets of the others' clocks
		want  time.Duration
	}{
		{nil, 0},
		{[]time.Duration{-10 * time.Second}, 0}, // two clocks have no majority
		{[]time.Duration{-10 * time.Second, -10 * time.Second}, 10 * time.Second},
		{[]time.Duration{10 * time.Second, 10 * time.Second}, 10 * time.Second},
		{[]time.Duration{0, 10 * time.Second}, 0},
		{[]time.Duration{-time.Hour, 10 * time.Second}, 0},
		{[]time.Duration{3 * time.Second, 4 * time.Second}, 3 * time.Second},
	} {
		p, c := newPeersAt()
		for i, off := range d.peers {
			p.hear(beatOf(i+1, 0, false, c.now.Add(off)), c.now)
		}
		if got, known := p.drift(c.now, c.now, 3); got != d.want || known != (len(d.peers) > 0) {
			t.Errorf("others at %v: drift %v, known %v, want %v", d.peers, got, known, d.want)
		}
	}
	// One that has long been silent has no voice.
	p, c := newPeersAt()
	p.hear(beatOf(1, 0, false, c.now.Add(-time.Hour)), c.now)
	c.add(time.Minute)
	p.hear(beatOf(2, 0, false, c.now.Add(-time.Hour)), c.now)
	if got, known := p.drift(c.now, c.now, 3); got != 0 || !known {
		t.Errorf("drift %v of two clocks, known %v", got, known)
	}
	c.add(time.Minute)
	if _, known := p.drift(c.now, c.now, 3); known {
		t.Error("of three nodes one alone knows the time")
	}
	if _, known := p.drift(c.now, c.now, 1); !known {
		t.Error("one that is all of the centre does not know the time")
	}
}

func TestAloneIsWhoHasHeardTwoAndHearsNone(t *testing.T) {
	p, c := newPeersAt()
	if p.alone(c.now) {
		t.Fatal("who has heard nobody may be the only node")
	}
	p.hear(beatOf(1, 0, false, c.now), c.now)
	c.add(time.Minute)
	if p.alone(c.now) {
		t.Fatal("of two nodes one may write when the other is gone")
	}
	p.hear(beatOf(2, 0, false, c.now), c.now)
	if p.alone(c.now) {
		t.Fatal("it hears one")
	}
	c.add(2 * silence)
	if !p.alone(c.now) {
		t.Fatal("it has heard two, and hears none")
	}
}

func TestANodeListensBeforeItTries(t *testing.T) {
	p, c := newPeersAt()
	if got, want := p.patience(c.now), c.now.Add(silence); !got.Equal(want) {
		t.Fatalf("first try at %v, want %v", got, want)
	}
	start := c.now
	c.add(time.Second)
	if got, want := p.patience(c.now), start.Add(silence); !got.Equal(want) {
		t.Fatalf("patience %v, want %v", got, want)
	}
	p.hold(c.now.Add(silence))
	if got, want := p.patience(c.now), c.now.Add(silence); !got.Equal(want) {
		t.Fatalf("patience %v, want %v", got, want)
	}
}
