package fleet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"tillstream/central"
	"tillstream/deploy/laws"
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

// await is Await that does not wait for a fleet of which a part has failed.
func (f *Fleet) await(ctx context.Context, what string, done func() error) error {
	var failed error
	err := Await(ctx, "the fleet is not "+what, func() error {
		err := done()
		if err == nil {
			return nil
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		if failed = errors.Join(f.failed...); failed != nil {
			return nil
		}
		return err
	})
	return errors.Join(failed, err)
}

// Await asks again until done is nil, or ctx ends: then what done said last tells what was missing.
func Await(ctx context.Context, what string, done func() error) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		err := done()
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%s: %w: %w", what, err, context.Cause(ctx))
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

// CheckBooks holds the laws of package laws to what was sold with Sell, to the journal and to the books of
// every node of the centre that runs. Receipts that tills were given otherwise, or else all of them, must be
// noted in Sent; if nothing is, the laws hold without it. Call it when the fleet has settled.
func (f *Fleet) CheckBooks(ctx context.Context) (laws.History, error) {
	var nodes []*central.Node
	for _, c := range f.centre {
		if n := c.Node(); n != nil {
			nodes = append(nodes, n)
		}
	}
	h, err := laws.Examine(ctx, f.net, nodes)
	if err != nil {
		return h, err
	}
	f.mu.Lock()
	h.Meant = slices.Clone(f.meant)
	f.mu.Unlock()
	h.Sent = f.cfg.Sent.Sales()
	var errs []error
	for _, v := range laws.Check(h) {
		errs = append(errs, fmt.Errorf("%w: %s", laws.ErrBroken, v))
	}
	return h, errors.Join(errs...)
}

// Mean says that incidents, forks and foreign records that contain one of these texts are provoked on
// purpose: no law is broken by them.
func (f *Fleet) Mean(texts ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.meant = append(f.meant, texts...)
}

// Sent is the journal of what was sent to the tills.
func (f *Fleet) Sent() *laws.Sent { return f.cfg.Sent }
