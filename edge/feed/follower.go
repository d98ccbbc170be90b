package feed

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"tillstream/edge/cache"
	"tillstream/kv/record"
)

// ErrUpstream means that upstream answered a pull with an error, or with what is no page.
var ErrUpstream = errors.New("upstream refused a pull")

const (
	behindWait = 50 * time.Millisecond  // until another node is asked, or this one has come as far
	firstWait  = 100 * time.Millisecond // after the first error; doubles
	quietAfter = time.Second            // without a page, until the cache is brought to the disk
)

// FollowerConfig says whom a Follower follows and what it fills.
type FollowerConfig struct {
	Conn    *nats.Conn // to the node's own server; its inbox prefix must be one that upstream allows
	Pull    string     // subject of the pulls
	Changed string     // subject of upstream's pokes
	Cache   *cache.Cache

	// Posted hears how far the centre has posted each chain, before the page is applied: a page whose
	// cursor is kept is not asked for again. nil: nobody wants to know.
	Posted func([]record.Counted) error

	// Reset runs before a reset empties the cache: what upstream said before is void, also of what it has
	// posted. If the node dies behind it, the same cursor brings the reset again. nil: nobody wants to know.
	Reset func() error

	// Dropped runs after a reset has emptied the cache: the owner gives the overlay again, from its
	// journal's records after Counted of each chain, which is zero then. nil: nobody does, and
	// shoppers lack what was posted until their items come again.
	Dropped func() error

	// Above hears how the store that answers hears the centre. nil: it is not asked for; the centre would have
	// nothing to say.
	Above func(record.Above)

	Limit   uint32        // items a page; 0: the source's own
	Every   time.Duration // longest time between two pulls, also after errors; 0: 1 s
	Timeout time.Duration // of one pull; 0: 2 s
	Log     *slog.Logger  // nil: nothing is logged
}

// Follower keeps a cache as upstream is. It has one Run.
type Follower struct {
	cfg   FollowerConfig
	began time.Time
	last  atomic.Pointer[time.Time]

	// These belong to Run.
	unsynced  time.Time     // when the last page with news came; zero: all is on the disk
	wait      time.Duration // after the next error; 0: there was none
	deaf      bool          // to pokes: upstream pokes and then refuses, which must not become a flood
	wasReset  bool          // by the last answer
	refReset  bool          // the same of what every store gets
	owed      bool          // a call of Dropped
	complains bool          // an error has been logged since the last success
}

// NewFollower makes a Follower.
func NewFollower(cfg FollowerConfig) *Follower {
	if cfg.Every == 0 {
		cfg.Every = time.Second
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 2 * time.Second
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Follower{cfg: cfg, began: time.Now()}
}

// LastAnswer is when upstream last answered a pull with a page; zero: never.
func (f *Follower) LastAnswer() time.Time {
	if t := f.last.Load(); t != nil {
		return *t
	}
	return time.Time{}
}

// Age is the time since the last answer, or since the follower was made if there was none.
func (f *Follower) Age() time.Duration {
	if t := f.last.Load(); t != nil {
		return time.Since(*t)
	}
	return time.Since(f.began)
}

// Run follows until ctx ends, and then returns nil. Another error is one that waiting does not cure:
// a damaged cache, or a connection that is closed.
func (f *Follower) Run(ctx context.Context) error {
	poke := make(chan struct{}, 1)
	sub, err := f.cfg.Conn.Subscribe(f.cfg.Changed, func(*nats.Msg) {
		select {
		case poke <- struct{}{}:
		default: // one is waiting
		}
	})
	if err != nil {
		return fmt.Errorf("subscribe to pokes: %w", err)
	}
	defer func() { _ = sub.Unsubscribe() }() // fails only if the connection is gone, and it with it
	back := f.cfg.Conn.StatusChanged(nats.CONNECTED)
	defer f.cfg.Conn.RemoveStatusListener(back)

	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		pokes := poke
		if f.deaf {
			pokes = nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-pokes:
		case <-back:
		case <-timer.C:
		}
		wait, err := f.step(ctx)
		if err != nil {
			return err
		}
		timer.Reset(wait)
	}
}

// step pulls until there is no more, and says how long to wait for the next.
func (f *Follower) step(ctx context.Context) (time.Duration, error) {
	again, err := f.pull(ctx)
	for err == nil && again == 0 && ctx.Err() == nil {
		again, err = f.pull(ctx)
	}
	f.rest()
	switch {
	case ctx.Err() != nil:
		return 0, nil
	case errors.Is(err, cache.ErrDamaged), errors.Is(err, nats.ErrConnectionClosed):
		return 0, fmt.Errorf("follow %s: %w", f.cfg.Pull, err)
	case err != nil:
		return f.backoff(err), nil
	}
	if f.complains {
		f.cfg.Log.Info("feed goes on", "subject", f.cfg.Pull)
	}
	f.wait, f.deaf, f.complains = 0, false, false
	return again, nil
}

// backoff logs the first of a row of errors and gives a wait that doubles up to Every.
func (f *Follower) backoff(err error) time.Duration {
	if !f.complains {
		f.cfg.Log.Warn("feed waits", "subject", f.cfg.Pull, "err", err)
		f.complains = true
	}
	f.wait = min(max(2*f.wait, firstWait), f.cfg.Every)
	// A poke after silence says that the link has healed.
	f.deaf = !errors.Is(err, nats.ErrNoResponders) && !errors.Is(err, context.DeadlineExceeded)
	return jitter(f.wait)
}

// jitter gives 0.5 to 1 of d, so that a thousand stores do not ask in step.
func jitter(d time.Duration) time.Duration { return d/2 + rand.N(d/2+1) }

// pull asks once and takes the answer in. again is how long to wait for the next; 0: at once.
func (f *Follower) pull(ctx context.Context) (again time.Duration, err error) {
	if f.owed {
		if err := f.cfg.Dropped(); err != nil {
			return 0, fmt.Errorf("give the overlay again: %w", err)
		}
		f.owed = false
	}
	asked, reference := f.cfg.Cache.Cursor(), f.cfg.Cache.ReferenceCursor()
	page, err := f.ask(ctx, &record.Pull{Cursor: asked, Limit: f.cfg.Limit, Reference: &reference, Above: f.cfg.Above != nil})
	if err != nil {
		return 0, err
	}
	now := time.Now()
	f.last.Store(&now)
	if page.Above != nil && f.cfg.Above != nil {
		f.cfg.Above(*page.Above)
	}
	more, err := f.takeReference(page.Reference, reference)
	if err != nil {
		return 0, err
	}
	again, err = f.take(&page, asked)
	if more {
		again = 0
	}
	return again, err
}

// takeReference takes in what a page says of what every store gets, and reports whether there is more. An
// upstream that is behind pokes, or is asked again in a while.
func (f *Follower) takeReference(p *record.References, asked record.Cursor) (more bool, err error) {
	if p == nil || p.Status == record.FeedBehind {
		return false, nil // of an older version of this program; or later
	}
	if p.Status == record.FeedReset && f.refReset {
		return false, fmt.Errorf("%w: reference data reset twice in a row", ErrUpstream)
	}
	if p.Status == record.FeedItems && p.More && p.Cursor == asked {
		return false, fmt.Errorf("%w: more reference data, but not a step further", ErrUpstream)
	}
	if err := f.cfg.Cache.ApplyReference(p); err != nil {
		return false, err
	}
	if f.refReset = p.Status == record.FeedReset; f.refReset {
		return true, nil
	}
	if len(p.Records) > 0 {
		f.unsynced = time.Now()
	}
	return p.More, nil
}

// take takes the shoppers' part of a page in.
func (f *Follower) take(page *record.Page, asked record.Cursor) (again time.Duration, err error) {
	now := time.Now()
	switch page.Status {
	case record.FeedBehind:
		return jitter(behindWait), nil
	case record.FeedReset:
		if f.wasReset {
			f.wasReset = false // after a pause the next one counts: upstream may have lost its disk again
			return 0, fmt.Errorf("%w: reset twice in a row", ErrUpstream)
		}
		if f.cfg.Reset != nil {
			if err := f.cfg.Reset(); err != nil {
				return 0, fmt.Errorf("forget what upstream has posted: %w", err)
			}
		}
	}
	if f.cfg.Posted != nil && len(page.Counted) > 0 {
		if err := f.cfg.Posted(page.Counted); err != nil {
			return 0, fmt.Errorf("note what is posted: %w", err)
		}
	}
	if err := f.cfg.Cache.Apply(page); err != nil {
		return 0, err
	}
	// From here on the page lies here; if we die before, the same cursor brings it again.
	if f.wasReset = page.Status == record.FeedReset; f.wasReset {
		f.owed = f.cfg.Dropped != nil
		return 0, nil
	}
	if len(page.Items) > 0 || len(page.Counted) > 0 {
		f.unsynced = now
	}
	if !page.More {
		return jitter(f.cfg.Every), nil
	}
	if page.Cursor == asked {
		return 0, fmt.Errorf("%w: more, but not a step further", ErrUpstream)
	}
	return 0, nil
}

func (f *Follower) ask(ctx context.Context, p *record.Pull) (record.Page, error) {
	ctx, cancel := context.WithTimeout(ctx, f.cfg.Timeout)
	defer cancel()
	m, err := f.cfg.Conn.RequestWithContext(ctx, f.cfg.Pull, p.Append(nil))
	if err != nil {
		return record.Page{}, fmt.Errorf("pull: %w", err)
	}
	if code := m.Header.Get(micro.ErrorCodeHeader); code != "" {
		return record.Page{}, fmt.Errorf("%w: %s %s", ErrUpstream, code, m.Header.Get(micro.ErrorHeader))
	}
	page, err := record.ReadPage(m.Data)
	if err != nil {
		return record.Page{}, fmt.Errorf("%w: %w", ErrUpstream, err)
	}
	return page, nil
}

// rest brings the cache to the disk when no page has come for a while, so that a power cut in a
// quiet hour, or while this node is cut off, does not cost it.
func (f *Follower) rest() {
	if f.unsynced.IsZero() || time.Since(f.unsynced) < quietAfter {
		return
	}
	if err := f.cfg.Cache.Sync(); err != nil {
		f.cfg.Log.Warn("cache is not safe from a power cut", "err", err)
		return
	}
	f.unsynced = time.Time{}
}
