package leaf

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// ErrStuck means that the link upward stays down although the upstream can be reached and the link was
// enabled anew several times.
var ErrStuck = errors.New("link upward is stuck")

// pace are the times of the supervisor; tests shorten them.
type pace struct {
	look  time.Duration // between two looks at the link
	again time.Duration // down so long: enable it anew, and again after as long
	stuck time.Duration // down so long while the upstream could be reached: give up
}

var usualPace = pace{look: time.Second, again: 10 * time.Second, stuck: time.Minute}

// greeting is how a leaf port begins, with TLS or without.
const greeting = "INFO "

// Run supervises the link upward until ctx ends, and returns nil then. A server was seen that stopped
// dialling for 8 h until it was restarted (nats-server#7615). So when the link has been down for 10 s
// and yet the upstream answers a dial of Run's own, Run disables and enables the link, every 10 s; after
// 60 s of that it returns ErrStuck, and the owner closes this Leaf and opens another. While the upstream
// cannot be reached, or refuses this node's key, Run leaves everything as it is: restarting would only
// throw the tills out of a store whose line is down. Without upstreams Run only waits.
func (l *Leaf) Run(ctx context.Context) error {
	if len(l.cfg.Upstreams) == 0 {
		<-ctx.Done()
		return nil
	}
	tick := time.NewTicker(l.pace.look)
	defer tick.Stop()
	now := time.Now()
	w := watch{pace: l.pace, since: now, tried: now}
	disabled, refused := false, int64(0)
	for {
		select {
		case <-ctx.Done():
			return nil
		case now = <-tick.C:
		}
		if id, up := l.link(); w.due(now, id, up) {
			reachable := l.reachable(ctx)
			if n := l.said.refused.Load(); n != refused { // the server dials: it is not at fault
				l.log.Warn("upstream refuses this node's key", "times", n-refused)
				refused, reachable = n, false
			}
			if w.judge(now, reachable) {
				return fmt.Errorf("leaf %s: %w", l.cfg.Name, ErrStuck)
			}
			if reachable {
				l.log.Warn("upstream answers but the link is down, enabling it anew", "down", now.Sub(w.since))
				disabled = l.enable(false) || disabled
			}
		}
		if disabled {
			disabled = !l.enable(true)
		}
	}
}

// enable turns the remote on or off, and reports whether that was done. The server refuses to turn it
// on while an earlier dial is still under way; the next look tries again.
func (l *Leaf) enable(on bool) bool {
	if !on {
		l.life++
	}
	o, err := l.options(l.bound, !on)
	if err == nil {
		err = l.server.ReloadOptions(o)
	}
	if err != nil {
		l.log.Warn("cannot turn the link upward on or off now", "on", on, "err", err)
	}
	return err == nil
}

// reachable reports whether one of the upstreams takes a connection and greets.
func (l *Leaf) reachable(ctx context.Context) bool {
	urls, err := l.cfg.upstreams()
	if err != nil {
		return false // Open has parsed them
	}
	for _, u := range urls {
		if greets(ctx, u.Host) {
			return true
		}
	}
	return false
}

func greets(ctx context.Context, addr string) bool {
	ctx, cancel := context.WithTimeout(ctx, dialWithin)
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return false
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() }) // ends the read below
	defer stop()
	b := make([]byte, len(greeting))
	_, err = io.ReadFull(conn, b)
	return err == nil && string(b) == greeting
}

// watch decides what to do about a link that is down. It is owned by Run.
type watch struct {
	pace  pace
	id    uint64    // connection seen by the last look, 0 for none
	since time.Time // when the link was last known to last, or the upstream to be out of reach
	tried time.Time // when the link was last known to last, or judged
}

// due takes one reading, and reports whether the link must be judged. It counts as up only when two
// looks in a row see the same connection: one that is made and dropped again and again is down.
func (w *watch) due(now time.Time, id uint64, up bool) bool {
	if !up {
		id = 0
	}
	if up && id == w.id {
		w.since, w.tried = now, now
	}
	w.id = id
	return now.Sub(w.tried) >= w.pace.again
}

// judge is told whether the upstream can be reached, and reports whether the link is stuck. A line that
// is down starts the count anew.
func (w *watch) judge(now time.Time, reachable bool) (stuck bool) {
	w.tried = now
	if !reachable {
		w.since = now
	}
	return now.Sub(w.since) >= w.pace.stuck
}
