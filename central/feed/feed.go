package feed

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"

	"tillstream/central/books"
	"tillstream/central/replica"
	"tillstream/kv/record"
	"tillstream/subjects"
	"tillstream/subjects/service"
)

// Limits of one answer, in items. It finishes the entry in which the limit falls.
const (
	defaultLimit = 1000
	maxLimit     = 5000
)

// stateWait is how long a pull waits for the state to come as far as the index; then it is answered with
// FeedBehind.
const stateWait = 250 * time.Millisecond

// pullsCount is how long a store that pulled here is poked from here.
const pullsCount = 10 * time.Minute

// Config says what a Server serves.
type Config struct {
	Net     subjects.Net
	Conn    *nats.Conn
	Replica *replica.Replica
	Books   *books.Books          // read under the replica's lock
	Metrics prometheus.Registerer // nil: none
	Log     *slog.Logger
}

// Server is the service on one node.
type Server struct {
	cfg   Config
	items prometheus.Counter
	pulls prometheus.Counter

	mu     sync.Mutex
	pulled map[subjects.StoreID]time.Time // guarded by mu
}

// New makes a Server.
func New(cfg Config) *Server {
	s := &Server{
		cfg:    cfg,
		pulled: map[subjects.StoreID]time.Time{},
		items: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tillstream_feed_items_total", Help: "Items that fell to stores."}),
		pulls: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tillstream_feed_pulls_total", Help: "Pulls answered."}),
	}
	if cfg.Metrics != nil {
		cfg.Metrics.MustRegister(s.items, s.pulls)
	}
	return s
}

// Run serves until ctx ends.
func (s *Server) Run(ctx context.Context) error {
	return service.New(service.Config{
		Conn: s.cfg.Conn, Name: subjects.ServiceFeed, Endpoint: "pull", Subject: s.cfg.Net.AnyFeedPull(),
		Description: "answers pulls of stores of brand " + s.cfg.Net.Brand.String(), Answer: s.answer, Log: s.cfg.Log,
	}).Run(ctx)
}

// Poke tells the stores that pull here that there is more. It is the replica's Changed.
func (s *Server) Poke(stores []subjects.StoreID) {
	now := time.Now()
	for _, id := range stores {
		s.mu.Lock()
		at, ok := s.pulled[id]
		if ok && now.Sub(at) > pullsCount {
			delete(s.pulled, id)
			ok = false
		}
		s.mu.Unlock()
		if !ok {
			continue
		}
		if err := s.cfg.Conn.Publish(s.cfg.Net.FeedChanged(id), nil); err != nil {
			s.cfg.Log.Debug("poke", "store", id, "err", err) // it pulls by itself within a second
		}
	}
}

func (s *Server) answer(ctx context.Context, q service.Question) (service.Answer, error) {
	store, ok := s.cfg.Net.StoreOf(q.Subject)
	if !ok {
		return service.Answer{}, &service.Refusal{Err: errors.New("the subject names no store")}
	}
	pull, err := record.ReadPull(q.Data)
	if err != nil {
		return service.Answer{}, &service.Refusal{Err: err}
	}
	page, err := s.page(ctx, store, pull)
	if err != nil {
		if ctx.Err() == nil {
			s.cfg.Log.Error("the feed cannot be read on this node", "store", store, "err", err)
		}
		return service.Answer{}, err
	}
	s.mu.Lock()
	s.pulled[store] = time.Now()
	s.mu.Unlock()
	s.pulls.Inc()
	s.items.Add(float64(len(page.Items)))
	return service.Answer{Data: page.Append(nil)}, nil
}

// page answers one pull.
func (s *Server) page(ctx context.Context, store subjects.StoreID, pull record.Pull) (record.Page, error) {
	limit := int(pull.Limit)
	if limit == 0 {
		limit = defaultLimit
	}
	generation, at := s.cfg.Replica.HistoryAt()
	c := pull.Cursor
	switch {
	case at == 0:
		return record.Page{Status: record.FeedBehind}, nil // nothing is folded here yet
	case c.Entry > 0 && c.Generation != generation:
		return record.Page{Status: record.FeedReset, Cursor: record.Cursor{Generation: generation}}, nil
	case c.Entry > at:
		return record.Page{Status: record.FeedBehind}, nil
	}
	keys, upTo, more, err := s.cfg.Replica.Feed(store, c.Entry, min(limit, maxLimit))
	if err != nil {
		return record.Page{}, err
	}
	page := record.Page{
		Status: record.FeedItems, More: more,
		Cursor: record.Cursor{Generation: generation, Entry: upTo},
		Items:  make([]record.Item, 0, len(keys)),
	}
	// History may be ahead of the state after a start. A pull that waits takes another store's place.
	ctx, cancel := context.WithTimeout(ctx, stateWait)
	defer cancel()
	err = s.cfg.Replica.Read(ctx, upTo, func(uint64) {
		for i := range keys {
			page.Items = append(page.Items, s.cfg.Books.Item(store, keys[i].Kind, keys[i].Key))
		}
		page.Counted = s.cfg.Books.Counted(store, c.Entry)
	})
	if errors.Is(err, replica.ErrBehind) {
		return record.Page{Status: record.FeedBehind}, nil
	}
	return page, err
}
