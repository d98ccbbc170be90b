package api

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// Run serves until ctx ends, answers those who wait for up to Config.StopTimeout, and gives nil; or
// until Crash, which gives nil at once. It may be called once.
func (a *API) Run(ctx context.Context) error {
	// Requests outlive ctx: whoever waits when it ends is still answered.
	base, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	a.server.BaseContext = func(net.Listener) context.Context { return base }

	var nats *natsDoor
	if a.cfg.Conn != nil {
		var err error
		if nats, err = a.openDoor(base); err != nil {
			return errors.Join(err, a.Close())
		}
	}
	var wg sync.WaitGroup
	wg.Go(func() { a.callers.watch(base) })
	wg.Go(func() { a.letGo(base) })
	served := make(chan error, 1)
	wg.Go(func() { served <- a.server.Serve(a.listener) })

	var err error
	select {
	case <-ctx.Done():
		err = a.stop(base, cancel, nats)
	case <-a.crashed:
		nats.crash()
	case e := <-served:
		err = errors.Join(fmt.Errorf("serve the POS: %w", e), nats.stop())
	}
	// Connections first: a crash must not answer with what the end of base makes of a question.
	if e := a.server.Close(); e != nil && !errors.Is(e, net.ErrClosed) {
		err = errors.Join(err, e)
	}
	a.board.close()
	cancel()
	nats.wait()
	a.gate.shut()
	wg.Wait()
	return err
}

// stop answers those who wait. Past the bound the base context ends: look-ups give up, and HTTP
// connections are no longer waited for.
func (a *API) stop(base context.Context, cancel func(), nats *natsDoor) error {
	bound := time.AfterFunc(a.cfg.StopTimeout, cancel)
	defer bound.Stop()
	err := nats.stop()
	if e := a.server.Shutdown(base); e != nil && !errors.Is(e, context.Canceled) && !errors.Is(e, net.ErrClosed) {
		err = errors.Join(err, e)
	}
	nats.wait()
	a.gate.shut()
	nats.flush(base)
	return err
}

// gate counts the questions being answered, of both doors, so that Run can wait for them.
type gate struct {
	mu   sync.Mutex
	shun bool // under mu: nobody enters any more

	inside sync.WaitGroup
}

// enter reports whether the question may be answered; if so, leave must follow.
func (g *gate) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shun {
		return false
	}
	g.inside.Add(1)
	return true
}

func (g *gate) leave() { g.inside.Done() }

// shut lets nobody else in and waits for those inside.
func (g *gate) shut() {
	g.mu.Lock()
	g.shun = true
	g.mu.Unlock()
	g.inside.Wait()
}
