package replica

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"tillstream/central/fold"
	"tillstream/central/streams"
	"tillstream/kv/record"
)

// bytesOf reads the journal's messages as they lie there.
func (c *chain) bytesOf() (all [][]byte) {
	c.t.Helper()
	within(c.t, "read the journal", func(ctx context.Context) error {
		all = nil
		src, err := OpenSource(ctx, c.js, c.net, fold.Tip{})
		for err == nil {
			var data []byte
			if data, _, err = src.Next(ctx); err == nil {
				all = append(all, data)
			}
		}
		if errors.Is(err, ErrBehind) {
			err = nil
		}
		return err
	})
	return all
}

// loseStream takes the journal, and makes the empty stream of a new centre.
func (c *chain) loseStream() {
	c.t.Helper()
	within(c.t, "lose the journal", func(ctx context.Context) error { return c.js.DeleteStream(ctx, c.net.JournalStream()) })
	within(c.t, "make the journal", func(ctx context.Context) error {
		_, err := streams.Apply(ctx, c.js, streams.Want(c.net, len(c.hubs)))
		return err
	})
}

// publish puts bytes into the journal.
func (c *chain) publish(data []byte) {
	c.t.Helper()
	within(c.t, "publish", func(ctx context.Context) error {
		_, err := c.js.Publish(ctx, c.net.Journal(), data)
		return err
	})
}

// backup is the copy of a journal.
func backup(c *chain, node int, all [][]byte) RestoreConfig {
	c.t.Helper()
	last, err := fold.Decode(all[len(all)-1])
	if err != nil {
		c.t.Fatal(err)
	}
	conn, err := c.hubs[node%len(c.hubs)].Connect(c.net.Brand, "restore")
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(conn.Close)
	return RestoreConfig{
		Node: nodeID(node), Net: c.net, Conn: conn, Last: last.Tip(),
		Entries: func(after uint64) iter.Seq2[[]byte, error] {
			return func(yield func([]byte, error) bool) {
				for _, b := range all[after:] {
					if !yield(b, nil) {
						return
					}
				}
			}
		},
		Log: slog.New(slog.NewTextHandler(c.t.Output(), nil)),
	}
}

// restored wants the backup byte for byte, then one boundary, and gives it.
func (c *chain) restored(all [][]byte) *fold.Entry {
	c.t.Helper()
	got := c.bytesOf()
	if len(got) <= len(all) || !bytes.Equal(bytes.Join(got[:len(all)], nil), bytes.Join(all, nil)) {
		c.t.Fatalf("%d messages, and not the %d of the backup before all", len(got), len(all))
	}
	e, err := fold.Decode(got[len(all)])
	if err != nil || !e.Begins() {
		c.t.Fatalf("behind the backup lies %+v (%v), want the beginning of a generation", e, err)
	}
	return e
}

// A restore that is broken off goes on where it was, one that is complete is left alone, and another
// journal is never written over.
func TestRestore(t *testing.T) {
	c, m := lived(t, (*member).stop)
	all := c.bytesOf()
	if err := Restore(t.Context(), backup(c, 0, all)); !errors.Is(err, ErrNotEmpty) || len(c.bytesOf()) != len(all) {
		t.Fatalf("over the very journal of which it is the backup: %v, %d messages of %d", err, len(c.bytesOf()), len(all))
	}
	c.loseStream()
	cfg := backup(c, 0, all)
	broken, cut := context.WithCancel(t.Context())
	defer cut()
	some := cfg
	some.Entries = func(after uint64) iter.Seq2[[]byte, error] {
		return func(yield func([]byte, error) bool) {
			for i, b := range all[after:] {
				if i == 5 {
					cut()
				}
				if !yield(b, nil) {
					return
				}
			}
		}
	}
	if err := Restore(broken, some); !errors.Is(err, context.Canceled) {
		t.Fatalf("broken off: %v", err)
	}
	if n := len(c.bytesOf()); n == 0 || n >= len(all) {
		t.Fatalf("%d messages of %d after it was broken off", n, len(all))
	}
	for range 2 {
		if err := Restore(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
	}
	boundary := c.restored(all)
	if n := len(c.bytesOf()); n != len(all)+1 {
		t.Fatalf("%d messages, want %d", n, len(all)+1)
	}
	if got := m.again(); got != 3 { // the boundary, its term, and what was proposed: its snapshot still holds
		t.Errorf("%d entries applied after the restore, want 3", got)
	}
	if s := m.Status(); s.Generation != boundary.Generation || boundary.Ends == s.Generation {
		t.Errorf("generation %s, want %s", s.Generation, boundary.Generation)
	}
	if got, want := len(m.told()), 21; got != want {
		t.Errorf("%d lines, want %d", got, want)
	}
	older := backup(c, 0, all[:10])
	if err := Restore(t.Context(), older); !errors.Is(err, ErrNotEmpty) {
		t.Errorf("an older backup over a journal that goes on: %v", err)
	}
	m.stop()
	c.loseStream()
	c.publish((&fold.Entry{Generation: record.Generation{7}, Number: 1, Term: 1}).Encode())
	if err := Restore(t.Context(), cfg); !errors.Is(err, ErrNotEmpty) {
		t.Errorf("over another journal: %v", err)
	}
}

// Operators start every node with the backup, or only one and the others as always: the journal is put
// back once, and nobody writes before it is.
func TestRestoreByMany(t *testing.T) {
	c := started(t, three)
	w := c.writer()
	for i := range 20 {
		w.propose(fmt.Sprint("head ", i))
	}
	all := c.bytesOf()
	for _, m := range c.nodes {
		m.stop()
	}
	c.loseStream()
	half, heard := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	for i := range 2 {
		cfg := backup(c, i, all)
		whole := cfg.Entries
		cfg.Entries = func(after uint64) iter.Seq2[[]byte, error] {
			return func(yield func([]byte, error) bool) {
				n := after
				for b, err := range whole(after) {
					if n++; n == 10 && i == 0 {
						select {
						case <-half:
						default:
							close(half)
						}
					}
					if n >= 10 {
						<-heard
					}
					if !yield(b, err) {
						return
					}
				}
			}
		}
		wg.Go(func() {
			if err := Restore(t.Context(), cfg); err != nil {
				t.Errorf("node %d: %v", i, err)
			}
		})
	}
	herald, quiet := context.WithCancel(t.Context())
	defer quiet()
	wg.Go(func() {
		if err := Herald(herald, c.conn, c.net, nodeID(0)); err != nil {
			t.Error(err)
		}
	})
	<-half
	plain := c.nodes[2]
	plain.dir = t.TempDir() // its replica is lost too
	plain.start()
	eventually(t, "the plain node has folded what there is and hears that another writes", func() bool {
		s := plain.Status()
		return s.Entry >= 9 && strings.HasPrefix(s.Writer, "c") && s.Writer != nodeID(2).String()
	})
	deaf := &Replica{cfg: Config{Net: c.net}, js: c.js, log: slog.New(slog.DiscardHandler)}
	eventually(t, "the word that a node that hears nothing must not write", func() bool {
		err := deaf.mayWrite(t.Context()) // on a busy machine the stream's leader does not answer each time
		if err == nil {
			t.Fatal("a node that hears nothing may write")
		}
		return errors.Is(err, errFenced)
	})
	close(heard)
	eventually(t, "the end of the restore", func() bool { return plain.Status().Entry > uint64(len(all)) })
	quiet()
	wg.Wait()
	c.restored(all)
	for _, m := range c.nodes[:2] { // those that restored go on as any node
		m.dir = t.TempDir()
		m.start()
	}
	n := plain.propose("after")
	c.check(map[string]uint64{"after": n})
	begun := 0
	for _, e := range c.journal() {
		if e.Begins() {
			begun++
		}
	}
	if begun != 1 {
		t.Errorf("%d generations begin, want 1", begun)
	}
}

// What a node has made of a journal that is no more is not what this journal says.
func TestAnotherJournalIsFoldedFromItsBeginning(t *testing.T) {
	for name, end := range map[string]func(*member){"after a stop": (*member).stop, "after a crash": (*member).crash} {
		t.Run(name, func(t *testing.T) {
			c, m := lived(t, end)
			all := c.bytesOf()
			c.loseStream()
			m.open()
			if err := m.look(t.Context()); !errors.Is(err, ErrEmpty) && m.tip.number > 0 {
				t.Errorf("an empty journal: %v, want that it waits", err)
			}
			m.end((*Replica).Abandon)
			for _, b := range all[:10] {
				c.publish(b)
			}
			m.open()
			if err := m.look(t.Context()); !errors.Is(err, errShort) && m.tip.number > 0 {
				t.Errorf("a journal that has lost its end: %v, want that it waits", err)
			}
			m.end((*Replica).Abandon)

			c.loseStream()
			if err := Restore(t.Context(), backup(c, 0, all[:10])); err != nil {
				t.Fatal(err)
			}
			m.again()
			if got, want := len(m.told()), 10; got != want { // entries 2 to 10, and "after"
				t.Errorf("%d lines in history, want %d", got, want)
			}
		})
	}
}
