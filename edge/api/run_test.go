package api

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"tillstream/kv/record"
	"tillstream/subjects"
)

func logInto(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func TestListenRefusesWhatOthersCouldReach(t *testing.T) {
	t.Parallel()
	for _, addr := range []string{":0", "0.0.0.0:0", "[::]:0", "192.0.2.1:80", "example.com:80", "10.0.0.1:0"} {
		if l, err := listen(addr); !errors.Is(err, ErrNotLocal) {
			t.Errorf("%s: %v, %v; want ErrNotLocal", addr, l, err)
		}
	}
	for _, addr := range []string{"", "127.0.0.1", "unix:", "unix:" + filepath.Join(t.TempDir(), "no", "such")} {
		if l, err := listen(addr); err == nil {
			t.Errorf("%q: listens on %s", addr, l.Addr())
		}
	}
}

func TestUnixSocket(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "pos.sock")
	// What a process that died leaves behind.
	dead, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	dead.(*net.UnixListener).SetUnlinkOnClose(false)
	if err := dead.Close(); err != nil {
		t.Fatal(err)
	}
	n := start(t, t.TempDir(), func(c *Config) { c.Listen = "unix:" + path })
	if r := n.sell(receipt(t, nil)); r.status != http.StatusCreated {
		t.Errorf("got %d %s", r.status, r.body)
	}
	if n.api.Addr() != "unix:"+path {
		t.Errorf("address %s", n.api.Addr())
	}
	if l, err := listen("unix:" + path); err == nil {
		t.Errorf("a second process takes the socket: %v", l.Close())
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	if a, err := Open(Config{Listen: "127.0.0.1:0"}); err == nil {
		t.Errorf("opens without a store: %v", a.Close())
	}
	if a, err := Open(Config{Store: store("0017"), Listen: "127.0.0.1:0"}); err == nil {
		t.Errorf("opens without a journal: %v", a.Close())
	}
}

// Whoever waits when the node stops is answered.
func TestStopAnswersThoseWhoWait(t *testing.T) {
	t.Parallel()
	asked, say := make(chan struct{}), make(chan struct{})
	n := start(t, t.TempDir(), func(c *Config) {
		c.Ask = func(context.Context, record.AccountID) (record.Shopper, string, bool, error) {
			close(asked)
			<-say
			return record.Shopper{Balance: 7, AsOf: 1}, "store", true, nil
		}
	})
	got := make(chan reply, 1)
	go func() { got <- n.lookUp(ourCard, 2000) }()
	<-asked
	stopped := make(chan error, 1)
	go func() { stopped <- n.stop() }()
	for { // until nobody else is let in
		conn, err := net.Dial("tcp", n.api.Addr())
		if err != nil {
			break
		}
		if err := conn.Close(); err != nil {
			t.Fatal(err)
		}
	}
	close(say)
	if s := into[Shopper](t, <-got); *s.Points.Available != 7 {
		t.Errorf("got %+v", s)
	}
	if err := <-stopped; err != nil {
		t.Errorf("stop: %v", err)
	}
}

// A question that never ends does not hold the node up.
func TestStopIsBounded(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{})
	n := start(t, t.TempDir(), func(c *Config) {
		c.StopTimeout = time.Millisecond
		c.Ask = func(ctx context.Context, _ record.AccountID) (record.Shopper, string, bool, error) {
			close(asked)
			<-ctx.Done()
			return record.Shopper{}, "", false, ctx.Err()
		}
	})
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = n.try("POST", "/v1/lookups", nil, fmt.Appendf(nil, `{"identifier":{"kind":"card","value":%q},"wait_ms":2000}`, ourCard))
	}()
	<-asked
	if err := n.stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
	<-done
}

func TestCrashDropsConnections(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{})
	n := start(t, t.TempDir(), func(c *Config) {
		c.Ask = func(ctx context.Context, _ record.AccountID) (record.Shopper, string, bool, error) {
			close(asked)
			<-ctx.Done()
			return record.Shopper{}, "", false, ctx.Err()
		}
	})
	failed := make(chan error, 1)
	go func() {
		_, err := n.try("POST", "/v1/lookups", nil, fmt.Appendf(nil, `{"identifier":{"kind":"card","value":%q},"wait_ms":2000}`, ourCard))
		failed <- err
	}()
	<-asked
	n.api.Crash()
	n.api.Crash()
	if err := <-failed; err == nil {
		t.Error("answered after a crash")
	}
	if err := n.stop(); err != nil {
		t.Errorf("run: %v", err)
	}
	if _, err := n.try("GET", "/v1/health", nil, nil); err == nil {
		t.Error("answers after a crash")
	}
}

// endless is a body of size bytes that is no JSON.
func endless(size int64) io.Reader {
	return io.LimitReader(strings.NewReader(strings.Repeat(`{"rid":[[[[`, int(size/11)+1)), size)
}

func TestHugeBody(t *testing.T) {
	t.Parallel()
	n := start(t, t.TempDir(), nil)
	for name, length := range map[string]int64{"length said": 10 << 20, "length not said": -1} {
		req, err := http.NewRequestWithContext(t.Context(), "POST", n.url+"/v1/receipts", endless(10<<20))
		if err != nil {
			t.Fatal(err)
		}
		req.ContentLength = length
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set(HeaderKey, "x")
		req.Header.Set("Authorization", bearer)
		resp, err := n.client.Do(req)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		wantProblem(t, reply{resp.StatusCode, resp.Header, b}, "basket-too-large", http.StatusRequestEntityTooLarge)
	}
	if r := n.sell(receipt(t, nil)); r.status != http.StatusCreated {
		t.Errorf("the next sale: %d %s", r.status, r.body)
	}
}

// raw sends half of a request and gives what comes back.
func (n *node) raw(request string, hangUp bool) reply {
	n.t.Helper()
	conn, err := net.Dial("tcp", n.api.Addr())
	if err != nil {
		n.t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, request); err != nil {
		n.t.Fatal(err)
	}
	if hangUp {
		if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
			n.t.Fatal(err)
		}
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		n.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		n.t.Fatal(err)
	}
	return reply{resp.StatusCode, resp.Header, b}
}

const half = "POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: " + bearer + "\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{\"rid\":"

func TestBodyThatNeverEnds(t *testing.T) {
	t.Parallel()
	n := start(t, t.TempDir(), func(c *Config) { c.BodyTimeout = 50 * time.Millisecond })
	wantProblem(t, n.raw(fmt.Sprintf(half, "/v1/receipts"), false), "body-incomplete", http.StatusRequestTimeout)
	n.drip(fmt.Sprintf(half, "/v1/receipts"))
	n.drip("POST /v1/receipts HTTP/1.1\r\nHost: x\r\nX-Long: ")
	if r := n.do("GET", "/v1/health", nil, nil); r.status != http.StatusOK {
		t.Errorf("health: %d %s", r.status, r.body)
	}
	if r := n.sell(receipt(t, nil)); r.status != http.StatusCreated {
		t.Errorf("the next sale: %d %s", r.status, r.body)
	}
}

// drip sends a request and then a byte now and again, until the node hangs up.
func (n *node) drip(request string) {
	n.t.Helper()
	conn, err := net.Dial("tcp", n.api.Addr())
	if err != nil {
		n.t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, request); err != nil {
		n.t.Fatal(err)
	}
	gone := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, conn)
		gone <- err
	}()
	tick, late := time.NewTicker(20*time.Millisecond), time.After(20*time.Second)
	defer tick.Stop()
	for {
		select {
		case <-gone:
			return
		case <-tick.C:
			_, _ = conn.Write([]byte(" ")) // it may have hung up, which gone says
		case <-late:
			n.t.Fatalf("it listens for ever to %.30q", request)
		}
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	last := time.Time{}
	n := start(t, t.TempDir(), func(c *Config) {
		c.Now = func() time.Time { return now }
		c.Upstream = func() time.Time { return last }
		c.Centre = func() Centre { return Centre{Linked: !last.IsZero(), Heard: last} }
	})
	h := into[Health](t, n.do("GET", "/v1/health", nil, nil))
	if h.Store != "0017" || h.Till != "3" || h.Version != "test" || h.Upstream.LastAnswerAgeMS != nil ||
		h.Upstream.Centre.Linked || h.Upstream.Centre.LastAnswerAgeMS != nil ||
		h.Unconfirmed.Records != 0 || h.Unconfirmed.OldestAgeMS != nil {
		t.Errorf("got %+v", h)
	}
	last = now.Add(-42 * time.Millisecond)
	n.sell(receipt(t, nil))
	h = into[Health](t, n.do("GET", "/v1/health", nil, nil))
	if *h.Upstream.LastAnswerAgeMS != 42 || !h.Upstream.Centre.Linked || *h.Upstream.Centre.LastAnswerAgeMS != 42 || h.Unconfirmed.Records != 2 || h.Unconfirmed.OldestAgeMS == nil {
		t.Errorf("got %+v", h)
	}
	last = now.Add(time.Hour) // the clock was put back
	if h = into[Health](t, n.do("GET", "/v1/health", nil, nil)); *h.Upstream.LastAnswerAgeMS != 0 {
		t.Errorf("got %+v", h)
	}
}

func TestStoreServerLooksUpOnly(t *testing.T) {
	t.Parallel()
	n := start(t, t.TempDir(), func(c *Config) { c.Till = subjects.TillID{} })
	wantProblem(t, n.sell(receipt(t, nil)), "not-a-till", http.StatusConflict)
	if r := n.lookUp(ourCard, 0); r.status != http.StatusOK {
		t.Errorf("look-up: %d %s", r.status, r.body)
	}
	if h := into[Health](t, n.do("GET", "/v1/health", nil, nil)); h.Till != "" {
		t.Errorf("till %s", h.Till)
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	n := start(t, t.TempDir(), func(c *Config) {
		c.Registerer, c.Metrics = registry, promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
	})
	body := receipt(t, nil)
	n.sell(body)
	n.sell(body)
	n.write("/v1/returns", receipt(t, nil))
	n.sell([]byte("{"))
	n.lookUp(ourCard, 0)
	r := n.do("GET", "/metrics", nil, nil)
	for _, want := range []string{
		`tillstream_pos_receipts_total{kind="sale",result="kept"} 1`,
		`tillstream_pos_receipts_total{kind="sale",result="repeated"} 1`,
		`tillstream_pos_receipts_total{kind="return",result="kept"} 1`,
		`tillstream_pos_problems_total{operation="commitReceipt",problem="missing-idempotency-key"} 1`,
		`tillstream_pos_lookups_total{source="none"} 1`,
		`tillstream_pos_commit_seconds_count 3`,
	} {
		if !bytes.Contains(r.body, []byte(want)) {
			t.Errorf("no %s in\n%s", want, r.body)
		}
	}
}
