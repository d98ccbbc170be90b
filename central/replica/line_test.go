package replica

import (
	"math/rand/v2"
	"net"
	"sync"

	"github.com/nats-io/nats.go"
)

// line is the connection between a node and its own server. It can swallow what the server says, and
// break.
type line struct {
	mu   sync.Mutex
	held chan struct{} // guarded by mu: while it is there, nothing more is read
	conn net.Conn      // guarded by mu
}

func newLine() *line { return &line{} }

// option puts the line into a connection that was made in process.
func (l *line) option() nats.Option {
	return func(o *nats.Options) error {
		o.InProcessServer = provider{l, o.InProcessServer}
		return nil
	}
}

type provider struct {
	line  *line
	inner nats.InProcessConnProvider
}

func (p provider) InProcessConn() (net.Conn, error) {
	conn, err := p.inner.InProcessConn()
	if err != nil {
		return nil, err
	}
	p.line.mu.Lock()
	p.line.conn = conn
	p.line.mu.Unlock()
	return lineConn{conn, p.line}, nil
}

type lineConn struct {
	net.Conn
	line *line
}

func (c lineConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.line.mu.Lock()
	held := c.line.held
	c.line.mu.Unlock()
	if held != nil {
		<-held
		return 0, net.ErrClosed // what came meanwhile is lost
	}
	return n, err
}

// hold lets nothing through that the server says from now on; what the node says goes through.
func (l *line) hold() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held = make(chan struct{})
}

// cut breaks the connection; the node makes another one, which is whole.
func (l *line) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = l.conn.Close() // that is the cut
	close(l.held)
	l.held = nil
}

// noise is bytes that do not compress.
func noise(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{byte(n)})
	_, _ = r.Read(b) // never fails
	return b
}
