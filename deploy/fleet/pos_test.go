package fleet_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"tillstream/deploy/fleet"
	"tillstream/kv/record"
)

// heard is a request as a server took it.
type heard struct{ method, path, kind, key, body, from string }

func listen(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

func ring(t *testing.T, url string) *fleet.POS {
	t.Helper()
	p := fleet.NewPOS(url)
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// A server of net/http hears what a POS must say, over one connection, and the POS hears the answer.
func TestPOS(t *testing.T) {
	t.Parallel()
	var got []heard
	s := listen(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		got = append(got, heard{r.Method, r.URL.Path, r.Header.Get("Content-Type"), r.Header.Get("Idempotency-Key"), string(body), r.RemoteAddr})
		w.WriteHeader(http.StatusCreated)
		io.WriteString(w, "answer to "+string(body))
	})
	p, rid := ring(t, s.URL), record.NewRID(time.Now())
	for i, body := range []string{"a sale", "a return"} {
		a, err := p.Post(t.Context(), i == 1, rid, []byte(body))
		if err != nil || a.Status != http.StatusCreated || string(a.Body) != "answer to "+body {
			t.Fatalf("got %d %q, %v", a.Status, a.Body, err)
		}
	}
	for i, path := range []string{"/v1/receipts", "/v1/returns"} {
		want := heard{"POST", path, "application/json", rid.String(), []string{"a sale", "a return"}[i], got[0].from}
		if got[i] != want {
			t.Errorf("heard %+v, want %+v", got[i], want)
		}
	}
}

// A till closes a connection that was idle, or restarts: the next question goes over another one.
func TestPOSAfterHangUp(t *testing.T) {
	t.Parallel()
	asked := 0
	s := listen(t, func(w http.ResponseWriter, r *http.Request) {
		if asked++; asked == 2 {
			w.Header().Set("Connection", "close")
		}
		w.WriteHeader(http.StatusOK)
	})
	p := ring(t, s.URL)
	for i := range 4 {
		a, err := p.Post(t.Context(), false, record.NewRID(time.Now()), []byte("{}"))
		if err != nil || a.Status != http.StatusOK {
			t.Fatalf("question %d: %d, %v", i, a.Status, err)
		}
		if i == 2 {
			s.CloseClientConnections() // the server waits until they are gone
		}
	}
	if asked != 4 {
		t.Errorf("the server was asked %d times, want 4", asked)
	}
}

// A question in the air does not outlive its context, and what is no answer is an error.
func TestPOSFails(t *testing.T) {
	t.Parallel()
	come := make(chan struct{})
	s := listen(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // before it the server does not notice who hangs up
		close(come)
		<-r.Context().Done()
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	p := ring(t, s.URL)
	go func() {
		_, err := p.Post(ctx, false, record.NewRID(time.Now()), []byte("{}"))
		done <- err
	}()
	<-come
	cancel()
	if err := <-done; err == nil {
		t.Error("a question without an answer gave no error")
	}
	if _, err := p.Post(ctx, false, record.NewRID(time.Now()), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's end", err)
	}

	for _, text := range []string{
		"SSH-2.0-OpenSSH\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
		"HTTP/1.1 200 OK\r\nContent-Length: much\r\n\r\n",
	} {
		p := ring(t, "http://"+says(t, text))
		if a, err := p.Post(t.Context(), false, record.NewRID(time.Now()), []byte("{}")); err == nil {
			t.Errorf("%q was taken for answer %d %q", text, a.Status, a.Body)
		}
	}
}

// says listens, and says a text to whoever comes and has asked.
func says(t *testing.T, text string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			if _, err := c.Read(make([]byte, 4096)); err == nil {
				io.WriteString(c, text)
			}
			c.Close()
		}
	}()
	return l.Addr().String()
}
