package flowtest_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"tillstream/central/flow/flowtest"
	"tillstream/subjects/service"
)

// A question of the same process is answered as one over the network is, by the service here for as long as it runs,
// and then by whoever serves elsewhere.
func TestNear(t *testing.T) {
	t.Parallel()
	w := flowtest.Open(t)
	near := new(service.Near)
	subject := w.Net.PPHPromotion()
	entered := make(chan struct{}, 1)
	start := func(name string, n *service.Near) (stop func()) {
		conn, _ := w.Connect()
		stop = w.Run(service.New(service.Config{
			Conn: conn, Name: "pph", Endpoint: "promotion", Subject: subject, AtOnce: 2, Near: n, Log: w.Log,
			Answer: func(ctx context.Context, q service.Question) (service.Answer, error) {
				switch string(q.Data) {
				case "refuse":
					return service.Answer{}, &service.Refusal{Err: errors.New("no such promotion")}
				case "fail":
					return service.Answer{}, errors.New("of nobody's business")
				case "hang":
					entered <- struct{}{}
					<-ctx.Done()
					return service.Answer{}, ctx.Err()
				}
				return service.Answer{Data: []byte(name), Header: nats.Header{"heard": q.Header["say"]}}, nil
			},
		}).Run)
		return stop
	}
	ask := func(n *service.Near, data string) (service.Answer, error) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		return n.Ask(ctx, w.Conn, service.Question{Subject: subject, Header: nats.Header{"say": {"hello"}}, Data: []byte(data)})
	}
	// eventually, since a service is there a moment after it was started, and gone a moment before it has ended.
	answers := func(n *service.Near, want string) {
		t.Helper()
		late := time.After(flowtest.Within)
		for {
			a, err := ask(n, "")
			if err == nil && string(a.Data) == want && a.Header.Get("heard") == "hello" {
				return
			}
			select {
			case <-time.After(5 * time.Millisecond):
			case <-late:
				t.Fatalf("got %q %v, %v, want %q", a.Data, a.Header, err, want)
			}
		}
	}
	stop := start("here", near)
	answers(near, "here")
	for _, n := range []*service.Near{near, nil} {
		if _, ok := errors.AsType[*service.Refusal](second(ask(n, "refuse"))); !ok {
			t.Error("a refusal is none")
		}
		if err := second(ask(n, "fail")); !errors.Is(err, service.ErrLater) {
			t.Errorf("got %v, want %v", err, service.ErrLater)
		}
		if err := second(ask(n, strings.Repeat("x", 9<<20))); !errors.Is(err, nats.ErrMaxPayload) {
			t.Errorf("got %v, want %v", err, nats.ErrMaxPayload)
		}
	}

	start("elsewhere", nil)
	for range 20 {
		answers(near, "here") // never the other
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := second(ask(near, "hang")); !errors.Is(err, service.ErrLater) || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("when the service ends: got %v, want %v", err, service.ErrLater)
		}
	})
	<-entered
	stop()
	wg.Wait()
	answers(near, "elsewhere")
}

func second(_ service.Answer, err error) error { return err }
