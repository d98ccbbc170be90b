package fleet

import (
	"context"
	"sync"
)

// running holds a node while it runs.
type running[N any] struct {
	mu   sync.Mutex
	n    *N     // guarded by mu; nil while the node is down
	down bool   // guarded by mu: it is being taken down, or was
	stop func() // guarded by mu; ends Run and waits for it
}

// start runs a node. One that ends by itself fails the fleet.
func (r *running[N]) start(f *Fleet, name string, n *N, run func(context.Context) error) {
	ctx, cancel := context.WithCancel(f.ctx)
	ended := make(chan struct{})
	r.mu.Lock()
	r.n, r.down = n, false
	r.stop = func() { cancel(); <-ended }
	r.mu.Unlock()
	f.wg.Go(func() {
		defer close(ended)
		if err := run(ctx); err != nil && ctx.Err() == nil {
			f.fail(name, err)
		}
	})
}

// replace puts another node in the place of one that has ended and was closed.
func (r *running[N]) replace(n *N) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.n = n
}

// node gives the running node, or nil.
func (r *running[N]) node() *N {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.down {
		return nil
	}
	return r.n
}

// end stops the node's Run, waits for it, and gives the node for closing; nil if it was down.
func (r *running[N]) end() *N {
	r.mu.Lock()
	down, stop := r.n == nil || r.down, r.stop
	r.down = true
	r.mu.Unlock()
	if down {
		return nil
	}
	stop()
	r.mu.Lock()
	defer r.mu.Unlock()
	n := r.n
	r.n = nil
	return n
}
