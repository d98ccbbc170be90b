package gateway_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tillstream/central/flow"
	"tillstream/central/flow/csl"
	"tillstream/central/flow/flowtest"
	"tillstream/central/gateway"
	"tillstream/central/stage"
	"tillstream/kv/record"
	"tillstream/kv/seal"
	"tillstream/subjects"
	"tillstream/subjects/event"
	"tillstream/subjects/service"
)

// site is a centre with the flow's streams, stages that pass everything on, and the admin API over them.
type site struct {
	*flowtest.World
	base  flow.Base
	url   string
	cards *seal.Cards
	fails atomic.Pointer[error] // why DEC rejects events; nil: it does not
	opted []string
	over  bool // nobody can opt in
}

func openSite(t *testing.T) *site {
	t.Helper()
	t.Parallel()
	s := &site{World: flowtest.Open(t)}
	s.base = s.Base()
	key := filepath.Join(t.TempDir(), "cards")
	s.Must(os.WriteFile(key, bytes.Repeat([]byte("k"), 32), 0o600))
	var err error
	s.cards, err = seal.OpenCards(key)
	s.Must(err)
	s.serve(s.flowConfig())
	return s
}

func (s *site) flowConfig() *gateway.FlowConfig {
	return &gateway.FlowConfig{
		Node: subjects.NodeID{Token: subjects.MustToken("c1")}, Docs: s.Docs, Metrics: s.base.Registry.(prometheus.Gatherer),
		CheckTemplate: csl.Check,
		OptIn: func(_ context.Context, a record.AccountID, p record.PromoCode) error {
			if s.over {
				return &service.Refusal{Err: errors.New("it does not run now")}
			}
			s.opted = append(s.opted, a.String()+" "+p.String())
			return nil
		},
		Progress: func(_ context.Context, a record.AccountID) (any, error) {
			return map[string]string{"account": a.String(), "stamps": "2 of 3"}, nil
		},
	}
}

// serve has the admin API answer with a configuration from now on.
func (s *site) serve(cfg *gateway.FlowConfig) {
	s.T.Helper()
	admin, err := gateway.OpenAdmin(gateway.AdminConfig{
		Listen: "127.0.0.1:0", Metrics: http.NotFoundHandler(), JS: s.base.JS, Net: s.Net, Flow: cfg, Cards: s.cards, Log: s.Log,
	})
	s.Must(err)
	s.Run(admin.Run)
	s.url = admin.URL()
}

// problem is what went wrong; without a status nothing did.
type problem struct {
	Type   string `json:"type"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
}

// ask asks the admin API.
func (s *site) ask(method, path, body string, into any) (p problem) {
	s.T.Helper()
	req, err := http.NewRequestWithContext(s.T.Context(), method, s.url+path, strings.NewReader(body))
	s.Must(err)
	res, err := http.DefaultClient.Do(req)
	s.Must(err)
	b, err := io.ReadAll(res.Body)
	s.Must(errors.Join(err, res.Body.Close()))
	if res.StatusCode != http.StatusOK {
		into = &p
	}
	if raw, ok := into.(*string); ok {
		*raw = string(b)
		return p
	}
	if err := json.Unmarshal(b, into); err != nil {
		s.T.Fatalf("%s %s: %d %s: %v", method, path, res.StatusCode, b, err)
	}
	return p
}

// ok asks, and fails the test unless it is answered.
func (s *site) ok(method, path, body string, into any) {
	s.T.Helper()
	if p := s.ask(method, path, body, into); p.Status != 0 {
		s.T.Fatalf("%s %s: %+v", method, path, p)
	}
}

// refused fails the test unless the answer is this problem and says these parts.
func (s *site) refused(method, path, body string, status int, slug string, parts ...string) {
	s.T.Helper()
	var ignored json.RawMessage
	p := s.ask(method, path, body, &ignored)
	if p.Status != status || p.Type != "/problems/"+slug {
		s.T.Errorf("%s %s: got %+v, want %d %s", method, path, p, status, slug)
	}
	for _, part := range parts {
		if !strings.Contains(p.Detail, part) {
			s.T.Errorf("%s %s: %q does not say %q", method, path, p.Detail, part)
		}
	}
}

// runStage runs a stage that passes everything on, as its component does.
func (s *site) runStage(of subjects.Stage) (stop func()) {
	next := map[subjects.Stage]struct {
		at      event.Point
		typ, to string
	}{
		subjects.DEC: {event.DEC, event.TypeEnriched, s.Net.CPPEnriched()}, subjects.TIM: {event.TIM, event.TypeRelevant, s.Net.Relevant()},
		subjects.FRED: {event.FRED, event.TypeDecided, s.Net.Decided()}, subjects.BCG: {at: event.BCG}, subjects.MSQ: {at: event.MSQ},
	}[of]
	return s.Run(stage.New(stage.Config{
		Stage: of, Point: next.at, Net: s.Net, JS: s.base.JS, Metrics: s.base.Stages, Log: s.Log,
		Handle: func(_ context.Context, in *stage.Input) ([]stage.Output, error) {
			if why := s.fails.Load(); why != nil && of == subjects.DEC {
				return nil, stage.Reject(*why)
			}
			if next.to == "" {
				return nil, nil
			}
			return []stage.Output{{Subject: next.to, Envelope: in.Next(next.at, next.typ, 0, s.Now()), Data: in.Data}}, nil
		},
	}).Run)
}

// await waits until something is so. What the streams have is known to a stage's consumer a moment later.
func (s *site) await(what string, is func() bool) {
	s.T.Helper()
	end, look := time.NewTimer(flowtest.Within), time.NewTicker(5*time.Millisecond)
	defer end.Stop()
	defer look.Stop()
	for !is() {
		select {
		case <-look.C:
		case <-end.C:
			s.T.Fatalf("wait until %s", what)
		}
	}
}

// acked waits until a stage has done all up to a sequence of the flow's stream.
func (s *site) acked(of subjects.Stage, sequence uint64) {
	s.T.Helper()
	s.await(of.String()+" has done its events", func() bool { return s.stage(of).Acked >= sequence })
}

func (s *site) reject(why string) {
	err := errors.New(why)
	s.fails.Store(&err)
}
