package feed

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"

	"tillstream/central/books"
	"tillstream/central/reference"
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

// pokeEvery is how often the stores that pull here are told, at most, that there is more.
const pokeEvery = 20 * time.Millisecond

// pullsCount is how long a store that pulled here is poked from here.
const pullsCount = 10 * time.Minute

// Config says what a Server serves.
type Config struct {
	Net       subjects.Net
	Conn      *nats.Conn
	Replica   *replica.Replica
	Books     *books.Books          // read under the replica's lock
	Reference *reference.Set        // what every store gets; nil: nothing
	Metrics   prometheus.Registerer // nil: none
	Log       *slog.Logger
}

// Server is the service on one node.
type Server struct {
	cfg   Config
	items prometheus.Counter
	pulls prometheus.Counter

	mu     sync.Mutex
	pulled map[subjects.StoreID]*puller // guarded by mu
}

// puller is a store that pulled here.
type puller struct {
	at   time.Time // of its last pull
	told uint64    // entry up to which it has pulled, or knows that there is more
}

// New makes a Server.
func New(cfg Config) *Server {
	s := &Server{
		cfg:    cfg,
		pulled: map[subjects.StoreID]*puller{},
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

// pullsAtOnce are those of one store under way on one node: a store's node pulls one after the other.
const pullsAtOnce = 8

// Run serves until ctx ends.
func (s *Server) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() { s.poke(ctx) })
	return service.New(service.Config{
		Conn: s.cfg.Conn, Name: subjects.ServiceFeed, Endpoint: "pull", Subject: s.cfg.Net.AnyFeedPull(),
		Description: "answers pulls of stores of brand " + s.cfg.Net.Brand.String(), Each: pullsAtOnce, Answer: s.answer, Log: s.cfg.Log,
	}).Run(ctx)
}

// poke tells the stores that pull here that there is more.
func (s *Server) poke(ctx context.Context) {
	rest := time.NewTicker(pokeEvery)
	defer rest.Stop()
	for seen := uint64(0); ; {
		var news []subjects.StoreID
		err := s.cfg.Replica.Read(ctx, seen+1, func(entry uint64) { seen, news = entry, s.news() })
		if err != nil {
			return // ctx has ended
		}
		s.tell(news)
		select {
		case <-rest.C:
		case <-ctx.Done():
			return
		}
	}
}

func (s *Server) tell(stores []subjects.StoreID) {
	for _, id := range stores {
		if err := s.cfg.Conn.Publish(s.cfg.Net.FeedChanged(id), nil); err != nil {
			s.cfg.Log.Debug("poke", "store", id, "err", err) // it pulls by itself within a second
		}
	}
}

// news gives the stores for which there is something that they have not been told of. It is called with the
// books locked.
func (s *Server) news() (out []subjects.StoreID) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, p := range s.pulled {
		newest := s.cfg.Books.Newest(id)
		switch {
		case now.Sub(p.at) > pullsCount:
			delete(s.pulled, id)
		case newest > p.told:
			p.told = newest
			out = append(out, id)
		}
	}
	return out
}

// PokeAll tells every store that pulls here. It is the reference data's Changed.
func (s *Server) PokeAll() {
	s.mu.Lock()
	stores := slices.Collect(maps.Keys(s.pulled))
	s.mu.Unlock()
	s.tell(stores)
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
	s.pulled[store] = &puller{time.Now(), page.Cursor.Entry}
	s.mu.Unlock()
	s.pulls.Inc()
	s.items.Add(float64(len(page.Items)))
	if pull.Reference != nil && s.cfg.Reference != nil {
		page.Reference = s.cfg.Reference.Page(*pull.Reference)
		s.items.Add(float64(len(page.Reference.Records)))
	}
	return service.Answer{Data: page.Append(nil)}, nil
}

// page answers one pull, with what is so at one moment.
func (s *Server) page(ctx context.Context, store subjects.StoreID, pull record.Pull) (page record.Page, err error) {
	limit := int(pull.Limit)
	if limit == 0 {
		limit = defaultLimit
	}
	generation := s.cfg.Replica.Generation()
	if generation == (record.Generation{}) {
		return record.Page{Status: record.FeedBehind}, nil // nothing is folded here yet
	}
	err = s.cfg.Replica.Read(ctx, 0, func(at uint64) {
		c, b := pull.Cursor, s.cfg.Books
		switch {
		case c.Entry > 0 && c.Generation != generation && s.cfg.Replica.Behind():
			page = record.Page{Status: record.FeedBehind} // it may be of a generation that has begun beyond this node
			return
		case c.Entry > 0 && (c.Generation != generation || b.Forgotten(store, c.Entry)):
			page = record.Page{Status: record.FeedReset, Cursor: record.Cursor{Generation: generation}}
			return
		case c.Entry > at:
			page = record.Page{Status: record.FeedBehind}
			return
		}
		page = record.Page{Status: record.FeedItems, Cursor: record.Cursor{Generation: generation, Entry: at}}
		page.Items, page.Cursor.Entry, page.More = b.Feed(store, c.Entry, min(limit, maxLimit))
		if !page.More {
			page.Cursor.Entry = at
		}
		page.Counted = b.Counted(store, c.Entry)
	})
	return page, err
}
