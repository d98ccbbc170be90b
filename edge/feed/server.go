package feed

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"tillstream/edge/cache"
	"tillstream/kv/record"
	"tillstream/subjects"
)

const (
	serviceVersion = "1.0.0"

	pokeGap   = 20 * time.Millisecond // least time between two pokes to one till
	forgetful = 10 * time.Minute      // a till that has not pulled for so long is not poked
)

// ServerConfig says which store serves its tills, and from what.
type ServerConfig struct {
	Conn  *nats.Conn       // to the store's own server, where its tills are leafs
	Store subjects.StoreID // no till of another is answered
	Cache *cache.Cache     // the store's; the server is the one reader of its Changed
	Log   *slog.Logger     // nil: nothing is logged

	// Above says how the store hears the centre, which the tills are told with each page. nil: they are not.
	Above func() record.Above
}

// Server answers the pulls of a store's tills and pokes them when there is something new.
type Server struct {
	cfg  ServerConfig
	fail chan error // the cache's, which end Run

	mu    sync.Mutex
	tills map[subjects.TillID]time.Time // by their last pull
}

// NewServer makes a Server.
func NewServer(cfg ServerConfig) *Server {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Server{cfg: cfg, fail: make(chan error, 1), tills: map[subjects.TillID]time.Time{}}
}

// Run serves until ctx ends, and then returns nil. It returns cache.ErrDamaged if the cache is.
func (s *Server) Run(ctx context.Context) error {
	svc, err := micro.AddService(s.cfg.Conn, micro.Config{
		Name:        subjects.ServiceFeed,
		Version:     serviceVersion,
		Description: "records for the tills of store " + s.cfg.Store.String(),
	})
	if err != nil {
		return fmt.Errorf("serve feed: %w", err)
	}
	defer func() { _ = svc.Stop() }() // fails only if the connection is gone, and it with it
	subject := subjects.AnyLane{Store: s.cfg.Store}.FeedPull()
	if err := svc.AddEndpoint("pull", micro.HandlerFunc(s.pull), micro.WithEndpointSubject(subject)); err != nil {
		return fmt.Errorf("serve feed on %s: %w", subject, err)
	}
	gap := time.NewTimer(0)
	defer gap.Stop()
	for {
		// First the gap, then the change: what changes within the gap makes one poke.
		select {
		case <-ctx.Done():
			return nil
		case err := <-s.fail:
			return err
		case <-gap.C:
		}
		select {
		case <-ctx.Done():
			return nil
		case err := <-s.fail:
			return err
		case <-s.cfg.Cache.Changed():
			s.poke()
			gap.Reset(pokeGap)
		}
	}
}

// pull answers one pull. It runs in the subscription's own goroutine, one at a time.
func (s *Server) pull(req micro.Request) {
	lane, ok := subjects.LaneOf(req.Subject())
	if !ok || lane.Store != s.cfg.Store {
		s.refuse(req, "400", "not a till of this store")
		return
	}
	p, err := record.ReadPull(req.Data())
	if err != nil {
		s.refuse(req, "400", err.Error())
		return
	}
	s.saw(lane.Till)
	page, err := s.cfg.Cache.Page(p)
	if err == nil && p.Reference != nil {
		page.Reference, err = s.cfg.Cache.References(*p.Reference)
	}
	if p.Above && s.cfg.Above != nil {
		above := s.cfg.Above()
		page.Above = &above
	}
	if err != nil {
		s.refuse(req, "500", "the store's cache does not answer")
		s.failed(lane.Till, err)
		return
	}
	if err := req.Respond(page.Append(nil)); err != nil {
		s.cfg.Log.Warn("answer to a pull", "till", lane.Till, "err", err)
	}
}

func (s *Server) refuse(req micro.Request, code, why string) {
	if err := req.Error(code, why, nil); err != nil {
		s.cfg.Log.Warn("refuse a pull", "subject", req.Subject(), "err", err)
	}
}

// failed ends Run if the cache is damaged, and logs any other error.
func (s *Server) failed(till subjects.TillID, err error) {
	if !errors.Is(err, cache.ErrDamaged) {
		s.cfg.Log.Warn("page for a till", "till", till, "err", err)
		return
	}
	select {
	case s.fail <- fmt.Errorf("page for till %s: %w", till, err):
	default: // Run has one already
	}
}

func (s *Server) saw(till subjects.TillID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tills[till] = time.Now()
}

// poke tells every till that has pulled lately. A poke that is lost costs the till's own interval.
func (s *Server) poke() {
	s.mu.Lock()
	var lanes []subjects.Lane
	for till, at := range s.tills {
		if time.Since(at) > forgetful {
			delete(s.tills, till)
			continue
		}
		lanes = append(lanes, subjects.Lane{Store: s.cfg.Store, Till: till})
	}
	s.mu.Unlock()
	for _, lane := range lanes {
		if err := s.cfg.Conn.Publish(lane.FeedChanged(), nil); err != nil {
			s.cfg.Log.Warn("poke", "till", lane.Till, "err", err)
			return
		}
	}
}
