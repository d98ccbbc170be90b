package bench

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nats.go/micro"

	"tillstream/central/books"
	"tillstream/central/feed"
	"tillstream/central/hub"
	"tillstream/central/replica"
	"tillstream/central/streams"
	"tillstream/kv/record"
	"tillstream/subjects"
)

// Stores that pull, and what they find.
const (
	feedStores = 1000
	feedWave   = 50  // items that a store gets by one entry
	feedPull   = 100 // items a pull asks for
	feedConns  = 4   // over which the pulls go
	feedAtOnce = 32  // pulls under way at full speed
	pullWait   = 5 * time.Second
)

// feed measures one centre node that is pulled by many stores: first as fast as it answers, then at the
// pace of stores that each pull once a second and find a hundred items.
func (b *bench) feed(ctx context.Context) ([]Result, error) {
	dir, err := b.place.onDisk("feed")
	if err != nil {
		return nil, err
	}
	s, err := openFeedNode(ctx, dir, b.log)
	if err != nil {
		return nil, err
	}
	results, err := b.feedRounds(ctx, s)
	return results, errors.Join(err, s.close())
}

func (b *bench) feedRounds(ctx context.Context, s *feedNode) ([]Result, error) {
	waves := b.size(6, 4)
	if err := s.fill(ctx, waves); err != nil {
		return nil, err
	}
	lasts := time.Duration(b.size(3000, 1000)) * time.Millisecond
	var rates []float64
	for range b.rounds {
		r, err := s.full(ctx, lasts)
		if err != nil {
			return nil, err
		}
		rates = append(rates, r)
	}
	took, got, err := s.paced(ctx, 2*lasts)
	if err != nil {
		return nil, err
	}
	slices.Sort(took)
	return []Result{
		{Name: "feed", Value: median(rates), Unit: "items/s", goal: valueAtLeast(100_000)},
		{Name: "feed_paced", Value: got, Unit: "items/s"},
		{Name: "feed_paced_p50", Value: millis(percentile(took, 50)), Unit: "ms"},
		{Name: "feed_paced_p99", Value: millis(percentile(took, 99)), Unit: "ms", goal: valueAtMost(50)},
	}, nil
}

// feedNode is a centre of one node with the feed and what it needs.
type feedNode struct {
	net     subjects.Net
	hub     *hub.Hub
	own     []*nats.Conn // of the node
	conns   []*nats.Conn // of the stores
	replica *replica.Replica
	books   *books.Books
	stores  []subjects.StoreID
	stop    context.CancelFunc
	wg      sync.WaitGroup
}

func openFeedNode(ctx context.Context, dir string, log *slog.Logger) (*feedNode, error) {
	s := &feedNode{net: benchNet(), books: books.New()}
	ctx, s.stop = context.WithCancel(ctx)
	if err := s.open(ctx, dir, log); err != nil {
		return nil, errors.Join(fmt.Errorf("start a centre of one node: %w", err), s.close())
	}
	return s, nil
}

func (s *feedNode) open(ctx context.Context, dir string, log *slog.Logger) (err error) {
	s.hub, err = hub.Open(hub.Config{
		Node: nodeName(0), Brands: []hub.Brand{{Net: s.net}}, DataDir: filepath.Join(dir, "jetstream"), Log: log,
	})
	if err != nil {
		return err
	}
	if err := s.hub.Ready(ctx); err != nil {
		return err
	}
	for i := range 2 + feedConns {
		c, err := s.hub.Connect(s.net.Brand, "bench")
		if err != nil {
			return err
		}
		if i < 2 {
			s.own = append(s.own, c)
		} else {
			s.conns = append(s.conns, c)
		}
	}
	js, err := jetstream.New(s.own[0])
	if err != nil {
		return err
	}
	if _, err := js.CreateStream(ctx, streams.Want(s.net, 1)[0]); err != nil {
		return err
	}
	s.replica, err = replica.Open(replica.Config{
		Node: nodeName(0), Net: s.net, Machine: s.books, Dir: filepath.Join(dir, "replica"), Conn: s.own[0], Beats: s.own[1], Log: log,
	})
	if err != nil {
		return err
	}
	server := feed.New(feed.Config{Net: s.net, Conn: s.own[0], Replica: s.replica, Books: s.books, Log: log})
	for _, run := range []func(context.Context) error{s.replica.Run, server.Run} {
		s.wg.Go(func() {
			if err := run(ctx); err != nil {
				log.Error("a part of the feed's node has ended", "err", err)
			}
		})
	}
	for i := range feedStores {
		id, err := subjects.ParseStoreID(fmt.Sprintf("%04d", i+1))
		if err != nil {
			return err
		}
		s.stores = append(s.stores, id)
	}
	return until(ctx, 5*time.Millisecond, "the node writes", func() error {
		if s.replica.Status().Writer == "" {
			return errors.New("it does not")
		}
		return nil
	})
}

func (s *feedNode) close() error {
	s.stop()
	s.wg.Wait()
	var errs []error
	if s.replica != nil {
		errs = append(errs, s.replica.Abandon())
	}
	for _, c := range append(s.own, s.conns...) {
		c.Close()
	}
	if s.hub != nil {
		errs = append(errs, s.hub.Close())
	}
	return errors.Join(errs...)
}

// fill gives every store so many waves of shoppers, each wave by other entries than the one before.
func (s *feedNode) fill(ctx context.Context, waves int) error {
	pens := make([]*pen, len(s.stores))
	for i, id := range s.stores {
		pens[i] = newPen(id, subjects.TillID{Token: subjects.MustToken("01")})
	}
	for w := range waves {
		ctx, cancel := context.WithCancelCause(ctx)
		var next atomic.Int64
		var wg sync.WaitGroup
		for range 64 {
			wg.Go(func() {
				for i := next.Add(1) - 1; int(i) < len(pens) && ctx.Err() == nil; i = next.Add(1) - 1 {
					if _, _, err := s.replica.Propose(ctx, wave(pens[i], uint64(i), uint64(w))); err != nil {
						cancel(err)
					}
				}
			})
		}
		wg.Wait()
		err := context.Cause(ctx)
		cancel(nil)
		if err != nil {
			return fmt.Errorf("fill the feed: %w", err)
		}
	}
	return nil
}

// full pulls for so long, as fast as it goes, and gives items a second. A store that has pulled all
// begins again.
func (s *feedNode) full(ctx context.Context, lasts time.Duration) (float64, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var items atomic.Int64
	began := time.Now()
	var wg sync.WaitGroup
	for w := range feedAtOnce {
		wg.Go(func() {
			cursors := make([]record.Cursor, len(s.stores))
			for i := w; time.Since(began) < lasts && ctx.Err() == nil; i += feedAtOnce {
				k := i % len(s.stores)
				page, err := s.pull(ctx, k, cursors[k])
				if err != nil {
					cancel(err)
					return
				}
				items.Add(int64(len(page.Items)))
				if cursors[k] = page.Cursor; !page.More {
					cursors[k] = record.Cursor{}
				}
			}
		})
	}
	wg.Wait()
	return rate(int(items.Load()), time.Since(began)), context.Cause(ctx)
}

// paced lets every store pull once a second for so long, each at a moment of its own, and gives how long
// the answers took and items a second.
func (s *feedNode) paced(ctx context.Context, lasts time.Duration) ([]time.Duration, float64, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var mu sync.Mutex
	var took []time.Duration
	var items atomic.Int64
	began := time.Now()
	var wg sync.WaitGroup
	for k := range s.stores {
		wg.Go(func() {
			for due := began.Add(rand.N(time.Second)); due.Sub(began) < lasts; due = due.Add(time.Second) {
				if !sleep(ctx, time.Until(due)) {
					return
				}
				page, err := s.pull(ctx, k, record.Cursor{})
				if err != nil {
					cancel(err)
					return
				}
				items.Add(int64(len(page.Items)))
				mu.Lock()
				took = append(took, time.Since(due)) // from when it was due: who is late has waited
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return took, float64(items.Load()) / lasts.Seconds(), context.Cause(ctx)
}

func (s *feedNode) pull(ctx context.Context, k int, c record.Cursor) (record.Page, error) {
	ctx, cancel := context.WithTimeout(ctx, pullWait)
	defer cancel()
	p := record.Pull{Cursor: c, Limit: feedPull}
	m, err := s.conns[k%len(s.conns)].RequestWithContext(ctx, s.net.FeedPull(s.stores[k]), p.Append(nil))
	if err != nil {
		return record.Page{}, fmt.Errorf("pull: %w", err)
	}
	if code := m.Header.Get(micro.ErrorCodeHeader); code != "" {
		return record.Page{}, fmt.Errorf("pull: the centre answers %s: %s", code, m.Header.Get(micro.ErrorHeader))
	}
	page, err := record.ReadPage(m.Data)
	if err == nil && page.Status != record.FeedItems {
		err = fmt.Errorf("pull: answered with status %d", page.Status)
	}
	return page, err
}
