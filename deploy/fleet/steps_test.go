package fleet_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"tillstream/deploy/fleet"
	"tillstream/edge/api"
	"tillstream/kv/record"
	"tillstream/subjects/event"
)

// The seven steps of earning (R70): purchase, recorded, message, the rewards service consumes, computes
// and awards, the balance is updated, the customer sees it.
func TestSevenStepsOfEarning(t *testing.T) {
	f := open(t, fleet.Config{Stores: 2, Tills: 2})
	heard := make(chan *nats.Msg, 16)
	sub, err := f.Centre()[1].Node().Conn().ChanSubscribe(f.Net().ReceiptsPosted(), heard)
	must(t, err)
	t.Cleanup(func() { _ = sub.Unsubscribe() }) // the connection may be closed
	must(t, f.Centre()[1].Node().Conn().Flush())
	at := f.Store(0).Till(0)

	// 1. Purchase: the POS gives the receipt to its till.
	sale := purchase("shopper", 12_34)
	give(t, at, sale)

	// 2. Recorded: the till says that it has it, to whoever asks by its rid.
	c := recorded(t, at, sale.RID)
	if c.State != "committed" || c.Durable != "local" || value(c.Points.Earned) != 12 || c.Total == nil || *c.Total != 12_34 {
		t.Errorf("recorded as %+v", c)
	}

	// 3. Message: whoever subscribes hears of it, with the receipt as the till was given it.
	ev := hear(t, heard)
	body := sale.Body(at.Config().Store.String(), at.Config().Till.String())
	if ev.RID != sale.RID || ev.Store != at.Config().Store || ev.Till != at.Config().Till || ev.Kind != record.KindSale ||
		ev.Account != f.Cards().Account("shopper") || ev.Points != 12 || ev.Sequence != 1 {
		t.Errorf("message %+v", ev)
	}
	if !bytes.Equal(ev.Body, body) {
		t.Errorf("message with body\n%s\nwant\n%s", ev.Body, body)
	}

	// 4, 5, 6. Consumed, computed and awarded, balance updated: one posting, on every node of the centre.
	settle(t, f, append(generate(0, 0), sale))
	a := account(t, f, "shopper", 12, 0)
	if len(a.Postings) != 1 || a.Postings[0].Receipt != sale.RID.String() || a.Postings[0].Points != 12 || a.Postings[0].Entry != ev.Entry {
		t.Errorf("postings %+v, want one of receipt %s in entry %d", a.Postings, sale.RID, ev.Entry)
	}
	await(t, "posted, says the till", func() error {
		if !recorded(t, at, sale.RID).Posted {
			return fmt.Errorf("receipt %s is not posted", sale.RID)
		}
		return nil
	})

	// 7. The customer sees it: where it shopped, at the next till, and in another store.
	willSee(t, at, "shopper", 12, 0)
	willSee(t, f.Store(0).Till(1), "shopper", 12, 0)
	willSee(t, f.Store(1).Till(1), "shopper", 12, 0)
	await(t, "the word that nobody has seen a card", func() error { // a till that hears nothing in time does not say so
		if status, _ := look(t, at, "stranger"); status != http.StatusNotFound {
			return fmt.Errorf("look-up: %d, want %d", status, http.StatusNotFound)
		}
		return nil
	})
	if n := len(heard); n != 0 {
		t.Errorf("%d messages more than receipts", n)
	}
}

// Every posted receipt is announced once, in the order of the books, whichever till and hop it came by.
func TestEachPostedReceiptIsAnnounced(t *testing.T) {
	f := open(t, fleet.Config{Stores: 2, Tills: 2})
	sold := generate(400, 13)
	heard := make(chan *nats.Msg, len(sold)+1)
	sub, err := f.Centre()[2].Node().Conn().ChanSubscribe(f.Net().ReceiptsPosted(), heard)
	must(t, err)
	t.Cleanup(func() { _ = sub.Unsubscribe() }) // the connection may be closed
	must(t, f.Centre()[2].Node().Conn().Flush())
	sell(t, f, sold)
	settle(t, f, sold)
	open := map[record.RID]bool{}
	for i := range sold {
		open[sold[i].RID] = true
	}
	for n := range sold {
		ev := hear(t, heard)
		if ev.Sequence != uint64(n+1) || !open[ev.RID] {
			t.Fatalf("message %d has sequence %d, receipt %s; heard before: %v", n+1, ev.Sequence, ev.RID, !open[ev.RID])
		}
		delete(open, ev.RID)
	}
}

// recorded asks a till for a receipt by its rid.
func recorded(t *testing.T, at *fleet.Till, rid record.RID) (c api.Committed) {
	t.Helper()
	req, err := http.NewRequestWithContext(within(t, 10*time.Second), http.MethodGet, at.URL()+"/v1/receipts/"+rid.String(), nil)
	must(t, err)
	req.Header.Set("Authorization", "Bearer "+fleet.Token())
	res, err := caller.Do(req)
	must(t, err)
	defer res.Body.Close() //nolint:errcheck // read to its end
	if res.StatusCode != http.StatusOK {
		t.Fatalf("receipt %s: %s", rid, res.Status)
	}
	must(t, json.NewDecoder(res.Body).Decode(&c))
	return c
}

// hear waits for the next message and reads it.
func hear(t *testing.T, heard <-chan *nats.Msg) event.ReceiptPosted {
	t.Helper()
	select {
	case m := <-heard:
		ev, err := event.Decode(m.Header, m.Data)
		must(t, err)
		return ev
	case <-time.After(30 * time.Second):
		t.Fatal("no message came")
		return event.ReceiptPosted{}
	}
}
