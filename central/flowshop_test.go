package central_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"tillstream/central/flow/flowtest"
	"tillstream/kv"
	"tillstream/kv/record"
	"tillstream/subjects"
	"tillstream/subjects/event"
	"tillstream/subjects/service"
)

// shopfront is a store with a till for each shopper. A till shows a message as a till's node does: to the shopper who is
// there, each id once.
type shopfront struct {
	w    *flowtest.World
	id   subjects.StoreID
	conn *nats.Conn

	mu    sync.Mutex
	here  map[record.AccountID]bool            // guarded by mu
	shown map[record.AccountID][]record.Screen // guarded by mu: in the order in which they were shown
	no    map[string]uint64                    // guarded by mu: by account and id, the last try that was refused
}

func openShop(w *flowtest.World) *shopfront {
	s := &shopfront{
		w: w, id: shop(42), here: map[record.AccountID]bool{}, shown: map[record.AccountID][]record.Screen{}, no: map[string]uint64{},
	}
	s.conn, _ = w.Connect()
	_, err := s.conn.Subscribe(w.Net.StoreScreen(s.id), s.screen)
	w.Must(err)
	w.Must(s.conn.Flush())
	return s
}

func (s *shopfront) screen(q *nats.Msg) {
	m, err := record.ReadScreen(q.Data)
	if err != nil {
		s.w.T.Error(err)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	status, key := event.OSGDelivered, m.Account.String()+m.ID
	switch {
	case slices.ContainsFunc(s.shown[m.Account], func(o record.Screen) bool { return o.ID == m.ID }):
	case !s.here[m.Account] || s.no[key] >= m.Try:
		s.no[key] = max(s.no[key], m.Try)
		status = event.OSGNotOnSite
	default:
		s.shown[m.Account] = append(s.shown[m.Account], m)
	}
	_ = q.RespondMsg(&nats.Msg{Header: nats.Header{event.OSGStatus: {status}}}) // the asker's time-out tells
}

// come has a shopper at their till, and says so, as a store does again and again.
func (s *shopfront) come(account record.AccountID) error {
	s.mu.Lock()
	s.here[account] = true
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(s.w.T.Context(), 5*time.Second)
	defer cancel()
	p := record.Presence{
		Till: subjects.TillID{Token: subjects.MustToken(fmt.Sprintf("t%d", int(account[14])<<8|int(account[15])))}, Account: account, Here: true, At: time.Now().UnixMilli(),
	}
	_, err := service.Ask(ctx, s.conn, s.w.Net.POSPresence(s.id), p.Append(nil))
	return err
}

// texts gives what a shopper was shown, in order.
func (s *shopfront) texts(account record.AccountID) (all []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.shown[account] {
		all = append(all, m.Text)
	}
	return all
}

// last is the last message that a shopper was shown.
func (s *shopfront) last(account record.AccountID) (m record.Screen) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if all := s.shown[account]; len(all) > 0 {
		m = all[len(all)-1]
	}
	return m
}

// comes has a shopper come, for whom OSG must be there to hear it.
func (c *chain) comes(account record.AccountID) {
	c.T.Helper()
	c.until("OSG hears of a shopper", func() error { return c.shop.come(account) })
}

// sees waits until a shopper who is there has been shown these, in this order or any, and nothing more waits for them.
func (c *chain) sees(account record.AccountID, ordered bool, want ...string) {
	c.T.Helper()
	said := time.Time{}
	c.until(fmt.Sprintf("shopper %s sees %q", account, want), func() error {
		if time.Since(said) > 200*time.Millisecond { // the word may be lost with who heard it
			if err := c.shop.come(account); err != nil {
				return err
			}
			said = time.Now()
		}
		got := c.shop.texts(account)
		if !ordered {
			slices.Sort(got)
			slices.Sort(want)
		}
		if len(got) > len(want) || len(got) == len(want) && !slices.Equal(got, want) {
			c.T.Fatalf("shopper %s was shown %q, want %q", account, got, want)
		}
		if left := c.waits(account); len(left) > 0 || len(got) < len(want) {
			return fmt.Errorf("shown %q, and %d wait", got, len(left))
		}
		return nil
	})
}

// waits lists the messages in the queue for a shopper.
func (c *chain) waits(account record.AccountID) []string {
	c.T.Helper()
	return c.keys(kv.Onsite(c.Net.Brand), kv.WaitKey(account, "*"))
}

// keys lists the keys of a bucket.
func (c *chain) keys(of kv.Bucket, pattern string) []string {
	c.T.Helper()
	b, err := kv.Open(c.T.Context(), c.JS, of)
	c.Must(err)
	keys, err := b.Keys(c.T.Context(), pattern)
	c.Must(err)
	return keys
}

// has says whether a record is there.
func (c *chain) has(of kv.Bucket, key string) bool {
	c.T.Helper()
	b, err := kv.Open(c.T.Context(), c.JS, of)
	c.Must(err)
	_, err = b.Get(c.T.Context(), key)
	if err != nil && !errors.Is(err, kv.ErrNone) {
		c.T.Fatal(err)
	}
	return err == nil
}
