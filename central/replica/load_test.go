package replica

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"tillstream/central/fold"
)

// load is proposals by many at once on some members, and what was answered.
type load struct {
	c    *chain
	stop context.CancelFunc
	wg   sync.WaitGroup

	mu       sync.Mutex
	answered map[string]uint64 // guarded by mu: head -> entry
	more     chan struct{}     // closed and made anew at each answer
}

// load starts workers on each of the members.
func (c *chain) load(workers int, on ...*member) *load {
	ctx, cancel := context.WithCancel(c.t.Context())
	l := &load{c: c, stop: cancel, answered: map[string]uint64{}, more: make(chan struct{})}
	for _, m := range on {
		r := m.Replica
		for w := range workers {
			l.wg.Go(func() {
				for k := 0; ctx.Err() == nil; k++ {
					head := fmt.Sprintf("n%d-w%d-%d", m.i, w, k)
					entry, outcome, err := r.Propose(ctx, fold.Proposal{Head: []byte(head), Rest: make([]byte, 200)})
					if err == nil {
						l.took(head, entry, outcome)
					}
				}
			})
		}
	}
	c.t.Cleanup(func() { cancel(); l.wg.Wait() })
	return l
}

func (l *load) took(head string, entry uint64, outcome []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(outcome) == 0 || entry == 0 {
		l.c.t.Errorf("%s: answered with entry %d and outcome %q", head, entry, outcome)
	}
	l.answered[head] = entry
	close(l.more)
	l.more = make(chan struct{})
}

// wait waits for so many answers more.
func (l *load) wait(n int) {
	l.c.t.Helper()
	deadline := time.After(patient)
	for want := -1; ; {
		l.mu.Lock()
		got, more := len(l.answered), l.more
		l.mu.Unlock()
		if want < 0 {
			want = got + n
		}
		if got >= want {
			return
		}
		select {
		case <-more:
		case <-deadline:
			l.c.t.Fatalf("%d answers, want %d", got, want)
		}
	}
}

// end stops the load and gives what was answered.
func (l *load) end() map[string]uint64 {
	l.stop()
	l.wg.Wait()
	return l.answered
}

// journal reads the whole stream at its leader and checks what must hold of it: the chain unbroken, the
// numbers dense, time and terms in order. It gives the entries, opened.
func (c *chain) journal() []*fold.Entry {
	c.t.Helper()
	var entries []*fold.Entry
	var s jetstream.Stream
	within(c.t, "read the journal", func(ctx context.Context) (err error) {
		s, err = c.js.Stream(ctx, c.net.JournalStream())
		return err
	})
	prev := &fold.Entry{}
	for seq := uint64(1); seq <= s.CachedInfo().State.LastSeq; seq++ {
		var raw *jetstream.RawStreamMsg
		within(c.t, "read the journal", func(ctx context.Context) (err error) {
			raw, err = s.GetMsg(ctx, seq)
			return err
		})
		e, err := fold.Decode(raw.Data)
		if err != nil {
			c.t.Fatal(err)
		}
		if err := e.Open(true); err != nil {
			c.t.Fatal(err)
		}
		switch {
		case e.Number != prev.Number+1 || e.Prev != prev.Hash():
			c.t.Fatalf("message %d: entry %d does not follow entry %d", seq, e.Number, prev.Number)
		case e.At < prev.At || e.Generation != prev.Generation && prev.Number > 0 && e.Ends != prev.Generation:
			c.t.Fatalf("entry %d: time or generation of another", e.Number)
		case e.Term != prev.Term && (e.Term != e.Number || len(e.Proposals) > 0):
			c.t.Fatalf("entry %d: term %d begins with it, and it is not empty or not its number", e.Number, e.Term)
		}
		entries = append(entries, e)
		prev = e
	}
	return entries
}

// check holds the laws after a test: every answered head lies in the journal where its proposer was told,
// and took effect once; all members have the same state at the same entry.
func (c *chain) check(answered map[string]uint64) {
	c.t.Helper()
	entries := c.journal()
	last := entries[len(entries)-1]
	order := newTally()
	twice := 0
	for _, e := range entries {
		for _, p := range e.Proposals {
			if _, again := order.seen[string(p.Head)]; again {
				twice++
			}
		}
		order.Apply(e, &fold.Effects{})
	}
	for head, n := range answered {
		found := false
		for _, p := range entries[n-1].Proposals {
			found = found || string(p.Head) == head
		}
		if !found {
			c.t.Errorf("%s was answered with entry %d, which does not hold it", head, n)
		}
	}
	for _, m := range c.nodes {
		if m.cancel == nil {
			continue
		}
		eventually(c.t, fmt.Sprintf("node %d at entry %d", m.i, last.Number), func() bool { return m.Status().Entry >= last.Number })
		ctx, cancel := context.WithTimeout(c.t.Context(), time.Second)
		err := m.Read(ctx, last.Number, func(n uint64) {
			if m.machine.Sum != order.Sum && n == last.Number {
				c.t.Errorf("node %d: digest %x at entry %d, the journal's is %x", m.i, m.machine.Sum, n, order.Sum)
			}
		})
		cancel()
		if err != nil {
			c.t.Error(err)
		}
	}
	c.t.Logf("%d entries, %d heads, %d answered, %d stored twice, last term %d",
		len(entries), len(order.Order), len(answered), twice, last.Term)
}
