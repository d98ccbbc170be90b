package bench

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"tillstream/deploy/fleet"
	"tillstream/edge"
	"tillstream/edge/cache"
	"tillstream/edge/journal"
	"tillstream/kv/record"
	"tillstream/kv/seal"
	"tillstream/subjects"
)

// Shoppers that a node has in its cache, and how many of them are asked for before it is weighed.
const (
	cachedShoppers = 100_000
	askedShoppers  = 20_000
	cachePage      = 2000 // shoppers a page of the feed
)

// edgeCache weighs an edge node, as a process, that has a hundred thousand shoppers in its cache, and one
// that has none: anonymous memory after look-ups, which is what the machine must have for it; what is
// mapped from the file the kernel may drop.
func (b *bench) edgeCache(ctx context.Context) ([]Result, error) {
	var weight, open pairs
	var file, look []float64
	for range min(b.rounds, 3) {
		var w, o pair
		for _, n := range []int{0, b.size(cachedShoppers, 5000)} {
			m, err := b.weigh(ctx, n)
			if err != nil {
				return nil, err
			}
			if n == 0 {
				w.base, o.base = m.anonymous, m.open
				continue
			}
			w.ours, o.ours = m.anonymous, m.open
			file, look = append(file, m.file), append(look, m.look)
		}
		weight, open = append(weight, w), append(open, o)
		if b.late() {
			break
		}
	}
	return []Result{
		weight.result("edge_cache_rss_anon", "MB", "the same node with an empty cache", valueAtMost(150)),
		open.result("edge_cache_open", "ms", "the same node with an empty cache", goal{}),
		{Name: "edge_cache_file", Value: median(file), Unit: "MB"},
		{Name: "edge_cache_lookup", Value: median(look), Unit: "us"},
	}, nil
}

// weighed is what one node's process showed.
type weighed struct {
	anonymous float64 // MB
	open      float64 // ms from the start of the process to its first answer
	file      float64 // MB of cache.db
	look      float64 // us, mean of a look-up over HTTP
}

func (b *bench) weigh(ctx context.Context, shoppers int) (m weighed, err error) {
	dir, err := b.place.onDisk("cache")
	if err != nil {
		return m, err
	}
	cfg, config, err := cacheNode(dir)
	if err != nil {
		return m, err
	}
	if m.file, err = fillCache(cfg, shoppers); err != nil {
		return m, err
	}
	self, err := os.Executable()
	if err != nil {
		return m, fmt.Errorf("start an edge node: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	began := time.Now()
	cmd := exec.CommandContext(ctx, self, "edge", "--config", config)
	if err := cmd.Start(); err != nil {
		return m, fmt.Errorf("start an edge node: %w", err)
	}
	defer func() {
		cancel()
		_ = cmd.Wait() // it says that the process was killed
	}()
	url := "http://" + cfg.Listen
	if err := answers(ctx, url); err != nil {
		return m, err
	}
	m.open = millis(time.Since(began))
	if m.look, err = lookUps(ctx, url, shoppers); err != nil {
		return m, err
	}
	m.anonymous, err = rssAnon(cmd.Process.Pid)
	return m, err
}

// cacheNode writes the configuration of a store's server that is alone.
func cacheNode(dir string) (cfg edge.Config, path string, err error) {
	key, err := secret(dir, "card.key", rand.Text()+rand.Text())
	if err != nil {
		return cfg, "", err
	}
	free, err := freeAddresses(1)
	if err != nil {
		return cfg, "", err
	}
	tokens, err := fleet.TokensFile(dir)
	if err != nil {
		return cfg, "", err
	}
	n := benchNet()
	cfg = edge.Config{
		DC: n.DC, Env: n.Env, Brand: n.Brand, Data: filepath.Join(dir, "node"), Listen: free[0],
		CardKey: key, POSTokens: tokens, Store: subjects.StoreID{Token: subjects.MustToken("0001")},
	}
	y, err := yaml.Marshal(cfg)
	if err != nil {
		return cfg, "", fmt.Errorf("write a node's configuration: %w", err)
	}
	path = filepath.Join(dir, "node.yaml")
	return cfg, path, errors.Join(os.MkdirAll(cfg.Data, 0o700), os.WriteFile(path, y, 0o600))
}

func shopperCard(i int) string { return fmt.Sprintf("279%010d", i) }

// fillCache makes the node's cache.db as its feed would, and gives its size in MB.
func fillCache(cfg edge.Config, shoppers int) (float64, error) {
	ring, err := seal.OpenRing(filepath.Join(cfg.Data, "keyring"))
	if err != nil {
		return 0, err
	}
	// A node drops the cache with its journal: it may have told of receipts that are gone.
	j, err := journal.Open(journal.Config{Path: filepath.Join(cfg.Data, "journal.db"), Ring: ring, Store: cfg.Store})
	if err == nil {
		err = j.Close()
	}
	if err != nil {
		return 0, err
	}
	cards, err := seal.OpenCards(cfg.CardKey)
	if err != nil {
		return 0, err
	}
	c, err := cache.Open(cache.Config{Path: filepath.Join(cfg.Data, "cache.db"), Ring: ring})
	if err != nil {
		return 0, err
	}
	generation := record.NewGeneration(time.Now())
	for i := 0; i < shoppers && err == nil; i += cachePage {
		page := &record.Page{Status: record.FeedItems, Cursor: record.Cursor{Generation: generation, Entry: uint64(i + 1)}}
		for k := i; k < min(i+cachePage, shoppers); k++ {
			id := cards.Account(shopperCard(k))
			s := record.Shopper{Balance: int64(k), AsOf: time.Now().UnixMilli()}
			page.Items = append(page.Items, record.Item{Kind: record.ItemShopper, Key: id[:], Value: s.Append(nil)})
		}
		err = c.Apply(page)
	}
	size := float64(c.Len().Bytes) / 1e6
	return size, errors.Join(err, c.Close())
}

// answers waits for a node's first answer.
func answers(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, readyIn)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/v1/health", nil)
		if err != nil {
			return err
		}
		res, err := http.DefaultClient.Do(req)
		if err == nil {
			_, _ = io.Copy(io.Discard, res.Body) // that it came is all
			return res.Body.Close()
		}
		if ctx.Err() != nil {
			return fmt.Errorf("wait for %s: %w", url, err)
		}
		sleep(ctx, time.Millisecond)
	}
}

// lookUps asks for shoppers all over the cache, one after the other.
func lookUps(ctx context.Context, url string, shoppers int) (float64, error) {
	n := min(askedShoppers, max(shoppers, 1000))
	began := time.Now()
	for i := range n {
		a, err := fleet.Lookup(ctx, http.DefaultClient, url, shopperCard(i*7919%max(shoppers, 1)))
		if err != nil {
			return 0, err
		}
		if shoppers > 0 && (a.Status != http.StatusOK || !strings.Contains(string(a.Body), `"known":true`)) {
			return 0, fmt.Errorf("look-up of a cached shopper: %d %.200s", a.Status, a.Body)
		}
	}
	return micros(time.Since(began)) / float64(n), nil
}

// rssAnon is the anonymous memory of a process in MB.
func rssAnon(pid int) (float64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, fmt.Errorf("weigh a process: %w", err)
	}
	for line := range strings.Lines(string(b)) {
		if kb, ok := strings.CutPrefix(line, "RssAnon:"); ok {
			n, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(kb), "kB")), 64)
			return n * 1024 / 1e6, err
		}
	}
	return 0, errors.New("weigh a process: the system does not say RssAnon")
}
