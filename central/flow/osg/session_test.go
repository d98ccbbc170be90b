package osg_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"tillstream/central/flow/flowtest"
	"tillstream/central/flow/osg"
	"tillstream/kv/record"
	"tillstream/subjects/event"
)

// phone is a device of the app.
type phone struct {
	data chan string
	end  func()
}

// connect opens a stream, and returns once OSG knows of it.
func connect(t *testing.T, o *osg.OSG, account record.AccountID, device string) *phone {
	t.Helper()
	srv := httptest.NewServer(o.Sessions())
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, "GET", srv.URL+"/v1/sessions/"+account.String()+"/"+device, nil)
	if err != nil {
		t.Fatal(err)
	}
	var res *http.Response
	eventually(t, "connect", func(context.Context) (err error) { // an instance that is starting says so
		if res, err = srv.Client().Do(req); err == nil && res.StatusCode != http.StatusOK {
			res.Body.Close()
			err = errors.New(res.Status)
		}
		return err
	})
	lines := bufio.NewScanner(res.Body)
	lines.Scan()
	p := &phone{data: make(chan string, 64)}
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(p.data)
		for lines.Scan() {
			if d, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				p.data <- d
			}
		}
	})
	p.end = sync.OnceFunc(func() { cancel(); res.Body.Close(); wg.Wait(); srv.Close() })
	t.Cleanup(p.end)
	return p
}

// Two devices appear at once, at two instances, and somebody delivers at each: one of them shows the message.
func TestDevicesAtOnceShowOnce(t *testing.T) {
	t.Parallel()
	w := flowtest.Open(t)
	one, _ := start(t, w)
	two, _ := start(t, w)
	for n := range 10 {
		of := flowtest.MustAttempt(uint16(n), "STAMPS", "2011-W48")
		e, m := message(w, of, n)
		var phones [3]*phone
		var wg sync.WaitGroup
		for i, o := range []*osg.OSG{one, two, one} {
			phones[i] = connect(t, o, of.Account, fmt.Sprintf("device-%d", i))
		}
		for range 4 {
			wg.Go(func() {
				conn, _ := w.Connect()
				eventually(t, "the delivery", func(context.Context) error {
					if got := deliver(w, conn, e, m); got != event.OSGDelivered {
						return fmt.Errorf("status %q", got)
					}
					return nil
				})
			})
		}
		wg.Wait()
		shown := 0
		for _, p := range phones {
			p.end()
			for d := range p.data {
				if strings.Contains(d, e.ID) {
					shown++
				}
			}
		}
		if shown != 1 {
			t.Fatalf("message %d was shown %d times", n, shown)
		}
	}
}

// A device that connects again, at another instance, is where it is now; and one that has gone is gone.
func TestDeviceMovesAndLeaves(t *testing.T) {
	t.Parallel()
	w := flowtest.Open(t)
	one, _ := start(t, w)
	two, _ := start(t, w)
	of := flowtest.MustAttempt(1, "STAMPS", "2011-W48")
	first := connect(t, one, of.Account, "phone")
	e, m := message(w, of, 1)
	eventually(t, "the first", func(context.Context) error { return is(deliver(w, w.Conn, e, m), event.OSGDelivered) })
	if got := <-first.data; !strings.Contains(got, `"full_screen"`) || !strings.Contains(got, "One is on us.") {
		t.Errorf("the phone is sent %s", got)
	}
	second := connect(t, two, of.Account, "phone")
	first.end()
	e, m = message(w, of, 2)
	eventually(t, "the second", func(context.Context) error { return is(deliver(w, w.Conn, e, m), event.OSGDelivered) })
	if got := <-second.data; !strings.Contains(got, e.ID) {
		t.Errorf("the phone is sent %s", got)
	}
	second.end()
	e, m = message(w, of, 3)
	eventually(t, "that it has gone", func(context.Context) error { return is(deliver(w, w.Conn, e, m), event.OSGNotOnSite) })
}

// An instance dies with its device: the message does not wait for it.
func TestInstanceDiesWithItsDevice(t *testing.T) {
	t.Parallel()
	w := flowtest.Open(t)
	one, stop := start(t, w)
	start(t, w)
	of := flowtest.MustAttempt(1, "STAMPS", "2011-W48")
	p := connect(t, one, of.Account, "phone")
	e, m := message(w, of, 1)
	eventually(t, "the device is known", func(context.Context) error { return is(deliver(w, w.Conn, e, m), event.OSGDelivered) })
	stop()
	e, m = message(w, of, 2)
	eventually(t, "an answer", func(context.Context) error { return is(deliver(w, w.Conn, e, m), event.OSGNotOnSite) })
	p.end()
}

func TestSessionsRefuse(t *testing.T) {
	t.Parallel()
	w := flowtest.Open(t)
	o, _ := start(t, w)
	for _, path := range []string{"/v1/sessions/nobody/phone", "/v1/sessions/" + (record.AccountID{1}).String() + "/PHONE.*"} {
		rec := httptest.NewRecorder()
		o.Sessions().ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), "GET", path, nil))
		if rec.Code != http.StatusBadRequest {
			t.Errorf("%s: got %d", path, rec.Code)
		}
	}
}

func is(got, want string) error {
	if got != want {
		return fmt.Errorf("status %q, want %s", got, want)
	}
	return nil
}
