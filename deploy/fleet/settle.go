package fleet

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tillstream/deploy/ops"
)

// Ready waits until somebody writes the journal and every edge node has heard from its upstream.
func (f *Fleet) Ready(ctx context.Context) error {
	return f.await(ctx, "ready", func() error {
		if f.Writer() == nil {
			return errors.New("nobody writes the journal")
		}
		for _, e := range f.edges() {
			if n := e.Node(); n != nil && n.LastAnswer().IsZero() {
				return fmt.Errorf("%s has not heard from its upstream", e.Name())
			}
		}
		return nil
	})
}

// Settle waits until everything that tills have answered for is posted, folded on every node of the
// centre, and known again where it came from. Nodes that are down or cut keep it waiting.
func (f *Fleet) Settle(ctx context.Context) error {
	return f.await(ctx, "settled", func() error {
		for _, e := range f.edges() {
			n := e.Node()
			if n == nil {
				return fmt.Errorf("%s is down", e.Name())
			}
			if unconfirmed, unposted := n.Waiting(); unconfirmed > 0 || unposted > 0 {
				return fmt.Errorf("%s: %d records unconfirmed, %d not posted", e.Name(), unconfirmed, unposted)
			}
		}
		return f.level()
	})
}

// level is nil when all nodes of the centre have folded the same entry.
func (f *Fleet) level() error {
	var entry uint64
	for i, c := range f.centre {
		n := c.Node()
		if n == nil {
			return fmt.Errorf("centre node %s is down", c.Name())
		}
		s := n.Replica().Status()
		if i == 0 {
			entry = s.Entry
		}
		if s.Entry != entry {
			return fmt.Errorf("centre node %s is at entry %d, another node at %d", c.Name(), s.Entry, entry)
		}
	}
	return nil
}

// await asks again until done is nil. What it said last tells what was missing.
func (f *Fleet) await(ctx context.Context, what string, done func() error) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		err := done()
		if err == nil {
			return nil
		}
		f.mu.Lock()
		failed := errors.Join(f.failed...)
		f.mu.Unlock()
		if failed != nil {
			return failed
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("the fleet is not %s: %w: %w", what, err, context.Cause(ctx))
		}
	}
}

func (f *Fleet) edges() []*Edge {
	var out []*Edge
	for _, s := range f.stores {
		out = append(out, &s.Edge)
		for _, t := range s.tills {
			out = append(out, &t.Edge)
		}
	}
	return out
}

// CheckBooks holds the laws to the books of every node of the centre, as `ops books verify` does, and
// the nodes' digests to each other. Call it when the fleet has settled.
func (f *Fleet) CheckBooks(ctx context.Context) (ops.Verified, error) {
	var urls []string
	for _, c := range f.centre {
		if n := c.Node(); n != nil {
			urls = append(urls, n.URL())
		}
	}
	return ops.Verify(ctx, ops.Client{URLs: urls})
}
