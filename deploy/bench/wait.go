package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"time"
)

// sleep waits unless ctx ends first.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// until asks every so often until done is nil; what it said last tells what was missing.
func until(ctx context.Context, every time.Duration, what string, done func() error) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		err := done()
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("wait until %s: %w: %w", what, err, context.Cause(ctx))
		}
	}
}

// freeAddresses finds addresses that nobody uses, below the ports from which the system serves outgoing
// connections: a node that is down for a moment must find its own free.
func freeAddresses(n int) ([]string, error) {
	const from, to, tries = 10000, 32000, 10000
	var out []string
	for range tries {
		if len(out) == n {
			return out, nil
		}
		addr := fmt.Sprintf("127.0.0.1:%d", from+rand.IntN(to-from))
		l, err := net.Listen("tcp", addr)
		if err != nil {
			continue
		}
		defer l.Close() //nolint:errcheck // nothing was sent on it
		out = append(out, addr)
	}
	return nil, fmt.Errorf("find %d free ports: found %d in %d tries", n, len(out), tries)
}
