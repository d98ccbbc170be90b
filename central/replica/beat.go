package replica

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"tillstream/kv/record"
	"tillstream/subjects"
)

// beat says every beatEvery that this node lives, and hears the others.
func (r *Replica) beat(ctx context.Context) error {
	net := r.cfg.Net
	sub, err := r.cfg.Beats.Subscribe(net.AnyHeartbeat(), func(m *nats.Msg) {
		if b, err := readBeat(m.Data); err == nil && b.node != r.cfg.Node {
			r.peers.hear(b, time.Now())
		}
	})
	if err != nil {
		return fmt.Errorf("hear heartbeats: %w", err)
	}
	defer sub.Unsubscribe() //nolint:errcheck // the connection may be gone, and the subscription with it
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	for {
		b := r.peers.self(r.now())
		b.writing = b.writing && !r.hangs()
		if err := r.cfg.Beats.Publish(net.Heartbeat(r.cfg.Node), b.append(nil)); err != nil {
			r.log.Debug("heartbeat", "err", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			// Said once more, not to be waited for. The stream refuses what the fold may still be writing.
			b.writing = false
			return r.cfg.Beats.Publish(net.Heartbeat(r.cfg.Node), b.append(nil))
		}
	}
}

// live notes that the fold goes on. The fold's goroutine calls it at least every few seconds.
func (r *Replica) live() {
	now := time.Now()
	r.life.Store(&now)
}

// hangs reports whether the fold does not: on a disk that answers nothing, say. Its node must not go on saying
// that it writes, or nobody would in its place.
func (r *Replica) hangs() bool {
	last := r.life.Load()
	return last != nil && time.Since(*last) > r.hungAfter
}

// heartbeat is what a node says of itself.
type heartbeat struct {
	node    subjects.NodeID
	term    uint64 // in which it writes, or the last it has folded
	writing bool
	clock   int64 // Unix milliseconds
}

const beatVersion = 1

func (b *heartbeat) append(dst []byte) []byte {
	w := byte(0)
	if b.writing {
		w = 1
	}
	dst = append(dst, beatVersion, w)
	dst = record.AppendU64(dst, b.term)
	dst = record.AppendU64(dst, uint64(b.clock))
	return record.AppendBlob(dst, []byte(b.node.String()))
}

func readBeat(data []byte) (b heartbeat, err error) {
	r := record.Reader{B: data}
	if r.U8() != beatVersion && r.Err == nil {
		return b, record.ErrFormat
	}
	b.writing = r.U8() == 1
	b.term, b.clock = r.U64(), r.I64()
	name := string(r.Blob())
	if err := r.End(); err != nil {
		return b, err
	}
	t, err := subjects.ParseToken(name)
	b.node = subjects.NodeID{Token: t}
	return b, err
}

// peers is what a node knows of the others' lives.
type peers struct {
	me subjects.NodeID

	mu      sync.Mutex
	term    uint64 // guarded by mu, like all below
	writing bool
	heard   map[subjects.NodeID]peer
	start   time.Time
	held    time.Time     // no try to become the writer before it
	change  chan struct{} // closed when the writer changes
	known   subjects.NodeID
	in      uint64 // term of known
}

type peer struct {
	heartbeat
	at time.Time
}

func newPeers(me subjects.NodeID) *peers {
	return &peers{me: me, heard: map[subjects.NodeID]peer{}, change: make(chan struct{})}
}

func (p *peers) self(now time.Time) heartbeat {
	p.mu.Lock()
	defer p.mu.Unlock()
	return heartbeat{node: p.me, term: p.term, writing: p.writing, clock: now.UnixMilli()}
}

func (p *peers) setSelf(term uint64, writing bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.term, p.writing = term, writing
	if writing {
		p.saw(p.me, term)
	} else if p.known == p.me {
		p.saw(subjects.NodeID{}, p.in)
	}
}

// hear takes a heartbeat. One of a writer with a lower term than the highest known is a zombie's: it
// counts for its clock, not as the writer.
func (p *peers) hear(b heartbeat, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if b.writing && (b.term < p.in || p.writing && b.term <= p.term) {
		b.writing = false
	}
	p.heard[b.node] = peer{b, now}
	switch {
	case b.writing && (b.term > p.in || p.known != b.node):
		p.saw(b.node, b.term)
	case !b.writing && p.known == b.node: // it has stood down
		p.saw(subjects.NodeID{}, p.in)
	}
}

// saw records who writes, and wakes whoever waits for a change. Callers hold mu.
func (p *peers) saw(node subjects.NodeID, term uint64) {
	if p.known == node && p.in == term {
		return
	}
	p.known, p.in = node, term
	close(p.change)
	p.change = make(chan struct{})
}

// writer gives the node that writes and its term, and whether it has been heard lately.
func (p *peers) writer(now time.Time) (node subjects.NodeID, term uint64, alive bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.known.IsZero() {
		return p.known, p.in, false
	}
	if p.known == p.me {
		return p.me, p.in, p.writing
	}
	return p.known, p.in, now.Sub(p.heard[p.known].at) < silence
}

// watch gives the writer and a channel that is closed when it changes.
func (p *peers) watch() (node subjects.NodeID, change <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.known, p.change
}

// hold puts off the next try to become the writer; patience gives the time before which none is made:
// a node that has just started listens first.
func (p *peers) hold(until time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held = until
}

func (p *peers) patience(now time.Time) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.start.IsZero() {
		p.start = now
	}
	if first := p.start.Add(silence); first.After(p.held) {
		return first
	}
	return p.held
}

// assembled reports whether this node may begin a journal, which is done once in the life of a centre: it
// has heard all nodes, or long enough, and none that says that it writes, or will when it has restored what
// was lost.
func (p *peers) assembled(nodes int, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, h := range p.heard {
		if h.writing && now.Sub(h.at) < assembly {
			return false
		}
	}
	return len(p.heard)+1 >= nodes || now.Sub(p.start) > assembly
}

// assembly is the longest wait for the other nodes before a journal is begun.
const assembly = 5 * time.Second

// alone reports whether this node has heard two others and now hears none. It is cut off or deaf, and
// must not become the writer: alone it could store nothing, and deaf it would push the writer out again
// and again. In a centre of fewer than three nodes there is no telling.
func (p *peers) alone(now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, h := range p.heard {
		if now.Sub(h.at) < 2*silence {
			return false
		}
	}
	return len(p.heard) >= 2
}

// clocks gives how far the clocks of the nodes heard lately are ahead of one that says wall now. What has
// passed since a node was heard is measured by the clock that never leaps: so a leap of wall shows at once,
// and not when the others are heard again.
func (p *peers) clocks(wall, now time.Time) (ahead []int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, h := range p.heard {
		if since := now.Sub(h.at); since < 10*silence {
			ahead = append(ahead, h.clock+since.Milliseconds()-wall.UnixMilli())
		}
	}
	return ahead
}

// drift gives how far a clock that says wall now is from the median of the nodes heard lately and itself.
// Fewer than three nodes have no majority on what the time is: then it is zero. known is false if those are
// no more than half of a centre of so many nodes: one that starts alone may be a year ahead, and cannot tell.
func (p *peers) drift(wall, now time.Time, nodes int) (off time.Duration, known bool) {
	offsets := append(p.clocks(wall, now), 0)
	known = 2*len(offsets) > nodes
	if len(offsets) < 3 {
		return 0, known
	}
	slices.Sort(offsets)
	return (time.Duration(offsets[len(offsets)/2]) * time.Millisecond).Abs(), known
}

// tick gives the time that enters the state, in Unix milliseconds: this node's, and of two that may not
// agree the lower. Time that stands still can be made up for, time that ran ahead cannot.
func (p *peers) tick(wall, now time.Time) int64 {
	t := wall.UnixMilli()
	if ahead := p.clocks(wall, now); len(ahead) == 1 {
		t += min(ahead[0], 0)
	}
	return t
}
