package replica

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"tillstream/central/fold"
	"tillstream/kv/record"
)

func TestOneNodeWritesAndAllComeToTheSame(t *testing.T) {
	c := started(t, three)
	w := c.writer()
	l := c.load(8, c.nodes...)
	l.wait(300)
	answered := l.end()
	c.check(answered)
	if got := c.writer(); got != w {
		t.Logf("the writer was node %d and is node %d: a wrong suspicion on a busy machine", w.i, got.i)
	}
}

// The node that writes stops under load: another writes on, and what was answered is there, once.
func TestTheWriterStopsUnderLoad(t *testing.T) {
	c := started(t, three)
	w := c.writer()
	l := c.load(4, c.nodes...)
	l.wait(60)
	w.stop()
	start := time.Now()
	l.wait(60)
	t.Logf("60 more answers %v after the stop", time.Since(start))
	w.start()
	l.wait(20)
	c.check(l.end())
}

// The same without manners, twice over, so that each node has its turn or could have.
func TestWritersCrashOneAfterTheOther(t *testing.T) {
	c := started(t, three)
	l := c.load(2, c.nodes...)
	for range 2 {
		w := c.writer()
		l.wait(20)
		w.crash()
		l.wait(20)
		w.start()
	}
	l.wait(20)
	c.check(l.end())
}

// A writer whose heartbeats nobody hears, and who hears none: another takes over while it still writes,
// and wakes from a stop in the middle of an entry. Nothing answered is lost or doubled, and the deaf one
// does not push the other out again.
func TestAZombieIsRefused(t *testing.T) {
	c := newChain(t, three)
	gate := make(chan struct{})
	wake := sync.OnceFunc(func() { close(gate) })
	t.Cleanup(wake) // before the nodes are stopped
	frozen := make(chan *member, 3)
	for _, m := range c.nodes {
		m.applied = func(e *fold.Entry, _ *fold.Effects) {
			if slices.ContainsFunc(e.Proposals, func(p fold.Proposal) bool { return string(p.Head) == "freeze" }) {
				m.beats.Close() // whoever writes by now
				frozen <- m
				<-gate
			}
		}
		m.start()
	}
	w := c.writer()
	l := c.load(4, c.nodes...)
	l.wait(40)
	w.propose("freeze") // answered just before the writer freezes
	zombie := <-frozen
	others := c.other(zombie)
	eventually(t, "another writer", func() bool { w := others.Status().Writer; return w != "" && w != nodeID(zombie.i).String() })
	l.wait(20)
	wake() // it wakes, believing that it writes, with proposals waiting
	l.wait(40)
	eventually(t, "the zombie follows", func() bool { return zombie.Status().Writer != nodeID(zombie.i).String() })
	c.check(l.end())
}

// A deaf node that does not write never tries to, once it has noticed.
func TestADeafNodeDoesNotTakeOver(t *testing.T) {
	c := newChain(t, three)
	var wrote [3]atomic.Int64 // entries, by node
	for i, m := range c.nodes {
		m.applied = func(*fold.Entry, *fold.Effects) { wrote[i].Add(1) }
		m.start()
	}
	w := c.writer()
	deaf := c.other(w)
	eventually(t, "it has heard two others", func() bool {
		deaf.peers.mu.Lock()
		defer deaf.peers.mu.Unlock()
		return len(deaf.peers.heard) == 2
	})
	deaf.beats.Close()
	// Before it knows that it is deaf it may take the journal once, and another takes it back.
	eventually(t, "it hears nobody, and another writes", func() bool {
		writes := func(m *member) bool { return m.Status().Writer == nodeID(m.i).String() }
		for _, m := range c.nodes {
			if m != deaf && writes(m) {
				w = m
			}
		}
		return deaf.peers.alone(time.Now()) && !writes(deaf) && writes(w)
	})
	beats := make(chan *nats.Msg, 64)
	if _, err := c.conn.ChanSubscribe(c.net.Heartbeat(nodeID(w.i)), beats); err != nil {
		t.Fatal(err)
	}
	patience := func(times int) {
		for range times * int(silence/beatEvery) {
			<-beats
		}
	}
	patience(1) // for a try that was under way
	before := wrote[deaf.i].Load()
	// While nothing is written it would have it easy: it has folded all there is.
	patience(5)
	l := c.load(2, w)
	l.wait(100)
	if n := wrote[deaf.i].Load() - before; n > 0 {
		t.Errorf("the deaf node has written %d entries", n)
	}
	c.check(l.end())
}

// The acknowledgement of an entry is lost with its connection: the writer finds its own entry in the
// journal, and answers as if it had heard.
func TestALostAcknowledgementIsFound(t *testing.T) {
	c := newChain(t, single)
	m, l := c.nodes[0], newLine()
	m.opts = []nats.Option{l.option()}
	m.start()
	first := m.propose("before")
	l.hold()
	answer := make(chan uint64, 1)
	go func() { answer <- m.propose("unheard") }()
	within(t, "the entry is stored", func(ctx context.Context) error {
		s, err := c.js.Stream(ctx, c.net.JournalStream())
		if err == nil && s.CachedInfo().State.LastSeq <= first {
			err = errors.New("not yet")
		}
		return err
	})
	l.cut()
	if got, want := <-answer, first+1; got != want {
		t.Fatalf("answered with entry %d, want %d", got, want)
	}
	c.check(map[string]uint64{"before": first, "unheard": first + 1})
	if s := m.Status(); s.Entry != first+1 || s.Term != 1 {
		t.Fatalf("the writer stood down, or wrote it again: %+v", s)
	}
}

// The stream's leader steps down again and again under load.
func TestTheStreamLeaderStepsDown(t *testing.T) {
	c := started(t, three)
	c.writer()
	l := c.load(4, c.nodes...)
	l.wait(20)
	for range 4 {
		within(t, "step down", func(ctx context.Context) error {
			_, err := c.conn.RequestWithContext(ctx, "$JS.API.STREAM.LEADER.STEPDOWN."+c.net.JournalStream(), nil)
			return err
		})
		l.wait(20)
	}
	c.check(l.end())
}

// A node whose clock is off does not write while two others agree on the time; if it was first, it
// stands down.
func TestANodeWithAWrongClockDoesNotWrite(t *testing.T) {
	c := newChain(t, three)
	wrong := c.nodes[0]
	wrong.now = func() time.Time { return time.Now().Add(10 * time.Second) }
	wrong.start()
	if w := c.writer(); w != wrong { // alone it may
		t.Fatalf("node %d writes", w.i)
	}
	c.nodes[1].start()
	c.nodes[2].start()
	eventually(t, "another writer", func() bool {
		w := c.nodes[1].Status().Writer
		return w != "" && w != nodeID(0).String()
	})
	n := c.nodes[0].propose("from the wrong one")
	if w := c.writer(); w == wrong {
		t.Fatal("the node with the wrong clock writes")
	}
	c.check(map[string]uint64{"from the wrong one": n})
}

// A message in the journal that is not the writer's stops every fold: each says so, answers reads, and
// nothing is acknowledged. The journal is repaired by people, not by guessing which branch was meant.
func TestAForeignMessageStopsTheFold(t *testing.T) {
	for name, foreign := range map[string]func(last *fold.Entry) []byte{
		"garbage": func(*fold.Entry) []byte { return []byte("hello") },
		"an entry that does not follow": func(last *fold.Entry) []byte {
			e := fold.Entry{Generation: last.Generation, Number: last.Number + 1, Term: last.Term, At: last.At}
			return e.Encode()
		},
		"an entry of another journal": func(last *fold.Entry) []byte {
			e := fold.Entry{Number: last.Number + 1, Term: last.Term, At: last.At, Prev: last.Hash()}
			return e.Encode()
		},
		"a boundary that ends another generation": func(last *fold.Entry) []byte {
			e := last.Tip().Boundary(record.Generation{1}, 1, last.At)
			e.Ends = record.Generation{2}
			return e.Encode()
		},
		"a boundary within a term": func(last *fold.Entry) []byte {
			e := last.Tip().Boundary(record.Generation{1}, 1, last.At)
			e.Term = last.Term
			return e.Encode()
		},
		"an entry too far": func(last *fold.Entry) []byte {
			e := fold.Entry{Generation: last.Generation, Number: last.Number + 2, Term: last.Term, At: last.At, Prev: last.Hash()}
			return e.Encode()
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := started(t, single)
			m := c.nodes[0]
			n := m.propose("before")
			all := c.journal()
			if _, err := c.js.Publish(t.Context(), c.net.Journal(), foreign(all[len(all)-1])); err != nil {
				t.Fatal(err)
			}
			eventually(t, "it says that the journal is broken", func() bool { return m.Status().Broken })
			ctx, cancel := context.WithTimeout(t.Context(), 3*silence)
			defer cancel()
			if _, _, err := m.Propose(ctx, fold.Proposal{Head: []byte("after")}); err == nil {
				t.Fatal("a proposal was taken after a foreign message")
			}
			if err := m.Read(t.Context(), n, func(n uint64) {
				if got := fmt.Sprint(m.machine.Order); got != "[before]" {
					t.Errorf("state %s at entry %d", got, n)
				}
			}); err != nil {
				t.Fatal(err)
			}
			if s := m.Status(); s.Entry != n || s.Writer != "" {
				t.Fatalf("status %+v, want entry %d and no writer", s, n)
			}
		})
	}
}

func TestReadWaitsForItsEntry(t *testing.T) {
	c := started(t, single)
	m := c.nodes[0]
	n := m.propose("one")
	read := make(chan error, 1)
	go func() {
		read <- m.Read(t.Context(), n+1, func(at uint64) {
			if at < n+1 || m.machine.seen["two"] == 0 {
				t.Errorf("read at entry %d, want %d and what it made", at, n+1)
			}
		})
	}()
	if got, want := m.propose("two"), n+1; got != want {
		t.Fatalf("entry %d, want %d", got, want)
	}
	if err := <-read; err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := m.Read(ctx, n+5, func(uint64) { t.Error("read what is not there") }); !errors.Is(err, ErrBehind) {
		t.Fatalf("got %v, want ErrBehind", err)
	}
}

func TestProposalsThatFitNoMessageAreRefused(t *testing.T) {
	c := started(t, three)
	c.writer()
	for _, m := range c.nodes {
		if _, _, err := m.Propose(t.Context(), fold.Proposal{Head: []byte("x"), Rest: make([]byte, maxProposal)}); !errors.Is(err, ErrTooLarge) {
			t.Fatalf("got %v, want ErrTooLarge", err)
		}
		// The largest is taken from every node; it is of noise, which does not compress.
		head := fmt.Sprint("large", m.i)
		ctx, cancel := context.WithTimeout(t.Context(), patient)
		if _, _, err := m.Propose(ctx, fold.Proposal{Head: []byte(head), Rest: noise(maxProposal - len(head))}); err != nil {
			t.Fatal(err)
		}
		cancel()
	}
}

// Two large proposals are two entries.
func TestLargeProposalsAreNotPutTogether(t *testing.T) {
	c := started(t, single)
	m := c.nodes[0]
	c.writer()
	type result struct {
		entry uint64
		err   error
	}
	results := make(chan result, 12)
	ctx, cancel := context.WithTimeout(t.Context(), patient)
	defer cancel()
	for i := range cap(results) {
		go func() {
			n, _, err := m.Propose(ctx, fold.Proposal{Head: fmt.Append(nil, i), Rest: noise(300 << 10)})
			results <- result{n, err}
		}()
	}
	answered := map[uint64]int{}
	for range cap(results) {
		r := <-results
		if r.err != nil {
			t.Fatal(r.err)
		}
		if answered[r.entry]++; answered[r.entry] > fold.MaxEntry/(300<<10) {
			t.Fatalf("entry %d holds more than an entry may", r.entry)
		}
	}
	c.check(nil)
}

// Two nodes that try in the same millisecond write different bytes: the one whose entry was refused must
// not take the other's for its own.
func TestCandidatesOfTheSameMomentAreNotBothTheWriter(t *testing.T) {
	c := newChain(t, three)
	at := time.Now()
	for _, m := range c.nodes[:2] {
		m.now = func() time.Time { return at }
		m.open()
	}
	a, b := c.nodes[0].next(nil), c.nodes[1].next(nil)
	if err := c.nodes[0].append(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	if err := c.nodes[1].append(t.Context(), b); !errors.Is(err, errLost) {
		t.Fatalf("the second append gives %v, want errLost", err)
	}
}

// The same entry twice in the stream is one entry, and the next one follows the second.
func TestAnEntryStoredTwiceIsOne(t *testing.T) {
	c := started(t, single)
	m := c.nodes[0]
	n := m.propose("one")
	s, err := c.js.Stream(t.Context(), c.net.JournalStream())
	if err != nil {
		t.Fatal(err)
	}
	last, err := s.GetLastMsgForSubject(t.Context(), c.net.Journal())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.js.Publish(t.Context(), c.net.Journal(), last.Data); err != nil {
		t.Fatal(err)
	}
	if got, want := m.propose("two"), n+1; got != want {
		t.Fatalf("entry %d, want %d", got, want)
	}
	m.stop()
	m.start()
	if got, want := m.propose("three"), n+3; got != want { // after the empty entry of its term
		t.Fatalf("entry %d, want %d", got, want)
	}
}
