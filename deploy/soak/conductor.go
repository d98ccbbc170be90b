package soak

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"
)

// event is something that the conductor does at a time.
type event struct {
	at    time.Duration
	order int
	do    func(context.Context) error
}

// events is a heap, the earliest first.
type events struct {
	list  []event
	count int
}

func (e *events) Len() int { return len(e.list) }
func (e *events) Less(i, k int) bool {
	a, b := &e.list[i], &e.list[k]
	return a.at < b.at || a.at == b.at && a.order < b.order
}
func (e *events) Swap(i, k int) { e.list[i], e.list[k] = e.list[k], e.list[i] }
func (e *events) Push(x any)    { e.list = append(e.list, x.(event)) }
func (e *events) Pop() any {
	last := e.list[len(e.list)-1]
	e.list = e.list[:len(e.list)-1]
	return last
}

// plan has something done at a time since the beginning.
func (w *world) plan(at time.Duration, do func(context.Context) error) {
	w.events.count++
	heap.Push(&w.events, event{at, w.events.count, do})
}

// conduct plays the script to its end. What the script began it undoes in its time; the last may still be
// under way at the end.
func (w *world) conduct(ctx context.Context, steps []step) error {
	for _, s := range steps {
		w.plan(s.at, func(ctx context.Context) error { return w.begin(ctx, s) })
	}
	for w.events.Len() > 0 && w.events.list[0].at < w.cfg.For {
		next := time.NewTimer(time.Until(w.began.Add(w.events.list[0].at)))
		select {
		case <-next.C:
			e := heap.Pop(&w.events).(event)
			if err := e.do(ctx); err != nil {
				return err
			}
		case d := <-w.died:
			w.mourn(d)
		case <-ctx.Done():
			return fmt.Errorf("the soak is interrupted: %w", context.Cause(ctx))
		}
		next.Stop()
	}
	return nil
}

// restartAfter is how long a supervisor waits before it starts a process again that ended by itself.
const restartAfter = time.Second

// mourn is told of a process that ended by itself, and has it started again.
func (w *world) mourn(d death) {
	n := d.node
	w.wrong("process", "%s ended by itself: %v: %s", n.target, d.process.err, lastLine(w.log(n)))
	if n.process != d.process {
		return // the script has ended it too, and will start it
	}
	n.process = nil
	w.plan(time.Since(w.began)+restartAfter, func(ctx context.Context) error {
		if n.process != nil || n.held != 0 {
			return nil
		}
		return n.start(ctx, w)
	})
}

// begin does what a step says, and plans its end.
func (w *world) begin(ctx context.Context, s step) error {
	n := w.choose(ctx, s)
	switch s.fault {
	case pullWAN, resetWAN, silenceWAN, deafenWAN, slowWAN, narrowWAN, stallWAN, pullLAN, silenceLAN, pullCentre:
		return w.beginLink(s, n)
	case killCentre, killBoth:
		return w.killSome(ctx, s)
	}
	switch {
	case n.held != 0 || n.process == nil:
		w.say("%3d %s: it is down or held already; nothing is done", s.number, s)
		return nil
	case s.fault == wipeStream && !w.others(ctx, n):
		w.say("%3d %s: the other two are not well; nothing is done", s.number, s)
		return nil
	}
	w.counts.fault(s.fault)
	w.say("%3d %s%s", s.number, s, chosen(s, n))
	if s.fault == takeImage {
		return w.takeImage(ctx, s, n)
	}
	n.held = s.number
	if err := w.take(ctx, s, n); err != nil {
		return err
	}
	w.plan(s.at+s.dur, func(ctx context.Context) error { return w.giveBack(ctx, s, n) })
	return nil
}

// chosen says which node it came to where the script left that open.
func chosen(s step, n *node) string {
	if s.writer || s.fault == killWriter || s.fault == killLeader {
		return ": " + n.target.String()
	}
	return ""
}

// choose gives the node of a step: its target, or the one that writes or leads.
func (w *world) choose(ctx context.Context, s step) *node {
	n := w.node(s.target)
	if !s.writer && s.fault != killWriter && s.fault != killLeader {
		return n
	}
	writer, leader := w.chiefs(ctx)
	if s.fault == killLeader {
		writer = leader
	}
	if writer != nil && writer.held == 0 {
		return writer
	}
	return n
}

// chiefs gives the node that writes the journal and the one that leads its stream; nil: none is known. They
// may be one node.
func (w *world) chiefs(ctx context.Context) (writer, leader *node) {
	for c, s := range w.status(ctx) {
		if s.Writer == c.target.name() {
			writer = c
		}
		if s.Leads {
			leader = c
		}
	}
	return writer, leader
}

// take does to a node what a step says.
func (w *world) take(ctx context.Context, s step, n *node) error {
	switch s.fault {
	case freeze:
		return n.freeze()
	case restart:
		return n.ask()
	}
	if err := n.kill(); err != nil {
		return err
	}
	switch s.fault {
	case dropCache:
		return errors.Join(remove(filepath.Join(n.data, "cache.db")), remove(filepath.Join(n.data, "cache.db.open")))
	case wipeReplica:
		return os.RemoveAll(filepath.Join(n.data, "replica"))
	case wipeStream:
		return os.RemoveAll(filepath.Join(n.data, "jetstream"))
	case wipeEdge, restoreImage:
		return w.replace(ctx, s, n)
	}
	return nil // kill -9 it is
}

func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("delete %s: %w", path, err)
	}
	return nil
}

// giveBack ends a step at a node.
func (w *world) giveBack(ctx context.Context, s step, n *node) error {
	if n.held != s.number {
		return nil
	}
	n.held = 0
	if s.fault == freeze {
		return n.thaw(ctx, w)
	}
	if s.fault == restart {
		if err := n.stopped(); err != nil {
			w.wrong("stop", "%v", err)
		}
	}
	if n.process != nil {
		return nil
	}
	if (s.fault == restoreImage || s.fault == wipeEdge) && n.target.tier == atTill && s.seed%2 == 0 {
		again := int(s.seed/2%remembered) + 1
		w.say("%3d   its POS sends the last %d receipts again", s.number, again)
		w.resell(ctx, n, again)
	}
	return n.start(ctx, w)
}

// killSome kills all of the centre at once, or those that write and lead; where that is one node, the next one
// with it, so that two die in any case and the third can write nothing.
func (w *world) killSome(ctx context.Context, s step) error {
	victims, names := w.centre(), ""
	if s.fault == killBoth {
		writer, leader := w.chiefs(ctx)
		if writer == nil || leader == nil {
			w.say("%3d %s: one of them is not known; nothing is done", s.number, s)
			return nil
		}
		if writer == leader {
			leader = w.node(target{atCentre, (writer.target.store + 1) % 3, 0})
		}
		victims = []*node{writer, leader}
		names = fmt.Sprintf(": %s, %s", writer.target, leader.target)
	}
	w.counts.fault(s.fault)
	w.say("%3d %s%s", s.number, s, names)
	for _, n := range victims {
		if n.held != 0 {
			continue
		}
		n.held = s.number
		if err := n.kill(); err != nil {
			return err
		}
		w.plan(s.at+s.dur, func(ctx context.Context) error { return w.giveBack(ctx, s, n) })
	}
	return nil
}

// others reports whether the other two nodes of the centre are up and have folded the same entry, or all
// but the same: what a node's disk holds can then be had from either of them.
func (w *world) others(ctx context.Context, n *node) bool {
	status := w.status(ctx)
	var least, most uint64
	for _, c := range w.centre() {
		s := status[c]
		if s == nil || s.Broken || s.Writer == "" || c.held != 0 {
			return false
		}
		if c == n {
			continue
		}
		if least == 0 || s.Entry < least {
			least = s.Entry
		}
		most = max(most, s.Entry)
	}
	const close = 50 // entries
	return most-least < close
}

// beginLink breaks a link.
func (w *world) beginLink(s step, n *node) error {
	if n.cut != 0 {
		w.say("%3d %s: its link is broken already; nothing is done", s.number, s)
		return nil
	}
	w.say("%3d %s", s.number, s)
	switch s.fault {
	case pullWAN, pullLAN, pullCentre:
		err := w.net.pull(n.target)
		if errors.Is(err, errNoCable) && n.target.tier == atCentre {
			w.say("%3d it has none here; nothing is done", s.number)
			return nil
		}
		if errors.Is(err, errNoCable) {
			n.cutRelays()
		} else if err != nil {
			return err
		}
	case resetWAN:
		n.cutRelays()
	case silenceWAN, silenceLAN:
		n.silence()
	case deafenWAN:
		n.deafen()
	case slowWAN:
		n.slow(s.delay, 0)
	case narrowWAN:
		n.slow(0, s.rate)
	case stallWAN:
		w.stall(s, n)
	}
	w.counts.fault(s.fault)
	n.cut = s.number
	w.plan(s.at+s.dur, func(context.Context) error { return w.heal(s, n) })
	return nil
}

// heal ends a step at a link.
func (w *world) heal(s step, n *node) error {
	if n.cut != s.number {
		return nil
	}
	n.cut = 0
	switch s.fault {
	case pullWAN, pullLAN, pullCentre:
		if err := w.net.plug(n.target); err != nil && !errors.Is(err, errNoCable) {
			return err
		}
	case slowWAN, narrowWAN:
		n.slow(0, 0)
	}
	n.healRelays()
	return nil
}

// stall has a line fall silent again and again while a step lasts, as TCP sees a line that loses packets.
func (w *world) stall(s step, n *node) {
	r := rand.New(rand.NewPCG(s.seed, 1))
	draw := func(least, most int64) time.Duration {
		return time.Duration(least+r.Int64N(most-least)) * time.Millisecond
	}
	for at := s.at; at < s.at+s.dur; {
		for _, quiet := range []bool{true, false} {
			w.plan(at, func(context.Context) error {
				switch {
				case n.cut != s.number:
				case quiet:
					n.silence()
				default:
					n.healRelays()
				}
				return nil
			})
			at += draw(100, 900)
		}
	}
}

func (n *node) cutRelays() {
	for _, r := range n.relays {
		r.Cut()
	}
}

func (n *node) healRelays() {
	for _, r := range n.relays {
		r.Heal()
	}
}

func (n *node) silence() {
	for _, r := range n.relays {
		r.Silence()
	}
}

// deafen lets pass what the node says and holds what it is answered.
func (n *node) deafen() {
	for _, r := range n.relays {
		r.Deafen()
	}
}

// slow makes a line slow, or as fast as it was. What is connected is reset, or it would go on as before.
func (n *node) slow(delay time.Duration, rate int) {
	for _, r := range n.relays {
		r.Delay(delay)
		r.Rate(rate)
		r.Cut()
		r.Heal()
	}
}
