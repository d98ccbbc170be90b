package relay_test

import (
	"bufio"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"tillstream/central/hub"
	"tillstream/edge/leaf"
)

// A link that is reset between the upstream's greeting and the node's answer must come back like any
// other. nats-server forgets to dial again when its very first write fails, so this is for the
// supervisor: within twice the time after which it enables a link anew.
func TestLinkComesBackAfterAResetInTheGreeting(t *testing.T) {
	for _, compression := range []string{"", "s2_fast"} {
		t.Run("compression "+compression, func(t *testing.T) {
			t.Parallel()
			me := newIdentity(t)
			h := openHub(t, hub.StoreUser{Store: s1, Nkey: me.public})
			up, reset := greetAndReset(t, h.LeafAddr())
			store := openLeaf(t, leaf.Config{
				Name: "store", Upstreams: []string{"nats-leaf://" + up}, UpstreamSeed: me.seed, Compression: compression,
			})
			var wg sync.WaitGroup
			wg.Go(func() {
				if err := store.Run(t.Context()); err != nil {
					t.Errorf("supervise: %v", err)
				}
			})
			t.Cleanup(wg.Wait)
			<-reset
			began := time.Now()
			eventually(t, "store is up", store.Up)
			t.Logf("up again %v after the reset", time.Since(began))
		})
	}
}

// greetAndReset is a relay to target that resets the first connection right after the target's greeting.
func greetAndReset(t *testing.T, target string) (addr string, reset <-chan struct{}) {
	t.Helper()
	l, err := net.Listen("tcp", localhost)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	r := open(t, target)
	var wg sync.WaitGroup
	wg.Go(func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		greet(t, c.(*net.TCPConn), target)
		close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { join(c, r.Addr()) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		_ = r.Close()
		wg.Wait()
	})
	return l.Addr().String(), done
}

// greet passes one line on and resets.
func greet(t *testing.T, c *net.TCPConn, target string) {
	up, err := net.Dial("tcp", target)
	if err != nil {
		t.Errorf("dial target: %v", err)
		return
	}
	defer up.Close()
	line, err := bufio.NewReader(up).ReadString('\n')
	if err != nil {
		t.Errorf("read greeting: %v", err)
	}
	if _, err := io.WriteString(c, line); err != nil {
		t.Errorf("greet: %v", err)
	}
	_ = c.SetLinger(0) // so that Close resets
	_ = c.Close()
}

// join carries both ways until one side ends.
func join(c net.Conn, addr string) {
	defer c.Close()
	up, err := net.Dial("tcp", addr)
	if err != nil {
		return
	}
	defer up.Close()
	var wg sync.WaitGroup
	wg.Go(func() {
		_, _ = io.Copy(up, c) // the other way sees the same end
		_ = up.Close()
	})
	_, _ = io.Copy(c, up)
	_ = c.Close()
	wg.Wait()
}
