package soak

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
)

// network is where the nodes are, and the cables between them.
type network interface {
	// at gives the command line that runs a command where a node is.
	at(t target, argv []string) []string
	// addr is where a node listens for others, the same each time it is asked for.
	addr(t target, door door) (string, error)
	// relayHost is the address of the switch that a node reaches.
	relayHost(t target) string
	// pull pulls a node's cable upward, plug puts it back. errNoCable: there is none, and a relay has to do.
	pull(t target) error
	plug(t target) error
	Close() error
}

// door is what a node listens on.
type door string

const (
	leafDoor    door = "leaf" // where others join it
	clusterDoor door = "cluster"
	adminDoor   door = "admin"
)

// errNoCable means that a node has no cable that could be pulled.
var errNoCable = errors.New("no cable here")

// loopback has all nodes on this computer's loopback.
type loopback struct {
	mu    sync.Mutex
	addrs map[string]string // guarded by mu
}

func newLoopback() *loopback { return &loopback{addrs: map[string]string{}} }

func (*loopback) at(_ target, argv []string) []string { return argv }
func (*loopback) relayHost(target) string             { return "127.0.0.1" }
func (*loopback) pull(target) error                   { return errNoCable }
func (*loopback) plug(target) error                   { return errNoCable }
func (*loopback) Close() error                        { return nil }

func (l *loopback) addr(t target, d door) (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := t.name() + " " + string(d)
	if l.addrs[key] == "" {
		port, err := freePort()
		if err != nil {
			return "", err
		}
		l.addrs[key] = fmt.Sprintf("127.0.0.1:%d", port)
	}
	return l.addrs[key], nil
}

// freePort finds a port that nobody uses now. A node keeps its address over a crash, so it cannot be left
// to the system at each start; and it lies below the range from which the system gives ports to outgoing
// connections, or one of those takes it while the node is down.
func freePort() (int, error) {
	const from, to, tries = 10000, 32000, 1000
	for range tries {
		port := from + rand.IntN(to-from)
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		return port, l.Close()
	}
	return 0, fmt.Errorf("find a free port: none in %d tries", tries)
}
