package api

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
)

const unixPrefix = "unix:"

// ErrNotLocal means that an address could be reached from another computer. Tokens are not made for a
// network: there is no way to allow it.
var ErrNotLocal = errors.New("not a loopback address or a unix socket")

// listen binds a loopback address or a unix socket, and refuses every other.
func listen(addr string) (net.Listener, error) {
	if path, ok := strings.CutPrefix(addr, unixPrefix); ok {
		return listenUnix(path)
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("listen on %q: want host:port or unix:/path: %w", addr, err)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, fmt.Errorf("listen on %q: %w", addr, ErrNotLocal)
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen on %q: %w", addr, err)
	}
	// "localhost" is what the computer's hosts file says it is.
	if tcp, ok := l.Addr().(*net.TCPAddr); !ok || !tcp.IP.IsLoopback() {
		return nil, errors.Join(fmt.Errorf("listen on %q: %w", addr, ErrNotLocal), l.Close())
	}
	return l, nil
}

// listenUnix takes over the socket file of a process that died; one that still answers keeps it.
func listenUnix(path string) (net.Listener, error) {
	conn, err := net.Dial("unix", path)
	if err == nil {
		return nil, errors.Join(fmt.Errorf("listen on %s: another process answers there", path), conn.Close())
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("remove a dead process's socket: %w", err)
		}
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	if err := os.Chmod(path, 0o660); err != nil {
		return nil, errors.Join(fmt.Errorf("listen on %s: %w", path, err), l.Close())
	}
	return l, nil
}
