package pph

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"

	"tillstream/central/flow"
	"tillstream/kv/progress"
	"tillstream/kv/record"
	"tillstream/subjects"
	"tillstream/subjects/event"
	"tillstream/subjects/service"
)

// atOnce bounds the questions under way. An answer is computed in memory.
const atOnce = 256

// PPH is one instance.
type PPH struct {
	flow.Base
	answers *prometheus.CounterVec // by what
}

// New makes a PPH.
func New(b flow.Base) *PPH {
	p := &PPH{Base: b, answers: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "tillstream_pph_answers_total", Help: "Questions that PPH answered: known, or refused.",
	}, []string{"what"})}
	b.Registry.MustRegister(p.answers)
	return p
}

// Run serves until ctx ends.
func (p *PPH) Run(ctx context.Context) error {
	if err := p.Docs.Wait(ctx); err != nil {
		return nil // ctx has ended
	}
	return service.New(service.Config{
		Conn: p.Conn, Name: subjects.ServicePPH, Endpoint: "promotion", Subject: p.Net.PPHPromotion(), AtOnce: atOnce,
		Description: "what is known of a promotion (document 004 §1)", Answer: p.answer, Near: p.Near, Log: p.Log,
	}).Run(ctx)
}

func (p *PPH) answer(_ context.Context, q service.Question) (service.Answer, error) {
	known, err := p.known(q)
	if err != nil {
		p.answers.WithLabelValues("refused").Inc()
		return service.Answer{}, &service.Refusal{Err: err}
	}
	p.answers.WithLabelValues("known").Inc()
	data, err := event.Data(known)
	return service.Answer{Data: data, Header: nats.Header{"Content-Type": {event.ContentJSON}}}, err
}

func (p *PPH) known(q service.Question) (event.PPHPromotion, error) {
	code, err := record.ParsePromoCode(string(q.Data))
	if err != nil {
		return event.PPHPromotion{}, err
	}
	promotion, ok := p.Docs.Promotion(code)
	if !ok {
		return event.PPHPromotion{}, fmt.Errorf("promotion %s is unknown: put it", code)
	}
	settings := p.Docs.Settings()
	calendar := settings.Calendar()
	attempt := calendar.AttemptAt(p.Now())
	if values := q.Header[event.AttemptHeader]; len(values) > 0 {
		if attempt, err = record.ParseAttemptID(values[0]); err != nil {
			return event.PPHPromotion{}, err
		}
	}
	return facts(promotion, calendar, attempt)
}

func facts(p *progress.Promotion, c *progress.Calendar, attempt record.AttemptID) (event.PPHPromotion, error) {
	known := event.PPHPromotion{PromoCode: p.Code, PromoName: p.Name, PromoURL: p.URL, Tags: p.Tags}
	for i := range p.Rewards {
		r := &p.Rewards[i]
		expires, err := r.Expiration(c, attempt)
		if err != nil {
			return known, fmt.Errorf("promotion %s, reward %s: %w", p.Code, r.ID, err)
		}
		products := r.Products
		if products == nil {
			products = []string{}
		}
		known.RewardSchemes = append(known.RewardSchemes, event.PPHRewardScheme{
			RewardSchemeID: r.ID, Products: products, RewardType: r.RewardType, ProductRewardType: r.ProductRewardType,
			TierDefinition: r.TierDefinition, ExpirationDate: expires,
		})
	}
	return known, nil
}
