package csl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tillstream/central/flow"
	"tillstream/subjects"
	"tillstream/subjects/event"
	"tillstream/subjects/service"
)

const (
	// atOnce bounds the questions under way. Most take microseconds; those that wait for the CMS wait for one answer.
	atOnce   = 4096
	warnEach = time.Minute
)

// CSL is one instance.
type CSL struct {
	flow.Base
	answers *prometheus.CounterVec // by outcome
	cms     *cms

	mu     sync.Mutex
	warned time.Time // guarded by mu: that there is no template
}

// New makes a CSL.
func New(b flow.Base) *CSL {
	c := &CSL{Base: b, answers: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "tillstream_csl_answers_total",
		Help: "Answers of CSL: found, none (no template yet), unavailable (the CMS is down and there is no copy), refused (it can never be shown right).",
	}, []string{"what"})}
	b.Registry.MustRegister(c.answers)
	c.cms = newCMS(b)
	return c
}

// Run answers until ctx ends.
func (c *CSL) Run(ctx context.Context) error {
	if err := c.Docs.Wait(ctx); err != nil {
		return nil // ctx has ended
	}
	defer c.cms.client.CloseIdleConnections()
	return service.New(service.Config{
		Conn: c.Conn, Name: subjects.ServiceCSL, Endpoint: "content", Subject: c.Net.CSLContent(), AtOnce: atOnce,
		Description: "content of messages of brand " + c.Net.Brand.String(), Answer: c.answer, Near: c.Near, Log: c.Log,
	}).Run(ctx)
}

// errNone means that no template is there for a message.
var errNone = errors.New("there is no template")

// answer gives the words of a message.
func (c *CSL) answer(ctx context.Context, q service.Question) (a service.Answer, err error) {
	what := "found"
	question, err := event.ReadContentQuestion(q.Data)
	var content event.Content
	if err == nil {
		content, err = c.content(ctx, question)
	}
	if err == nil {
		a.Data, err = json.Marshal(content)
	}
	switch {
	case err == nil:
	case errors.Is(err, ErrTemplate) || errors.Is(err, event.ErrEvent):
		what, err = "refused", &service.Refusal{Err: err}
	case errors.Is(err, errNone):
		what = "none"
		c.warn(err)
	default:
		what = "unavailable"
	}
	c.answers.WithLabelValues(what).Inc()
	return a, err
}

// content goes by the rule of the package's documentation.
func (c *CSL) content(ctx context.Context, q event.ContentQuestion) (event.Content, error) {
	s := c.Docs.Settings()
	var source Source = bucket{c.Docs}
	if s.CMS != "" {
		source = c.cms.at(s.CMS)
	}
	for _, tag := range Tags(q.MessageType, q.PromoCode) {
		for _, language := range s.Languages {
			t, ok, err := source.Template(ctx, tag, language)
			if err == nil && !ok {
				continue
			}
			content := event.Content{Language: language}
			if err == nil {
				content.Title, content.Text, err = t.Fill(q.Values)
			}
			if err != nil {
				return content, fmt.Errorf("template %s in %s: %w", tag, language, err)
			}
			return content, nil
		}
	}
	return event.Content{}, fmt.Errorf("%w for %s of %s in any of %v", errNone, q.MessageType, q.PromoCode, s.Languages)
}

// warn says that a template is missing: messages wait until somebody writes it. BCG asks again and again, so it is
// not said each time.
func (c *CSL) warn(err error) {
	now := c.Now()
	c.mu.Lock()
	say := now.Sub(c.warned) >= warnEach
	if say {
		c.warned = now
	}
	c.mu.Unlock()
	if say {
		c.Log.Warn("messages wait for a template: put one", "err", err)
	}
}
