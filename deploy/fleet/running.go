package fleet

import (
	"context"
	"sync"
)

// running holds a node while it runs.
type running[N any] struct {
	mu   sync.Mutex
	n    *N     // guarded by mu; nil while the node is down
	stop func() // guarded by mu; ends Run and waits for it
}

// start runs a node. One that ends by itself fails the fleet.
func (r *running[N]) start(f *Fleet, name string, n *N, run func(context.Context) error) {
	ctx, cancel := context.WithCancel(f.ctx)
	ended := make(chan struct{})
	f.wg.Go(func() {
		defer close(ended)
		if err := run(ctx); err != nil && ctx.Err() == nil {
			f.fail(name, err)
		}
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	r.n = n
	r.stop = func() { cancel(); <-ended }
}

// node gives the running node, or nil.
func (r *running[N]) node() *N {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.n
}

// end stops the node's Run, waits for it, and gives the node for closing; nil if it was down.
func (r *running[N]) end() *N {
	r.mu.Lock()
	n, stop := r.n, r.stop
	r.n = nil
	r.mu.Unlock()
	if n != nil {
		stop()
	}
	return n
}
