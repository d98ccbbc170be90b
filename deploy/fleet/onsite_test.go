package fleet_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"tillstream/central/flow"
	"tillstream/central/flow/msq"
	"tillstream/central/flow/osg"
	"tillstream/central/stage"
	"tillstream/deploy/fleet"
	"tillstream/kv/record"
	"tillstream/subjects/event"
	"tillstream/subjects/service"
)

// onsite runs OSG and MSQ on a node of the centre, beside those that it may run itself: instances share their work.
func onsite(t *testing.T, f *fleet.Fleet) *nats.Conn {
	t.Helper()
	conn := f.Centre()[0].Node().Conn()
	js, err := jetstream.New(conn)
	must(t, err)
	registry, log := prometheus.NewRegistry(), slog.New(slog.NewTextHandler(t.Output(), nil))
	b := flow.Base{
		Net: f.Net(), Conn: conn, JS: js, Docs: flow.NewDocuments(f.Net(), js, log), Stages: stage.NewMetrics(registry),
		Registry: registry, Now: time.Now, Log: log,
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for _, run := range []func(context.Context) error{b.Docs.Run, osg.New(b).Run, msq.New(b).Run} {
		wg.Go(func() {
			if err := run(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	t.Cleanup(func() { cancel(); wg.Wait() })
	return conn
}

// messages reads a till's messages as a POS does: the ids of those that it was sent.
func messages(t *testing.T, till *fleet.Till) (ids func() []string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", till.URL()+"/v1/messages", nil)
	must(t, err)
	req.Header.Set("Authorization", "Bearer "+fleet.Token())
	res, err := caller.Do(req)
	must(t, err)
	if res.StatusCode != http.StatusOK {
		t.Fatalf("messages of till %s: %s", till.Name(), res.Status)
	}
	lines := bufio.NewScanner(res.Body)
	lines.Scan() // from the welcome on the till knows of this POS
	var mu sync.Mutex
	var all []string
	var wg sync.WaitGroup
	wg.Go(func() {
		for lines.Scan() {
			if id, ok := strings.CutPrefix(lines.Text(), "id: "); ok {
				mu.Lock()
				all = append(all, id)
				mu.Unlock()
			}
		}
	})
	t.Cleanup(func() { res.Body.Close(); wg.Wait() })
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return append([]string(nil), all...)
	}
}

// send gives OSG or MSQ a message for a card's holder, as BCG does, and gives the status.
func send(t *testing.T, f *fleet.Fleet, conn *nats.Conn, subject, card string, number int) (string, error) {
	t.Helper()
	promo, err := record.ParsePromoCode("STAMPS")
	must(t, err)
	week, err := record.ParseAttemptID("2099-W01")
	must(t, err)
	now, net := time.Now(), f.Net()
	of := record.Attempt{Account: f.Cards().Account(card), Promo: promo, Attempt: week}
	e := event.Envelope{
		ID: fmt.Sprintf("%032x", number), Type: event.TypeOnsiteMessage, Source: event.Source(net.DC, net.Brand, "bcg"),
		Time: now, DC: net.DC, Brand: net.Brand, Attempt: of, Status: event.RewardAwarded,
	}
	data, err := event.Data(event.OnsiteMessage{
		AccountID: of.Account, PromoCode: promo, AttemptID: week, MessageType: event.MessageRewardAwarded, Delivery: event.Toast,
		Text: "A coffee is on us.", CreatedAt: now, ExpiresAt: now.Add(time.Hour),
	})
	must(t, err)
	a, err := service.AskWith(within(t, 5*time.Second), conn, service.Question{Subject: subject, Header: e.Headers(), Data: data})
	if err != nil {
		return "", err
	}
	return a.Header.Get(event.OSGStatus), nil
}

// A message waits for its shopper, who comes to a till of one store: it is on that till's screen, once. Then they go
// to another store, whose line is cut while a message is asked for: it is shown there when the line is back, once.
func TestMessageFindsItsShopper(t *testing.T) {
	f := open(t, fleet.Config{Nodes: 1, Stores: 2, Tills: 1, Flow: true})
	conn := onsite(t, f)
	const card = "2000017"
	one, two := f.Store(0).Till(0), f.Store(1).Till(0)
	first, second := messages(t, one), messages(t, two)
	wants := func(what string, ids func() []string, want ...int) {
		t.Helper()
		await(t, what, func() error {
			got := ids()
			if len(got) != len(want) {
				return fmt.Errorf("the POS was sent %v", got)
			}
			for i, n := range want {
				if got[i] != fmt.Sprintf("%032x", n) {
					t.Fatalf("%s: the POS was sent %v", what, got)
				}
			}
			return nil
		})
	}
	await(t, "the queue", func() error {
		_, err := send(t, f, conn, f.Net().MSQPut(), card, 1)
		return err
	})
	look(t, one, card)
	wants("the message that waited", first, 1)
	look(t, two, card)
	deliver := func(n int, want string) {
		t.Helper()
		await(t, "the delivery", func() error {
			switch status, err := send(t, f, conn, f.Net().OSGDeliver(), card, n); {
			case err != nil:
				return err
			case status != want:
				return fmt.Errorf("status %s", status)
			}
			return nil
		})
	}
	try := 1000
	await(t, "that the other store is the newest place", func() error {
		if try++; len(second()) > 0 {
			return nil
		}
		_, err := send(t, f, conn, f.Net().OSGDeliver(), card, try)
		return errors.Join(err, errors.New("not yet"))
	})
	f.Store(1).Cut()
	if status, err := send(t, f, conn, f.Net().OSGDeliver(), card, 2); err == nil {
		t.Errorf("a store that cannot be asked: status %s", status)
	}
	f.Store(1).Heal()
	deliver(2, event.OSGDelivered)
	deliver(2, event.OSGDelivered)
	deliver(3, event.OSGDelivered) // behind it on both streams' way
	id := func(n int) string { return fmt.Sprintf("%032x", n) }
	await(t, "both messages", func() error {
		if got := second(); !slices.Contains(got, id(3)) {
			return fmt.Errorf("the POS was sent %v", got)
		}
		return nil
	})
	if a, b := first(), second(); slices.Contains(a, id(2)) || slices.Contains(a, id(3)) || !slices.Equal(b[len(b)-2:], []string{id(2), id(3)}) {
		t.Errorf("the first store was sent %v and the second %v, want messages 2 and 3 once, at the second", a, b)
	}
}
