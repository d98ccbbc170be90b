package dec

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"

	"tillstream/central/flow"
	"tillstream/kv/record"
	"tillstream/subjects/event"
	"tillstream/subjects/service"
)

const (
	askWithin = 2 * time.Second // PPH answers from memory; a slow one is asked again
	keepFor   = 5 * time.Second // a promotion's change is seen after so long
	keepMost  = 4096            // promotions and attempts
)

// asker asks PPH, and keeps what it said for a while.
type asker struct {
	base  flow.Base
	asked *prometheus.CounterVec // by what

	mu   sync.Mutex
	kept *simplelru.LRU[question, *answer] // guarded by mu
}

type question struct {
	promo   record.PromoCode
	attempt record.AttemptID
}

// answer is one that is there, or under way.
type answer struct {
	there     chan struct{} // closed when it is; then the others are read only
	at        time.Time
	promotion event.PPHPromotion
	err       error
}

func newAsker(b flow.Base) *asker {
	kept, _ := simplelru.NewLRU[question, *answer](keepMost, nil) // fails for a size of zero only
	a := &asker{base: b, kept: kept, asked: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "tillstream_dec_pph_total",
		Help: "Promotions that DEC wanted from PPH: kept (it had the answer), asked, failed.",
	}, []string{"what"})}
	b.Registry.MustRegister(a.asked)
	return a
}

// promotion gives what PPH knows; it must not be changed.
func (a *asker) promotion(ctx context.Context, promo record.PromoCode, attempt record.AttemptID) (*event.PPHPromotion, error) {
	q := question{promo, attempt}
	n, mine := a.find(q)
	if mine {
		a.asked.WithLabelValues("asked").Inc()
		n.promotion, n.err = a.ask(ctx, q)
		n.at = a.base.Now()
		if n.err != nil {
			a.asked.WithLabelValues("failed").Inc()
			a.forget(q, n)
		}
		close(n.there)
	} else {
		a.asked.WithLabelValues("kept").Inc()
	}
	select {
	case <-n.there:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return &n.promotion, n.err
}

// find gives the answer that there is, or is under way; mine: the caller has to ask.
func (a *asker) find(q question) (n *answer, mine bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if n, ok := a.kept.Get(q); ok {
		select {
		case <-n.there:
			if age := a.base.Now().Sub(n.at); age >= 0 && age < keepFor {
				return n, false
			}
		default:
			return n, false
		}
	}
	n = &answer{there: make(chan struct{})}
	a.kept.Add(q, n)
	return n, true
}

// forget lets the next one ask again.
func (a *asker) forget(q question, n *answer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if now, ok := a.kept.Peek(q); ok && now == n {
		a.kept.Remove(q)
	}
}

func (a *asker) ask(ctx context.Context, q question) (p event.PPHPromotion, err error) {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	got, err := a.base.Ask(ctx, service.Question{
		Subject: a.base.Net.PPHPromotion(), Data: []byte(q.promo.String()),
		Header: nats.Header{event.AttemptHeader: {q.attempt.String()}},
	})
	if err != nil {
		return p, fmt.Errorf("ask PPH for promotion %s: %w", q.promo, err)
	}
	if err := json.Unmarshal(got.Data, &p); err != nil {
		return p, fmt.Errorf("ask PPH for promotion %s: its answer: %w", q.promo, err)
	}
	if p.PromoCode != q.promo || p.PromoName == "" || len(p.Tags) == 0 {
		return p, fmt.Errorf("ask PPH for promotion %s: its answer is not whole: %.200s", q.promo, got.Data)
	}
	return p, nil
}
