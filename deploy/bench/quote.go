package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/goccy/go-yaml"

	"tillstream/deploy/fleet"
	"tillstream/edge/api"
	"tillstream/edge/pricing"
	"tillstream/kv/record"
)

// quotedTill is a till's process that has joined its store, with a million shoppers in its cache.
type quotedTill struct {
	fleet   *fleet.Fleet
	process process
	doors   doors
	dir     string
}

// quote measures what a POS waits for when the cashier presses "Calculate": from a till's process that has
// joined a store, with the link, and without it. The baseline is a bare HTTP server in the same process that
// is sent as many bytes and answers as many.
func (b *bench) quote(ctx context.Context) ([]Result, error) {
	t, err := b.openQuotedTill(ctx)
	if err != nil {
		return nil, err
	}
	results, err := b.quotes(ctx, t)
	return results, errors.Join(err, t.close())
}

func (b *bench) openQuotedTill(ctx context.Context) (_ *quotedTill, err error) {
	t := &quotedTill{}
	if t.dir, err = b.place.onDisk("quote"); err != nil {
		return nil, err
	}
	if t.fleet, err = openFleet(ctx, b, fleet.Config{Dir: t.dir, Nodes: 1}); err != nil {
		return nil, err
	}
	if err := t.open(ctx, b.size(cachedShoppers, quickShoppers)); err != nil {
		return nil, errors.Join(err, t.close())
	}
	return t, nil
}

// open has items and promotions fall to the till, gives its cache its shoppers while its node is down, and
// starts it as a process.
func (t *quotedTill) open(ctx context.Context, shoppers int) error {
	till := t.fleet.Store(0).Till(0)
	revision, err := newShelves().fill(ctx, t.fleet.Centre()[0].Node().Reference())
	if err != nil {
		return err
	}
	if err := until(ctx, lookEvery, "the promotions reach the till", func() error {
		if s := till.Node().Rules().State(); uint64(s.Revision) != revision {
			return fmt.Errorf("it prices by %d of %d, faults %v", s.Revision, s.Newest, s.Faults)
		}
		return nil
	}); err != nil {
		return err
	}
	if err := till.Crash(); err != nil {
		return err
	}
	cfg := till.Config()
	if _, err := fillCache(cfg, shoppers); err != nil {
		return err
	}
	t.process = process{name: till.Name(), flag: "--till-node", config: filepath.Join(t.dir, "till.yaml"), log: filepath.Join(t.dir, "till.log")}
	text, err := yaml.Marshal(cfg)
	if err == nil {
		err = os.WriteFile(t.process.config, text, 0o600)
	}
	if err == nil {
		err = t.process.start(context.WithoutCancel(ctx))
	}
	if err == nil {
		t.doors, err = t.process.askTill(askDoors)
	}
	if err != nil {
		return fmt.Errorf("start the till's process: %w", err)
	}
	return t.linked(ctx)
}

func (t *quotedTill) close() error {
	return errors.Join(t.process.kill(), t.fleet.Close())
}

// cut takes the till's link to its store, and the store's to the centre.
func (t *quotedTill) cut() {
	t.fleet.Store(0).Cut()
	t.fleet.Store(0).Till(0).Cut()
}

// heal gives the links back, and waits until upstream answers.
func (t *quotedTill) heal(ctx context.Context) error {
	t.fleet.Store(0).Heal()
	t.fleet.Store(0).Till(0).Heal()
	return t.linked(ctx)
}

// linked waits until upstream has answered the till since it was asked.
func (t *quotedTill) linked(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyIn)
	defer cancel()
	began := time.Now()
	return until(ctx, 20*time.Millisecond, "the till's upstream answers", func() error {
		var h api.Health
		if err := getJSON(ctx, t.doors.Node+"/v1/health", &h); err != nil {
			return err
		}
		age := h.Upstream.LastAnswerAgeMS
		if age == nil || *age >= time.Since(began).Milliseconds() {
			return errors.New("it has not yet")
		}
		return nil
	})
}

// quotes measures the rows.
func (b *bench) quotes(ctx context.Context, t *quotedTill) ([]Result, error) {
	bodies, err := b.baskets(2000)
	if err != nil {
		return nil, err
	}
	node, echoed, err := t.asks(ctx, b, bodies)
	if err != nil {
		return nil, err
	}
	results, err := t.counted(ctx, b, node)
	if err != nil {
		return nil, err
	}
	for _, callers := range []int{1, 16} {
		p50, p99, err := b.percentiles(ctx, sends(t.doors.Node, node, callers), sends(t.doors.Echo, echoed, callers))
		if err != nil {
			return results, err
		}
		name, inTime := fmt.Sprintf("quote_%d", callers), goal{}
		if callers == 1 {
			inTime = valueAtMost(1000)
		}
		results = append(results, p50.result(name+"_p50", "us", bareEcho, goal{}),
			p99.result(name+"_p99", "us", bareEcho, inTime), p99.result(name+"_p99_to_echo", "us", bareEcho, ratioAtMost(3)))
	}
	cut := sends(t.doors.Node, node, 1)
	p50, p99, err := b.percentiles(ctx, func(ctx context.Context) ([]time.Duration, error) {
		t.cut()
		return cut(ctx)
	}, func(ctx context.Context) ([]time.Duration, error) {
		if err := t.heal(ctx); err != nil {
			return nil, err
		}
		return cut(ctx)
	})
	return append(results, p50.result("quote_cut_p50", "us", "the same, linked", ratioAtMost(1.2)),
		p99.result("quote_cut_p99", "us", "the same, linked", ratioAtMost(1.2))), err
}

// bareEcho is the baseline of what a POS waits for.
const bareEcho = "HTTP echo of as many bytes"

// baskets are the quotes' requests: one basket, of shoppers all over the cache.
func (b *bench) baskets(n int) ([][]byte, error) {
	shoppers := b.size(cachedShoppers, quickShoppers)
	basket := askedBasket(newShelves().basket(basketLines))
	bodies := make([][]byte, n)
	for i := range bodies {
		basket.RID = record.NewRID(time.Now()).String()
		basket.Shopper.Identifier.Value = shopperCard(i * 7919 * 131 % shoppers)
		var err error
		if bodies[i], err = json.Marshal(basket); err != nil {
			return nil, fmt.Errorf("write a basket: %w", err)
		}
	}
	return bodies, nil
}

// askedBasket is a basket as a POS sends it.
func askedBasket(b *pricing.Basket) *api.Basket {
	out := &api.Basket{
		Currency: b.Currency, Channel: b.Channel, Shopper: &api.Who{Identifier: &api.Identifier{Kind: "card", Entry: "scanned"}},
		PointsToSpend: &api.PointsToSpend{Mode: b.Spend.Mode, Points: b.Spend.Points},
	}
	for _, c := range b.Coupons {
		out.Coupons = append(out.Coupons, api.CouponCode{Code: c.Code, Entry: "scanned"})
	}
	for i := range b.Lines {
		l := &b.Lines[i]
		out.Lines = append(out.Lines, api.Line{
			LineID: l.LineID, Item: l.Item, Quantity: l.Quantity, Unit: l.Unit, UnitPrice: &l.UnitPrice, Entry: "scanned",
		})
	}
	return out
}

// asks makes the requests for the node, and for the echo such as get an answer of the same size.
func (t *quotedTill) asks(ctx context.Context, b *bench, bodies [][]byte) (node, echoed [][]byte, err error) {
	for _, body := range bodies {
		node = append(node, request(t.doors.Node, "/v1/quotes", body))
	}
	size := 0
	_, _, err = volley(ctx, t.doors.Node, node[:1], 1, func(a fleet.Answer) error {
		var q api.Quote
		if err := errors.Join(answered(a), json.Unmarshal(a.Body, &q)); err != nil {
			return err
		}
		size = len(a.Body)
		if len(q.Warnings) > 0 {
			return fmt.Errorf("the basket is not as the till has it: %+v", q.Warnings[0])
		}
		b.note("request %d bytes, answer %d: %d promotions applied, %d answered why not, %d coupons",
			len(bodies[0]), size, len(q.Promotions), len(q.WhyNot), len(q.Coupons))
		return nil
	})
	for _, body := range bodies {
		echoed = append(echoed, request(t.doors.Echo, "/"+strconv.Itoa(size), body))
	}
	return node, echoed, err
}

// counted counts what a quote allocates in the till's process, and keeps its profile if that is asked for.
func (t *quotedTill) counted(ctx context.Context, b *bench, asks [][]byte) ([]Result, error) {
	if _, _, err := volley(ctx, t.doors.Node, asks, 1, answered); err != nil { // warms up
		return nil, err
	}
	if b.cmd.Profiles != "" {
		path, err := filepath.Abs(filepath.Join(b.cmd.Profiles, "quote"))
		if err == nil {
			_, err = t.process.askTill(askProfile + path)
		}
		if err != nil {
			return nil, err
		}
	}
	before, err := t.process.askTill(askMemory)
	if err != nil {
		return nil, err
	}
	if _, _, err := volley(ctx, t.doors.Node, asks, 1, answered); err != nil {
		return nil, err
	}
	after, err := t.process.askTill(askMemory)
	if err == nil && b.cmd.Profiles != "" {
		_, err = t.process.askTill(askStop)
	}
	each := func(name, unit string, n uint64) Result {
		return Result{Name: name, Value: float64(n) / float64(len(asks)), Unit: unit, detail: true}
	}
	return []Result{
		each("quote_allocations", "a quote", after.Allocations-before.Allocations),
		each("quote_allocated", "B a quote", after.Allocated-before.Allocated),
		each("quote_collections", "a quote", uint64(after.Collections-before.Collections)),
	}, err
}
