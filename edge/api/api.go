package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"

	"tillstream/edge/cache"
	"tillstream/edge/journal"
	"tillstream/edge/programme"
	"tillstream/kv/record"
	"tillstream/kv/seal"
	"tillstream/kv/setting"
	"tillstream/subjects"
)

// Config is what an API is made of.
type Config struct {
	Store subjects.StoreID // required
	Till  subjects.TillID  // zero: a store's own node, which keeps no receipts of its own: look-ups only

	Listen string     // "host:port" on a loopback address, or "unix:/path"
	Conn   *nats.Conn // the node's own NATS; nil: no micro services

	Journal *journal.Journal // required
	Cache   *cache.Cache     // required
	Cards   *seal.Cards      // required

	// Tokens is the path of the file that says who may ask. Required; read again when it changes.
	Tokens string
	// Ring seals what a POS carries or leaves here: a quote's context, a suspended basket. Required.
	Ring *seal.Ring
	// Shelf has the baskets that are suspended on a till. Nil: none can be.
	Shelf *Shelf
	// AskStore asks the till's store about suspended baskets, and gives up by itself. Nil: there is none to ask.
	AskStore func(context.Context, record.BasketQuestion) (record.BasketAnswer, error)

	// CardPrefixes begin the chain's own card numbers: such a number is never taken for a payment
	// card's. None: every number of a payment card's form is refused.
	CardPrefixes []string

	// Ask asks upstream for a shopper who is not known here; source is "store" or "central". It
	// gives up when ctx ends. Nil: there is nobody to ask.
	Ask func(context.Context, record.AccountID) (s record.Shopper, source string, found bool, err error)

	// Hold asks the centre about points and coupons set aside. Nil: nobody can be asked.
	Hold func(context.Context, record.HoldQuestion) (record.HoldAnswer, error)
	// Centre says how this node hears the centre: holds are not asked for over a dead line, and the age of its
	// last answer is what makes balances stale. Nil: the line is up, and Upstream is the centre.
	Centre func() Centre

	// Sale asks upstream for a sale and for all that was given back of it; whole says that the centre was
	// asked too, and not only the store. Nil: all there is lies here.
	Sale func(ctx context.Context, rid record.RID) (said record.SaleAnswer, whole bool, err error)
	// Returns gives the chain's policy for what is given back. Nil: the default.
	Returns func() setting.Returns

	// Rules are what baskets are priced by: promotions, items, the store's clock. Required.
	Rules *programme.Revisions
	// Facts are what is known of shoppers and coupons beside. Zero: nothing.
	Facts Facts

	// Upstream gives the time of upstream's last answer to this node, zero if there was none. Nil: none.
	Upstream func() time.Time
	// State gives what the node knows beside. Nil: nothing.
	State func() State
	// StaleAfter is the age of the centre's last answer after which balances are called stale. Zero: 15 minutes.
	StaleAfter time.Duration

	BodyTimeout time.Duration // for a request to come in whole; zero: 10 seconds
	StopTimeout time.Duration // for those who wait when Run is told to stop; zero: 2 seconds

	Version    string                // of the program, for the health answer
	Metrics    http.Handler          // served at /metrics; nil: not served
	Registerer prometheus.Registerer // nil: nothing is counted
	Log        *slog.Logger          // nil: silent
	Now        func() time.Time      // nil: time.Now
}

// API answers a POS. Its methods are safe for many goroutines.
type API struct {
	cfg      Config
	read     reader
	listener net.Listener
	server   http.Server
	meters   *meters
	callers  *callers
	board    *board
	site     *site
	guesses  guesses
	past     past
	holds    holding
	desks    desks
	sheets   sheets
	page     struct { // of docs, once it is asked for
		once sync.Once
		text []byte
	}
	gate      gate
	crashed   chan struct{}
	crashOnce sync.Once
}

// Open checks cfg and binds its address; nothing is answered before Run.
func Open(cfg Config) (*API, error) {
	if err := cfg.complete(); err != nil {
		return nil, fmt.Errorf("open api: %w", err)
	}
	meters, err := newMeters(cfg.Registerer)
	if err != nil {
		return nil, fmt.Errorf("open api: %w", err)
	}
	callers, err := openCallers(cfg.Tokens, cfg.Log)
	if err != nil {
		return nil, fmt.Errorf("open api: %w", err)
	}
	l, err := listen(cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("open api: %w", err)
	}
	here := newSite(cfg.Store, cfg.Now)
	a := &API{
		cfg: cfg, listener: l, meters: meters, crashed: make(chan struct{}),
		callers: callers, board: newBoard(cfg.Now, here), site: here,
		read: reader{
			store: cfg.Store, till: cfg.Till, cards: cfg.Cards, own: cfg.CardPrefixes, rules: cfg.Rules,
		},
	}
	a.server = http.Server{
		Handler:           a.routes(),
		ReadHeaderTimeout: min(2*time.Second, cfg.BodyTimeout),
		ReadTimeout:       cfg.BodyTimeout,
		WriteTimeout:      cfg.BodyTimeout + commitWait + time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(cfg.Log.Handler(), slog.LevelDebug),
	}
	a.server.RegisterOnShutdown(a.board.close) // or a stream would keep Run for as long as it lives
	return a, nil
}

func (c *Config) complete() error {
	switch {
	case c.Store.IsZero():
		return errors.New("no store")
	case c.Journal == nil || c.Cache == nil || c.Cards == nil || c.Ring == nil || c.Rules == nil:
		return errors.New("journal, cache, card key, key ring and rules are required")
	}
	if c.Upstream == nil {
		c.Upstream = func() time.Time { return time.Time{} }
	}
	if c.Centre == nil {
		upstream := c.Upstream
		c.Centre = func() Centre { return Centre{Linked: true, Heard: upstream()} }
	}
	if c.State == nil {
		c.State = func() State { return State{Disk: Disk{FreeBytes: -1}} }
	}
	if c.StaleAfter == 0 {
		c.StaleAfter = 15 * time.Minute
	}
	if c.BodyTimeout == 0 {
		c.BodyTimeout = 10 * time.Second
	}
	if c.StopTimeout == 0 {
		c.StopTimeout = 2 * time.Second
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return nil
}

// Addr is where the API listens: "host:port", or "unix:/path".
func (a *API) Addr() string {
	addr := a.listener.Addr()
	if addr.Network() == "unix" {
		return unixPrefix + addr.String()
	}
	return addr.String()
}

// Close gives up the address of an API that was never run.
func (a *API) Close() error { return errors.Join(a.server.Close(), a.listener.Close()) }

// Crash drops every connection at once, answered or not, and ends Run. A test's pull of the plug.
func (a *API) Crash() { a.crashOnce.Do(func() { close(a.crashed) }) }

// Supply changes what quotes are made of. Before Run.
func (a *API) Supply(change func(*Facts)) { change(&a.cfg.Facts) }
