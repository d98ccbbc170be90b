package relay

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// dialTimeout bounds a dial to the target, and with it how long Close may wait.
const dialTimeout = 2 * time.Second

// ErrClosed means that the relay was used after Close.
var ErrClosed = errors.New("relay is closed")

type state int

const (
	whole state = iota
	cut
	silent
	deaf
	closed
)

// side says whose connection it is, or who speaks.
type side int

const (
	near side = iota // who dialled the relay
	far              // the target
)

// Relay is one breakable link. It is safe for many goroutines.
type Relay struct {
	listener *net.TCPListener
	wg       sync.WaitGroup // the accept loop, the pairs and their pumps

	mu      sync.Mutex
	state   state                 // guarded by mu
	changed chan struct{}         // guarded by mu; closed and replaced at each change of state
	target  string                // guarded by mu
	pace    pace                  // guarded by mu; taken by a pair when it is accepted
	conns   map[*net.TCPConn]side // guarded by mu; every open connection
}

// Open listens on listen (host:port, port 0 allowed) and carries each connection to target
// (host:port). An empty target resets every connection until SetTarget names one. The link is whole.
func Open(listen, target string) (*Relay, error) {
	addr, err := net.ResolveTCPAddr("tcp", listen)
	if err != nil {
		return nil, fmt.Errorf("open relay on %s: %w", listen, err)
	}
	l, err := net.ListenTCP("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("open relay on %s: %w", listen, err)
	}
	r := &Relay{
		listener: l,
		changed:  make(chan struct{}),
		target:   target,
		conns:    map[*net.TCPConn]side{},
	}
	// A relay has no Run: whoever opens one wants it to carry at once. Close waits for this goroutine.
	r.wg.Go(r.accept)
	return r, nil
}

// Addr is the address the relay listens on, as host:port.
func (r *Relay) Addr() string { return r.listener.Addr().String() }

// Conns is the number of links that are open now, counted on both sides of the relay.
func (r *Relay) Conns() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.conns)
}

// SetTarget names where connections accepted from now on go (host:port). Open ones stay.
func (r *Relay) SetTarget(addr string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.target = addr
}

// Delay makes every byte of connections accepted from now on arrive d later, in each direction; the
// order stays. Zero is no delay. Cut and Heal put it on the connections that are open.
func (r *Relay) Delay(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pace.delay = d
}

// Rate lets connections accepted from now on carry so many bytes a second, each, in each direction. Zero is
// no bound. What has not arrived yet waits, and then the sender does. Cut and Heal put it on the connections
// that are open.
func (r *Relay) Rate(bytesPerSecond int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pace.rate = bytesPerSecond
}

// Cut resets all connections and every new one, until Heal.
func (r *Relay) Cut() { r.turn(cut) }

// Silence keeps all connections open and carries nothing, until Heal. Bytes already on their way may
// still arrive.
func (r *Relay) Silence() { r.turn(silent) }

// Deafen carries what clients say and holds what the target answers, until Heal.
func (r *Relay) Deafen() { r.turn(deaf) }

// Heal makes the link whole again. Connections that a Cut has reset do not come back.
func (r *Relay) Heal() { r.turn(whole) }

// Close resets all connections, stops listening and waits for its goroutines, at most some seconds.
func (r *Relay) Close() error {
	if !r.turn(closed) {
		return ErrClosed
	}
	err := r.listener.Close()
	r.wg.Wait()
	if err != nil {
		return fmt.Errorf("close relay: %w", err)
	}
	return nil
}

// turn goes to state to, and reports false when the relay is closed already. Reads are woken by a
// deadline in the past, and under the same lock, so that the deadlines always fit the state.
func (r *Relay) turn(to state) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state == closed {
		return false
	}
	r.state = to
	for c, of := range r.conns {
		r.fit(c, of)
	}
	close(r.changed)
	r.changed = make(chan struct{})
	return true
}

// fit brings c into the present state. It is called with mu held. The errors of a connection that is
// gone already tell nothing: its pump has seen the same.
func (r *Relay) fit(c *net.TCPConn, of side) {
	switch {
	case r.state == cut || r.state == closed:
		reset(c)
	case r.holds(of):
		_ = c.SetReadDeadline(time.Unix(1, 0)) // see above
	default:
		_ = c.SetReadDeadline(time.Time{}) // see above
	}
}

// holds reports whether what a side says is held now. It is called with mu held.
func (r *Relay) holds(of side) bool { return r.state == silent || r.state == deaf && of == far }

// reset ends c with a RST: the peer learns at once, and unsent bytes are lost.
func reset(c *net.TCPConn) {
	_ = c.SetLinger(0) // a connection that is gone needs no reset
	_ = c.Close()      // the same
}

// add makes c one that turn reaches. It reports false, and resets c, when the link is cut.
func (r *Relay) add(c *net.TCPConn, of side) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state == cut || r.state == closed {
		reset(c)
		return false
	}
	r.conns[c] = of
	r.fit(c, of)
	return true
}

// drop forgets c and closes it in order: what was written to it is still delivered.
func (r *Relay) drop(c *net.TCPConn) {
	_ = c.Close() // already closed when the link was cut
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.conns, c)
}

// await blocks while what a side says is held. It reports whether bytes pass, and where to.
func (r *Relay) await(of side) (addr string, ok bool) {
	for {
		r.mu.Lock()
		s, held, changed, addr := r.state, r.holds(of), r.changed, r.target
		r.mu.Unlock()
		if !held {
			return addr, s == whole || s == deaf
		}
		<-changed
	}
}
