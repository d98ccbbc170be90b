package csl

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tillstream/central/flow"
)

const (
	goodFor    = time.Minute     // a copy is good for so long
	againAfter = 5 * time.Second // what went wrong is tried again
	maxKept    = 1024            // templates, and places where there is none
	fetchIn    = 2 * time.Second // for both questions of a fetch together
)

// errDown means that the CMS has not answered lately and is left alone for a moment.
var errDown = errors.New("the CMS did not answer just now")

// cms keeps copies of what an HTTP CMS has.
type cms struct {
	client  *http.Client
	now     func() time.Time
	log     *slog.Logger
	fetches *prometheus.CounterVec // by outcome

	mu      sync.Mutex
	address string          // guarded by mu: whose copies these are
	copies  map[place]*kept // guarded by mu
	down    time.Time       // guarded by mu: it is not asked before
}

// place is where a template is looked for.
type place struct{ tag, language string }

// kept is what is known of a place; all of it is guarded by cms.mu.
type kept struct {
	template Template      // the last good answer
	ok       bool          // the same: there is one
	known    bool          // there was a good answer
	err      error         // of the last question; nil: it was good
	next     time.Time     // it is not asked for before
	asking   chan struct{} // closed once the one who asks is done; nil: nobody asks
}

func newCMS(b flow.Base) *cms {
	c := &cms{
		client: newClient(), now: b.Now, log: b.Log, copies: map[place]*kept{},
		fetches: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tillstream_csl_cms_total",
			Help: "Questions to the CMS: found, none, failed (no answer, or none that makes sense), wrong (a template that cannot be shown).",
		}, []string{"what"}),
	}
	b.Registry.MustRegister(c.fetches)
	return c
}

// at gives the CMS at an address as a source. Copies of another address are dropped.
func (c *cms) at(address string) Source { return cmsAt{c, address} }

type cmsAt struct {
	*cms
	address string
}

// Template gives the copy of a place, a new one if it is time for that.
func (c cmsAt) Template(ctx context.Context, tag, language string) (Template, bool, error) {
	p := place{tag, language}
	for ctx.Err() == nil {
		k, what, err := c.look(p)
		switch what {
		case isKept:
			return k.template, k.ok, err
		case toAsk:
			c.fetch(ctx, p, k)
		case toWait:
			select {
			case <-k.asking:
			case <-ctx.Done():
			}
		}
	}
	return Template{}, false, context.Cause(ctx)
}

// What look says.
const (
	isKept = iota // this is it, or the error
	toAsk         // the caller is the one who asks
	toWait        // somebody asks
)

// look gives what is known of a place, a copy of it unless the caller is to ask.
func (c cmsAt) look(p place) (*kept, int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cms.address != c.address {
		c.cms.address, c.copies, c.down = c.address, map[place]*kept{}, time.Time{}
	}
	now, k := c.now(), c.copies[p]
	if k == nil {
		c.makeRoom()
		k = &kept{}
		c.copies[p] = k
	}
	copied := *k
	switch {
	case k.asking == nil && !now.Before(k.next) && !now.Before(c.down):
		k.asking = make(chan struct{})
		return k, toAsk, nil
	case k.known: // fresh, or the last good copy
		return &copied, isKept, nil
	case k.asking != nil:
		return &copied, toWait, nil
	case k.err != nil:
		return &kept{}, isKept, k.err
	}
	return &kept{}, isKept, errDown
}

// makeRoom forgets the place that was asked for the longest ago, if there are enough; called with mu held.
func (c *cms) makeRoom() {
	if len(c.copies) < maxKept {
		return
	}
	var oldest place
	var at *kept
	for p, k := range c.copies {
		if k.asking == nil && (at == nil || k.next.Before(at.next)) {
			oldest, at = p, k
		}
	}
	delete(c.copies, oldest)
}

// fetch asks the CMS for a place and keeps what it says.
func (c cmsAt) fetch(ctx context.Context, p place, k *kept) {
	asking, cancel := context.WithTimeout(ctx, fetchIn)
	t, ok, err := ask(asking, c.client, c.address, p)
	cancel()

	c.mu.Lock()
	defer c.mu.Unlock()
	close(k.asking)
	k.asking, k.err = nil, err
	if ctx.Err() != nil {
		return // this node stops: the CMS has done nothing wrong
	}
	now, what := c.now(), "found"
	switch {
	case err == nil:
		k.template, k.ok, k.known, k.next = t, ok, true, now.Add(goodFor)
		if !ok {
			what = "none"
		}
	case errors.Is(err, ErrTemplate):
		what, k.next = "wrong", now.Add(againAfter)
	default:
		what, k.next = "failed", now.Add(againAfter)
		if errors.Is(err, errDown) && c.cms.address == c.address {
			c.down = now.Add(againAfter)
		}
	}
	c.fetches.WithLabelValues(what).Inc()
	if err != nil {
		c.log.Warn("the CMS has no good template: the last good copy stands in, if there is one", "tag", p.tag,
			"language", p.language, "copy", k.known, "err", err)
	}
}
