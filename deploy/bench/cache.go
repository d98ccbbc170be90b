package bench

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
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
	cachedShoppers = 1_000_000
	quickShoppers  = 5000
	askedShoppers  = 20_000
	cachePage      = 2000 // shoppers a page of the feed
)

// edgeCache weighs an edge node, as a process, that has a million shoppers in its cache, and one
// that has none: anonymous memory after look-ups, which is what the machine must have for it; what is
// mapped from the file the kernel may drop.
func (b *bench) edgeCache(ctx context.Context) ([]Result, error) {
	shoppers := b.size(cachedShoppers, quickShoppers)
	full, fullFile, err := b.filledNode(shoppers)
	if err != nil {
		return nil, err
	}
	empty, _, err := b.filledNode(0)
	if err != nil {
		return nil, err
	}
	var weight, open pairs
	var look []float64
	for range b.rounds {
		e, err := weigh(ctx, empty, 0)
		if err != nil {
			return nil, err
		}
		f, err := weigh(ctx, full, shoppers)
		if err != nil {
			return nil, err
		}
		weight, open = append(weight, pair{f.anonymous, e.anonymous}), append(open, pair{f.open, e.open})
		look = append(look, f.look)
		if b.late() {
			break
		}
	}
	results := []Result{
		weight.result("edge_cache_rss_anon", "MB", "the same node with an empty cache", valueAtMost(200)),
		open.result("edge_cache_open", "ms", "the same node with an empty cache", valueAtMost(1000)),
		{Name: "edge_cache_file", Value: fullFile, Unit: "MB", goal: valueAtMost(1000)},
		{Name: "edge_cache_lookup", Value: median(look), Unit: "us"},
	}
	reads, err := b.cacheReads(ctx, full.cfg, shoppers)
	return append(results, reads...), err
}

// nodeFiles are a node that is not running.
type nodeFiles struct {
	cfg    edge.Config
	config string // path of its file
}

// filledNode makes a node's files, with shoppers in its cache, and gives the size of it in MB.
func (b *bench) filledNode(shoppers int) (f nodeFiles, mb float64, err error) {
	dir, err := b.place.onDisk("cache")
	if err != nil {
		return f, 0, err
	}
	if f.cfg, f.config, err = cacheNode(dir); err != nil {
		return f, 0, err
	}
	mb, err = fillCache(f.cfg, shoppers)
	return f, mb, err
}

// cacheReads measures how much more two cores read than one: readers meet in locks.
func (b *bench) cacheReads(ctx context.Context, cfg edge.Config, shoppers int) ([]Result, error) {
	if runtime.NumCPU() < 2 {
		b.note("cache reads: there is one core")
		return nil, nil
	}
	c, cards, err := openCache(cfg)
	if err != nil {
		return nil, err
	}
	accounts := make([]record.AccountID, min(askedShoppers, shoppers))
	for i := range accounts {
		accounts[i] = cards.Account(shopperCard(i * 7919 * 131 % shoppers))
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	read := func(n int) error {
		if _, ok, err := c.Shopper(accounts[n%len(accounts)]); err != nil || !ok {
			return fmt.Errorf("read a cached shopper: %t, %w", ok, err)
		}
		return nil
	}
	compute := func(n int) error { // about as long, and nothing is shared
		var sum [sha256.Size]byte
		for range 20 {
			sum = sha256.Sum256(sum[:])
		}
		return nil
	}
	rounds := max(b.rounds, b.size(9, 2))
	p, err := b.alternate(ctx, rounds, onCores(2, read), onCores(1, read))
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	bare, err := b.alternate(ctx, rounds, onCores(2, compute), onCores(1, compute))
	return []Result{
		p.result("edge_cache_reads_2_cores", "reads/s", "1 core", ratioAtLeast(1.8)),
		bare.result("computing_2_cores", "sums/s", "1 core", goal{}),
	}, errors.Join(err, c.Close())
}

// onCores does things on so many cores at once, and gives things a second.
func onCores(cores int, do func(n int) error) func(context.Context) (float64, error) {
	return func(context.Context) (float64, error) {
		const things = 100_000 // on each
		runtime.GOMAXPROCS(cores)
		errs := make([]error, cores)
		var wg sync.WaitGroup
		began := time.Now()
		for k := range cores {
			wg.Go(func() {
				var err error // of its own: two cores that write to one place would wait for each other
				for n := 0; n < things && err == nil; n++ {
					err = do(n + k*things/cores)
				}
				errs[k] = err
			})
		}
		wg.Wait()
		return rate(things*cores, time.Since(began)), errors.Join(errs...)
	}
}

// openCache opens the cache of a node that is not running.
func openCache(cfg edge.Config) (*cache.Cache, *seal.Cards, error) {
	ring, err := seal.OpenRing(filepath.Join(cfg.Data, "keyring"))
	if err != nil {
		return nil, nil, err
	}
	// A node drops the cache with its journal: it may have told of receipts that are gone.
	j, err := journal.Open(journal.Config{Path: filepath.Join(cfg.Data, "journal.db"), Ring: ring, Store: cfg.Store, Till: cfg.Till})
	if err == nil {
		err = j.Close()
	}
	if err != nil {
		return nil, nil, err
	}
	cards, err := seal.OpenCards(cfg.File(cfg.CardKey))
	if err != nil {
		return nil, nil, err
	}
	c, err := cache.Open(cache.Config{Path: filepath.Join(cfg.Data, "cache.db"), Ring: ring})
	return c, cards, err
}

// weighed is what one node's process showed.
type weighed struct {
	anonymous float64 // MB
	open      float64 // ms from the start of the process to its first answer
	look      float64 // us, mean of a look-up over HTTP
}

func weigh(ctx context.Context, n nodeFiles, shoppers int) (m weighed, err error) {
	self, err := os.Executable()
	if err != nil {
		return m, fmt.Errorf("start an edge node: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	began := time.Now()
	cmd := exec.CommandContext(ctx, self, "edge", "--config", n.config)
	if err := cmd.Start(); err != nil {
		return m, fmt.Errorf("start an edge node: %w", err)
	}
	defer func() {
		cancel()
		_ = cmd.Wait() // it says that the process was killed
	}()
	url := "http://" + n.cfg.Listen
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

// fillCache makes the node's cache.db as its feed would, and gives its size in MB. A cache that follows an
// upstream goes on from where it is.
func fillCache(cfg edge.Config, shoppers int) (float64, error) {
	c, cards, err := openCache(cfg)
	if err != nil {
		return 0, err
	}
	cursor := c.Cursor()
	if cursor.Generation == (record.Generation{}) {
		cursor = record.Cursor{Generation: record.NewGeneration(time.Now()), Entry: 1}
	}
	for i := 0; i < shoppers && err == nil; i += cachePage {
		page := &record.Page{Status: record.FeedItems, Cursor: cursor}
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
