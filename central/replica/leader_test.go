package replica

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tillstream/central/fold"
	"tillstream/subjects"
)

// Whoever waits for a stream leader that answers nothing asks again as soon as there is another one.
func TestAWaitForADeadLeaderEndsWithTheNext(t *testing.T) {
	c := newChain(t, single)
	const deaf = "deaf" // an API that takes questions and answers none
	asked := make(chan *nats.Msg, 16)
	if _, err := c.conn.ChanSubscribe(deaf+".>", asked); err != nil {
		t.Fatal(err)
	}
	r, err := Open(Config{Node: nodeID(0), Net: c.net, Machine: newTally(), Dir: t.TempDir(), Conn: c.conn, Beats: c.conn, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if r.js, err = jetstream.NewWithAPIPrefix(c.conn, deaf); err != nil {
		t.Fatal(err)
	}
	r.lastWait = patient
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := r.hear(ctx); err != nil {
			t.Error(err)
		}
	})
	ended := make(chan error, 1)
	wg.Go(func() {
		_, err := r.last(ctx)
		ended <- err
	})
	<-asked
	// The subscription above may not be there yet: it is said until it is heard.
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	late := time.After(patient / 4)
	for waits := true; waits; {
		select {
		case err := <-ended:
			if err == nil {
				t.Error("nobody answered, and yet there is a last message")
			}
			waits = false
		case <-tick.C:
			if err := c.conn.Publish(elected+c.net.JournalStream(), nil); err != nil {
				t.Fatal(err)
			}
		case <-late:
			t.Error("it still waits for the leader that is dead")
			waits = false
		}
	}
	if r.lastWait != tipWait {
		t.Errorf("the next wait is %s, want %s: the next leader is another one", r.lastWait, tipWait)
	}
	cancel()
	wg.Wait()
	if err := r.Abandon(); err != nil {
		t.Error(err)
	}
}

// A node that has not folded the journal's last messages, for its reader has died with another node, reads them
// itself and writes.
func TestACandidateReadsWhatItLacks(t *testing.T) {
	c := newChain(t, single)
	w := c.nodes[0]
	w.start()
	for i := range 5 {
		w.propose(fmt.Sprint("proposal ", i))
	}
	w.halt()
	want := w.Status()
	machine := newTally()
	r, err := Open(Config{Node: nodeID(1), Net: c.net, Machine: machine, Dir: t.TempDir(), Conn: c.conn, Beats: c.conn, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patient)
	defer cancel()
	err = r.candidate(ctx) // nothing runs: this goroutine is the fold's
	for errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		err = r.candidate(ctx) // the machine is busy
	}
	if err != nil {
		t.Error(err)
	}
	if got := r.Status(); got.Writer != nodeID(1).String() || got.Entry != want.Entry+1 || got.Digest != want.Digest {
		t.Errorf("at entry %d with digest %s, %q writes; want entry %d, digest %s and this node", got.Entry, got.Digest, got.Writer, want.Entry+1, want.Digest)
	}
	if err := r.Abandon(); err != nil {
		t.Error(err)
	}
}

// A node's reader cannot have a consumer, for the cluster has no leader, or not yet: the entries of the others
// reach it all the same.
func TestReadsOnWithoutAConsumer(t *testing.T) {
	c := newChain(t, single)
	w := c.nodes[0]
	w.start()
	for i := range 5 {
		w.propose(fmt.Sprint("proposal ", i))
	}
	want := w.Status()
	// Of what is asked of JetStream here, only the stream's leader hears.
	const lost = "lost"
	_, err := c.conn.Subscribe(lost+".>", func(m *nats.Msg) {
		if m.Subject != subjects.StreamMessage(lost, c.net.JournalStream()) {
			return
		}
		if err := c.conn.PublishRequest(subjects.StreamMessage("", c.net.JournalStream()), m.Reply, m.Data); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	r, err := Open(Config{Node: nodeID(1), Net: c.net, Machine: newTally(), Dir: t.TempDir(), Conn: c.conn, Beats: c.conn, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if r.js, err = jetstream.NewWithAPIPrefix(c.conn, lost); err != nil {
		t.Fatal(err)
	}
	var last fold.Tip
	ctx, cancel := context.WithTimeout(t.Context(), patient)
	defer cancel()
	err = r.follow(ctx, 1, func(e *fold.Entry) error {
		if last = e.Tip(); last.Number == want.Entry {
			cancel()
		}
		return nil
	})
	if last.Number != want.Entry || last.Hash != want.Hash {
		t.Errorf("reads up to entry %d, %v; want the %d that there are", last.Number, err, want.Entry)
	}
	if err := r.Abandon(); err != nil {
		t.Error(err)
	}
}

// The fold of the node that writes hangs, as on a disk that answers nothing, and its heartbeats go on: another
// takes over all the same.
func TestAWriterThatHangsIsReplaced(t *testing.T) {
	c := newChain(t, three)
	gate := make(chan struct{})
	wake := sync.OnceFunc(func() { close(gate) })
	t.Cleanup(wake) // before the nodes are stopped
	hung := make(chan *member, 3)
	for _, m := range c.nodes {
		m.hungAfter = 2 * silence
		m.applied = func(e *fold.Entry, _ *fold.Effects) {
			if slices.ContainsFunc(e.Proposals, func(p fold.Proposal) bool { return string(p.Head) == "hang" }) {
				hung <- m
				<-gate
			}
		}
		m.start()
	}
	c.writer()
	c.nodes[0].propose("hang")
	w := <-hung
	other := c.other(w)
	eventually(t, "another writer", func() bool {
		s := other.Status().Writer
		return s != "" && s != nodeID(w.i).String()
	})
	n := other.propose("goes on")
	wake()
	c.check(map[string]uint64{"goes on": n})
}
