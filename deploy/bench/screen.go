package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"tillstream/deploy/fleet"
	"tillstream/deploy/sales"
	"tillstream/kv/record"
	"tillstream/subjects/event"
)

// A stamp card of three receipts, and the words of its reward.
const (
	screenSettings  = `{"revision": 1, "des_activity_types": ["COUPON"]}`
	screenPromotion = `{"promo_code": "STAMPS", "revision": 1, "name": "Three stamps", "url": "https://example.com/stamps", "tags": ["loyalty"],
		"count": {"kind": "receipts"}, "reward_schemes": [{"reward_scheme_id": "coffee", "activity_type": "COUPON", "target": 3,
		"products": ["coffee"], "reward_type": "COUPON", "product_reward_type": "A coffee", "tier_definition": "one", "valid_days": 14}]}`
	screenTemplate = `{"title": "Well done", "text": "{reward} is on us: {code}"}`
	stamps         = 3
)

// screen measures from the post of the receipt that earns a reward until its message is on the screen of the till: at
// half the receipts that the same tills sell when they do not rest.
func (b *bench) screen(ctx context.Context) ([]Result, error) {
	dir, err := b.place.onDisk("screen")
	if err != nil {
		return nil, err
	}
	f, err := openFleet(ctx, b, fleet.Config{Dir: dir, Stores: 2, Tills: 2, Flow: true})
	if err != nil {
		return nil, err
	}
	results, err := b.screens(ctx, f)
	return results, errors.Join(err, f.Close())
}

func (b *bench) screens(ctx context.Context, f *fleet.Fleet) ([]Result, error) {
	if err := putScreenDocuments(ctx, f); err != nil {
		return nil, err
	}
	counters := make([]*counter, 0, len(f.Tills()))
	defer func() {
		for _, c := range counters {
			c.stop()
		}
	}()
	for i, t := range f.Tills() {
		c, err := openCounter(ctx, t, i)
		if err != nil {
			return nil, err
		}
		counters = append(counters, c)
	}
	n := b.size(60, 5)                                         // shoppers at each till
	if _, _, err := serve(ctx, counters, n/5, 0); err != nil { // warms up
		return nil, err
	}
	_, took, err := serve(ctx, counters, n, 0)
	if err != nil {
		return nil, err
	}
	most := rate(n*stamps*len(counters), took)
	began := time.Now()
	waits, took, err := serve(ctx, counters, n, time.Duration(float64(len(counters))*2/most*float64(time.Second)))
	if err != nil {
		return nil, err
	}
	slices.Sort(waits)
	parts, err := onTheWay(ctx, f, counters, began)
	return append([]Result{
		{Name: "screen_p50", Value: millis(percentile(waits, 50)), Unit: "ms", goal: valueAtMost(15)},
		{Name: "screen_p99", Value: millis(percentile(waits, 99)), Unit: "ms", goal: valueAtMost(100)},
		{Name: "screen_rate", Value: rate(n*stamps*len(counters), took), Unit: "receipts/s"},
		{Name: "screen_rate_most", Value: most, Unit: "receipts/s, tills that do not rest"},
	}, parts...), err
}

func putScreenDocuments(ctx context.Context, f *fleet.Fleet) error {
	for path, document := range map[string]string{
		"settings": screenSettings, "promotions": screenPromotion, "templates/REWARD_AWARDED/en": screenTemplate,
	} {
		if err := f.PutFlow(ctx, path, []byte(document)); err != nil {
			return err
		}
	}
	return nil
}

// counter is a till with its POS, which reads the till's messages.
type counter struct {
	till   *fleet.Till
	pos    *fleet.POS
	number int
	served int // shoppers so far
	shown  chan time.Time
	ways   map[record.RID]way // by the receipt that earned; owned by who serves
	stop   func()
}

// way is when a receipt was posted, and when its message was shown.
type way struct{ posted, shown time.Time }

func openCounter(ctx context.Context, t *fleet.Till, number int) (*counter, error) {
	ctx, cancel := context.WithCancel(ctx)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, t.URL()+"/v1/messages", nil)
	if err != nil {
		cancel()
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+fleet.Token())
	res, err := http.DefaultClient.Do(req)
	if err != nil || res.StatusCode != http.StatusOK {
		cancel()
		return nil, fmt.Errorf("read the messages of till %s: %w", t.Name(), err)
	}
	lines := bufio.NewScanner(res.Body)
	lines.Scan() // from the welcome on the till knows of this POS
	c := &counter{till: t, pos: fleet.NewPOS(t.URL()), number: number, shown: make(chan time.Time, 16), ways: map[record.RID]way{}}
	var wg sync.WaitGroup
	wg.Go(func() {
		for lines.Scan() {
			if !strings.HasPrefix(lines.Text(), "id: ") {
				continue
			}
			select {
			case c.shown <- time.Now():
			case <-ctx.Done():
			}
		}
	})
	c.stop = func() { cancel(); _ = res.Body.Close(); wg.Wait() } // it was read until it was given up
	return c, nil
}

// serve has each till serve n shoppers, who earn a reward each, with a receipt each pause. It gives how long their
// messages took.
func serve(ctx context.Context, counters []*counter, n int, pause time.Duration) ([]time.Duration, time.Duration, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	all := make([][]time.Duration, len(counters))
	var wg sync.WaitGroup
	began := time.Now()
	for i, c := range counters {
		wg.Go(func() {
			defer c.pos.Close() //nolint:errcheck // it lives as long as ctx, and has heard all it asked for
			next := began.Add(pause * time.Duration(i) / time.Duration(len(counters)))
			for range n {
				took, err := c.serve(ctx, &next, pause)
				if err != nil {
					cancel(fmt.Errorf("till %s: %w", c.till.Name(), err))
					return
				}
				all[i] = append(all[i], took)
			}
		})
	}
	wg.Wait()
	return slices.Concat(all...), time.Since(began), context.Cause(ctx)
}

// serve serves one shopper.
func (c *counter) serve(ctx context.Context, next *time.Time, pause time.Duration) (time.Duration, error) {
	c.served++
	card := fmt.Sprintf("2%03d%06d", c.number, c.served)
	if _, err := fleet.Lookup(ctx, http.DefaultClient, c.till.URL(), card); err != nil {
		return 0, err
	}
	var posted time.Time
	var rid record.RID
	for range stamps {
		if !sleep(ctx, time.Until(*next)) {
			return 0, context.Cause(ctx)
		}
		*next = next.Add(pause)
		now := time.Now()
		r := sales.Receipt{
			At: now.UTC().Truncate(time.Second), Customer: card, Currency: "GBP", RID: record.NewRID(now),
			Lines: []sales.Line{{Item: "20001", Description: "RED TIN MUG", Quantity: "1", Amount: 500}},
		}
		rid = r.RID
		q := &questions{}
		q.add(c.pos, &r, c.till.Config().Store, c.till.Config().Till)
		posted = time.Now()
		if a, err := c.pos.Ask(ctx, q.asks[0]); err != nil || !a.Kept() {
			return 0, fmt.Errorf("it answers %d %.200s: %w", a.Status, a.Body, err)
		}
	}
	select {
	case at := <-c.shown:
		c.ways[rid] = way{posted, at}
		return at.Sub(posted), nil
	case <-time.After(ackWithin):
		return 0, errors.New("a shopper waits for the message in vain")
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
}

// onTheWay gives the parts of the way by the stamps of the events since a moment.
func onTheWay(ctx context.Context, f *fleet.Fleet, counters []*counter, since time.Time) ([]Result, error) {
	js, err := jetstream.New(f.Centre()[0].Node().Conn())
	if err != nil {
		return nil, err
	}
	c, err := js.OrderedConsumer(ctx, f.Net().FlowStream(), jetstream.OrderedConsumerConfig{
		FilterSubjects: []string{f.Net().Decided()}, DeliverPolicy: jetstream.DeliverByStartTimePolicy, OptStartTime: &since,
	})
	if err != nil {
		return nil, fmt.Errorf("read the flow's stream: %w", err)
	}
	took := map[[2]event.Point][]time.Duration{}
	var before, after []time.Duration
	for {
		m, err := c.Next(jetstream.FetchMaxWait(time.Second))
		if err != nil {
			break // there are no more
		}
		e, err := event.ReadEnvelope(m.Headers())
		if err != nil {
			return nil, err
		}
		for _, c := range counters {
			if w, ok := c.ways[e.Receipt]; ok {
				before, after = append(before, e.Stamps[event.Posted].Sub(w.posted)), append(after, w.shown.Sub(e.Stamps[event.FRED]))
			}
		}
		for _, to := range event.Points() {
			from, ok := e.Stamps.Before(to)
			if ok && from != event.Sold && !e.Stamps[to].IsZero() { // a receipt says in whole seconds when it was sold
				d, _ := e.Stamps.Between(from, to)
				took[[2]event.Point{from, to}] = append(took[[2]event.Point{from, to}], d)
			}
		}
	}
	row := func(from, to string, all []time.Duration) Result {
		slices.Sort(all)
		return Result{Name: fmt.Sprintf("screen: %s to %s, p50", from, to), Value: millis(percentile(all, 50)), Unit: "ms", detail: true}
	}
	results := []Result{row("till", event.Posted.String(), before)}
	for _, from := range event.Points() {
		for _, to := range event.Points() {
			if all := took[[2]event.Point{from, to}]; len(all) > 0 {
				results = append(results, row(from.String(), to.String(), all))
			}
		}
	}
	return append(results, row(event.FRED.String(), "screen", after)), nil
}
