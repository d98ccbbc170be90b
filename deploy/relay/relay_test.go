package relay_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"tillstream/deploy/relay"
)

// soon bounds every wait: only a broken relay needs it.
const soon = 10 * time.Second

// echo answers each connection with its own bytes until the test ends, after greeting with name.
func echo(t *testing.T, name string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var conns []net.Conn
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, c)
			mu.Unlock()
			wg.Go(func() {
				defer c.Close()
				if _, err := io.WriteString(c, name); err == nil {
					_, _ = io.Copy(c, c)
				}
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for _, c := range conns {
			c.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
	return l.Addr().String()
}

func open(t *testing.T, target string) *relay.Relay {
	t.Helper()
	r, err := relay.Open("127.0.0.1:0", target)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() }) // some tests close it themselves
	return r
}

func dial(t *testing.T, addr string) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(soon)); err != nil {
		t.Fatal(err)
	}
	return c.(*net.TCPConn)
}

func read(t *testing.T, c net.Conn, want string) {
	t.Helper()
	b := make([]byte, len(want))
	if _, err := io.ReadFull(c, b); err != nil {
		t.Fatalf("read %q: %v", want, err)
	}
	if got := string(b); got != want {
		t.Fatalf("got %q, want %q", got, want)
	}
}

func say(t *testing.T, c net.Conn, s string) {
	t.Helper()
	if _, err := io.WriteString(c, s); err != nil {
		t.Fatalf("write %q: %v", s, err)
	}
}

// quiet asserts that nothing comes for a short while.
func quiet(t *testing.T, c *net.TCPConn) {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	var b [1]byte
	n, err := c.Read(b[:])
	var ne net.Error
	if n != 0 || !errors.As(err, &ne) || !ne.Timeout() {
		t.Fatalf("a silent link gave %d bytes, %v; want a time-out", n, err)
	}
	if err := c.SetReadDeadline(time.Now().Add(soon)); err != nil {
		t.Fatal(err)
	}
}

// ended asserts that the connection is over, one way or the other.
func ended(t *testing.T, c net.Conn) {
	t.Helper()
	_, err := io.Copy(io.Discard, c)
	var ne net.Error
	if errors.As(err, &ne) && ne.Timeout() {
		t.Fatal("the connection is still open")
	}
}

// refused asserts that no connection to addr lives.
func refused(t *testing.T, addr string) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return // the reset came before the dial was over
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(soon)); err == nil {
		ended(t, c)
	}
}

func TestCarriesBothWaysAndPassesTheEndOn(t *testing.T) {
	t.Parallel()
	for _, delay := range []time.Duration{0, time.Millisecond} {
		r := open(t, echo(t, "a"))
		r.Delay(delay)
		c := dial(t, r.Addr())
		read(t, c, "a")
		want := bytes.Repeat([]byte("0123456789abcdef"), 1<<16) // 1 MiB
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := c.Write(want); err != nil {
				t.Error(err)
			}
			if err := c.CloseWrite(); err != nil {
				t.Error(err)
			}
		})
		got, err := io.ReadAll(c)
		wg.Wait()
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("delay %v: got %d bytes, %v; want %d as sent, nil", delay, len(got), err, len(want))
		}
	}
}

func TestCutResetsOldAndNewUntilHealed(t *testing.T) {
	t.Parallel()
	r := open(t, echo(t, "a"))
	old := dial(t, r.Addr())
	read(t, old, "a")
	r.Cut()
	ended(t, old)
	refused(t, r.Addr())
	r.Heal()
	c := dial(t, r.Addr())
	read(t, c, "a")
	say(t, c, "hello")
	read(t, c, "hello")
}

func TestSilenceHoldsOldAndNewUntilHealed(t *testing.T) {
	t.Parallel()
	for _, delay := range []time.Duration{0, time.Millisecond} {
		r := open(t, echo(t, "a"))
		r.Delay(delay)
		old := dial(t, r.Addr())
		read(t, old, "a")
		for range 3 { // the link resumes each time, with nothing lost
			r.Silence()
			say(t, old, "held")
			quiet(t, old)
			young := dial(t, r.Addr())
			quiet(t, young)
			r.Heal()
			read(t, old, "held")
			read(t, young, "a")
		}
	}
}

func TestCutEndsWhatIsSilent(t *testing.T) {
	t.Parallel()
	r := open(t, echo(t, "a"))
	old := dial(t, r.Addr())
	read(t, old, "a")
	r.Silence()
	young := dial(t, r.Addr())
	r.Cut()
	ended(t, old)
	ended(t, young)
}

func TestDelayPostponesBytes(t *testing.T) {
	t.Parallel()
	const d = 30 * time.Millisecond
	r := open(t, echo(t, "a"))
	r.Delay(d)
	c := dial(t, r.Addr())
	read(t, c, "a")
	start := time.Now()
	say(t, c, "x")
	read(t, c, "x")
	if got := time.Since(start); got < 2*d {
		t.Fatalf("round trip %v, want at least %v", got, 2*d)
	}
}

// A line of so many bytes a second takes its time, each way, and loses nothing.
func TestRateBoundsBytes(t *testing.T) {
	t.Parallel()
	const rate, size = 200_000, 20_000
	r := open(t, echo(t, "a"))
	r.Rate(rate)
	c := dial(t, r.Addr())
	read(t, c, "a")
	text := strings.Repeat("0123456789", size/10)
	start := time.Now()
	say(t, c, text)
	read(t, c, text)
	if got, least := time.Since(start), size*time.Second/rate; got < least {
		t.Fatalf("%d bytes took %v, want at least %v", size, got, least)
	}
}

func TestSetTargetAppliesToNewConnections(t *testing.T) {
	t.Parallel()
	r := open(t, "")
	refused(t, r.Addr()) // no target yet
	r.SetTarget(echo(t, "a"))
	old := dial(t, r.Addr())
	read(t, old, "a")
	r.SetTarget(echo(t, "b"))
	read(t, dial(t, r.Addr()), "b")
	say(t, old, "still")
	read(t, old, "still")
}

func TestDeadTargetIsAReset(t *testing.T) {
	t.Parallel()
	gone := open(t, "")
	addr := gone.Addr()
	if err := gone.Close(); err != nil {
		t.Fatal(err)
	}
	refused(t, open(t, addr).Addr())
}

func TestCloseEndsEverything(t *testing.T) {
	t.Parallel()
	r := open(t, echo(t, "a"))
	c := dial(t, r.Addr())
	read(t, c, "a")
	r.Silence()
	held := dial(t, r.Addr())
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	ended(t, c)
	ended(t, held)
	if got := r.Conns(); got != 0 {
		t.Fatalf("%d connections after Close, want 0", got)
	}
	if err := r.Close(); !errors.Is(err, relay.ErrClosed) {
		t.Fatalf("second Close: %v, want ErrClosed", err)
	}
}
