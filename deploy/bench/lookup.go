package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strconv"
	"time"

	"tillstream/deploy/fleet"
	"tillstream/edge/api"
)

// lookup measures what a POS waits for when a card is scanned: a look-up of one of a million shoppers in the
// cache of a node's process, against Redis, which has as many keys, and a bare HTTP server in that process.
func (b *bench) lookup(ctx context.Context) (results []Result, err error) {
	dir, err := b.place.onDisk("lookup")
	if err != nil {
		return nil, err
	}
	cfg, config, err := cacheNode(dir)
	if err != nil {
		return nil, err
	}
	shoppers := b.size(cachedShoppers, quickShoppers)
	if _, err := fillCache(cfg, shoppers); err != nil {
		return nil, err
	}
	p := process{name: "lookup", flag: "--till-node", config: config, log: filepath.Join(dir, "node.log")}
	if err := p.start(context.WithoutCancel(ctx)); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.kill()) }()
	d, err := p.askTill(askDoors)
	if err != nil {
		return nil, err
	}
	if err := answers(ctx, d.Node); err != nil {
		return nil, err
	}
	return b.lookups(ctx, d, shoppers)
}

// lookups measures the rows.
func (b *bench) lookups(ctx context.Context, d doors, shoppers int) ([]Result, error) {
	n := b.size(5000, 500)
	node, echoed, keys := make([][]byte, n), make([][]byte, n), make([]string, n)
	for i := range n {
		keys[i] = shopperCard(i * 7919 * 131 % shoppers)
		body, err := json.Marshal(api.Lookup{Identifier: &api.Identifier{Kind: "card", Entry: "scanned", Value: keys[i]}})
		if err != nil {
			return nil, fmt.Errorf("write a look-up: %w", err)
		}
		node[i], echoed[i] = request(d.Node, "/v1/lookups", body), body
	}
	var answer string
	_, _, err := volley(ctx, d.Node, node, 1, func(a fleet.Answer) error { // warms up
		answer = string(a.Body)
		var s api.Shopper
		if err := errors.Join(answered(a), json.Unmarshal(a.Body, &s)); err != nil || !s.Known {
			return fmt.Errorf("look-up of a cached shopper: %.200s: %w", a.Body, err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for i, body := range echoed {
		echoed[i] = request(d.Echo, "/"+strconv.Itoa(len(answer)), body)
	}
	ours := sends(d.Node, node, 1)
	p50, p99, err := b.percentiles(ctx, ours, sends(d.Echo, echoed, 1))
	if err != nil {
		return nil, err
	}
	results := []Result{
		p50.result("lookup_p50_to_echo", "us", bareEcho, goal{}),
		p99.result("lookup_p99", "us", bareEcho, ratioAtMost(3)),
	}
	r, why, err := b.openRedis(ctx, shoppers, shopperCard, answer)
	if r == nil {
		b.note("no Redis: %s", why)
		return results, err
	}
	p50, _, err = b.percentiles(ctx, ours, func(ctx context.Context) ([]time.Duration, error) { return r.get(ctx, keys, len(answer)) })
	return append(results, p50.result("lookup_p50", "us", "go-redis GET of as many bytes", ratioAtMost(2))), errors.Join(err, r.close())
}

// sends makes a thing to be measured of requests.
func sends(url string, asks [][]byte, callers int) func(context.Context) ([]time.Duration, error) {
	return func(ctx context.Context) ([]time.Duration, error) {
		took, _, err := volley(ctx, url, asks, callers, answered)
		return took, err
	}
}

// getJSON asks a node for what needs no token.
func getJSON(ctx context.Context, url string, to any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close() //nolint:errcheck // read to its end or given up
	body, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answers %d %.200s", url, res.StatusCode, body)
	}
	if err == nil {
		err = json.Unmarshal(body, to)
	}
	return err
}
