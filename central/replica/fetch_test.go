package replica

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"tillstream/subjects/service"
)

// A node without files takes another's and folds on from there, under load: the same state, the same history.
func TestANewNodeTakesAPeersFiles(t *testing.T) {
	c := started(t, three)
	w := c.writer()
	l := c.load(4, w)
	l.wait(20)
	m := c.other(w)
	m.stop()
	m.dir, m.worth = t.TempDir(), 1
	l.wait(20)
	m.start()
	l.wait(20)
	answered := l.end()
	c.check(answered)
	if got, all := m.machine.applied, int(m.Status().Entry); got == all {
		t.Errorf("all of %d entries were folded, in spite of two peers", all)
	}
	eventually(t, "the nodes at one entry", func() bool { return m.Status().Entry == w.Status().Entry })
	if got, want := m.told(), w.told(); !maps.Equal(got, want) {
		t.Errorf("%d lines of history, the writer has %d others", len(got), len(want))
	}
	m.crash() // what was fetched is on the disk
	m.start()
	c.check(answered)
	if got, all := m.machine.applied, int(m.Status().Entry); got == all {
		t.Errorf("after a crash all of %d entries were folded again", all)
	}
}

// Whatever a peer does, the node comes to the state that the journal makes.
func TestAPeerThatCannotBeBelieved(t *testing.T) {
	second := func(n int) bool { return n > 1 }
	for name, peer := range map[string]struct {
		harm  func(kind byte, n int, data []byte) ([]byte, error) // n: which answer of its kind
		folds bool                                                // from the first entry
	}{
		"it is honest":           {func(_ byte, _ int, b []byte) ([]byte, error) { return b, nil }, false},
		"it dies in the middle":  {func(kind byte, _ int, b []byte) ([]byte, error) { return b, later(kind == lendPiece) }, true},
		"it dies and comes back": {func(kind byte, n int, b []byte) ([]byte, error) { return b, later(kind == lendPiece && n == 1) }, false},
		"it flips a byte": {func(kind byte, _ int, b []byte) ([]byte, error) {
			if kind == lendPiece {
				b[len(b)/2] ^= 1
			}
			return b, nil
		}, true},
		"it flips a byte of the snapshot": {func(kind byte, n int, b []byte) ([]byte, error) {
			if kind == lendPiece && second(n) {
				b[len(b)/2] ^= 1
			}
			return b, nil
		}, true},
		"it ends too early": {func(kind byte, _ int, b []byte) ([]byte, error) {
			if kind == lendPiece {
				b = b[:0]
			}
			return b, nil
		}, true},
		"its entry is of another journal": {func(kind byte, _ int, b []byte) ([]byte, error) {
			if kind == lendOffer {
				b[1+16+8+8+8] ^= 1 // of the entry's hash
			}
			return b, nil
		}, true},
		"it offers another snapshot than it gives": {func(kind byte, _ int, b []byte) ([]byte, error) {
			if kind == lendOffer {
				b[1+16+8] ^= 1 // of its term
			}
			return b, nil
		}, true},
		"it offers nonsense": {func(kind byte, _ int, b []byte) ([]byte, error) { return b[:len(b)/2], nil }, true},
	} {
		t.Run(name, func(t *testing.T) {
			c := newChain(t, three)
			old, fresh := c.nodes[0], c.nodes[1]
			old.start()
			for i := range 20 {
				old.propose(fmt.Sprint("head ", i))
			}
			old.stop() // leaves a snapshot
			old.open()
			old.stand(t, peer.harm)
			fresh.worth = 1
			fresh.start()
			fresh.propose("after")
			c.check(nil)
			if got, all := fresh.machine.applied, int(fresh.Status().Entry); (got == all) != peer.folds {
				t.Errorf("%d of %d entries were folded, from the first: want %v", got, all, peer.folds)
			}
			if got := len(fresh.told()); got != 21 {
				t.Errorf("%d lines of history, want 21", got)
			}
			left, err := filepath.Glob(filepath.Join(fresh.dir, "*.peer"))
			if err != nil || len(left) > 0 {
				t.Errorf("files %v are left: %v", left, err)
			}
			if peer.folds {
				return
			}
			if _, err := os.Stat(filepath.Join(fresh.dir, SnapshotName)); err != nil {
				t.Error(err)
			}
		})
	}
}

func later(yes bool) error {
	if yes {
		return errors.New("this one has died")
	}
	return nil
}

// stand lets a member that is open and does not run lend its files, with harm done to each answer.
func (m *member) stand(t *testing.T, harm func(kind byte, n int, data []byte) ([]byte, error)) {
	t.Helper()
	l := &lender{r: m.Replica}
	var mu sync.Mutex
	n := map[byte]int{}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		err := service.New(service.Config{
			Conn: m.conn, Name: "peer", Endpoint: "files", Subject: m.c.net.Files(nodeID(m.i)), Log: m.log,
			Answer: func(ctx context.Context, q service.Question) (service.Answer, error) {
				a, err := l.answer(ctx, q)
				if err != nil {
					return a, err
				}
				mu.Lock()
				defer mu.Unlock()
				n[q.Data[1]]++
				a.Data, err = harm(q.Data[1], n[q.Data[1]], a.Data)
				return a, err
			},
		}).Run(ctx)
		if err != nil {
			t.Error(err)
		}
	})
	wg.Go(func() {
		tick := time.NewTicker(beatEvery)
		defer tick.Stop()
		for b := (heartbeat{node: nodeID(m.i)}); ; {
			b.clock = time.Now().UnixMilli()
			if err := m.beats.Publish(m.c.net.Heartbeat(nodeID(m.i)), b.append(nil)); err != nil && ctx.Err() == nil {
				t.Error(err)
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	})
	t.Cleanup(func() {
		cancel()
		wg.Wait()
		for _, g := range l.given {
			_ = g.file.Close() // only read
		}
	})
}
