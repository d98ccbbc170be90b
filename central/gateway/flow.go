package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"tillstream/central/flow"
	"tillstream/central/stage"
	"tillstream/kv/record"
	"tillstream/subjects"
	"tillstream/subjects/event"
)

// FlowConfig is what the admin API knows of the event flow.
type FlowConfig struct {
	Node    subjects.NodeID
	Docs    *flow.Documents
	Metrics prometheus.Gatherer // where this node's stages count

	// CheckTemplate says what is wrong with a message template's document.
	CheckTemplate func(document []byte) error
	// OptIn has a shopper take part in a progress promotion from now on; once more is the same. A *service.Refusal
	// says why they cannot.
	OptIn func(ctx context.Context, account record.AccountID, promo record.PromoCode) error
	// Progress gives what a shopper has done in progress promotions, to be written as JSON.
	Progress func(ctx context.Context, account record.AccountID) (any, error)

	// Sessions are the app's: a device connects and is shown messages, see package osg.
	Sessions http.Handler

	Now func() time.Time // nil: time.Now
}

// errNoFlow means that this centre runs no flow.
var errNoFlow = errors.New("this centre runs no event flow: set flow: true in the configuration of its nodes")

// errFlowAway means that JetStream does not give what the flow needs.
var errFlowAway = errors.New("the flow's stream does not answer")

// flowWait bounds a question about the flow; ops wait a little longer.
const flowWait = 10 * time.Second

func (a *Admin) handleFlow(mux *http.ServeMux) {
	for pattern, handler := range map[string]http.HandlerFunc{
		"GET /v1/flow":                 answer(a.flowStatus),
		"POST /v1/flow/{stage}/pause":  answer(a.pauseStage),
		"POST /v1/flow/{stage}/resume": answer(a.resumeStage),

		"GET /v1/flow/trace/{id}": answer(a.trace),

		"GET /v1/flow/dead":                    answer(a.deadLetters),
		"POST /v1/flow/dead/replay":            answer(a.replayAlike),
		"GET /v1/flow/dead/{sequence}":         answer(a.deadLetter),
		"POST /v1/flow/dead/{sequence}/replay": answer(a.replay),
		"DELETE /v1/flow/dead/{sequence}":      answer(a.discard),

		"PUT /v1/flow/promotions":                 file(answer(a.putProgress)),
		"GET /v1/flow/promotions":                 answer(a.progressPromotions),
		"GET /v1/flow/promotions/{code}":          answer(a.progressPromotion),
		"PUT /v1/flow/settings":                   file(answer(a.putFlowSettings)),
		"GET /v1/flow/settings":                   answer(a.flowSettings),
		"PUT /v1/flow/templates/{tag}/{language}": file(answer(a.putTemplate)),
		"GET /v1/flow/templates/{tag}/{language}": answer(a.template),
		"GET /v1/flow/templates":                  answer(a.templates),

		"POST /v1/flow/opt-in":            answer(a.optIn),
		"GET /v1/flow/progress/{account}": answer(a.progressOf),
		"POST /v1/flow/progress":          answer(a.progressAsked),
	} {
		mux.HandleFunc(pattern, a.ifFlow(handler))
	}
	if a.cfg.Flow != nil && a.cfg.Flow.Sessions != nil { // a stream, for as long as the device is there
		mux.Handle("GET /v1/sessions/{account}/{device}", a.cfg.Flow.Sessions)
	}
}

// ifFlow answers only where the centre runs the flow, and not for ever.
func (a *Admin) ifFlow(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if a.cfg.Flow == nil {
			refuse(w, errNoFlow)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), flowWait)
		defer cancel()
		next(w, r.WithContext(ctx))
	}
}

func (a *Admin) flowNow() time.Time {
	if a.cfg.Flow.Now == nil {
		return time.Now()
	}
	return a.cfg.Flow.Now()
}

// Flow is the answer to GET /v1/flow. What it says of streams is of the whole centre, what it counts is of this node.
type Flow struct {
	Node   string       `json:"node"`
	At     time.Time    `json:"at"`
	Events uint64       `json:"events"` // that the stream keeps
	Bytes  uint64       `json:"bytes"`
	First  uint64       `json:"first"` // sequence
	Last   uint64       `json:"last"`
	Since  *time.Time   `json:"since,omitempty"` // of the first; absent: there is none
	Stages []FlowStage  `json:"stages"`
	Parts  []stage.Part `json:"parts"`
}

// FlowStage is how one stage stands.
type FlowStage struct {
	Stage       string       `json:"stage"`
	Pending     uint64       `json:"pending"`   // events that no instance was given
	UnderWay    int          `json:"under_way"` // that one was given, and has not done
	Again       int          `json:"again"`     // of these, given before: to an instance that died, or did not say that it lives
	Delivered   uint64       `json:"delivered"` // sequence up to which events were given out
	Acked       uint64       `json:"acked"`     // sequence up to which all are done
	Oldest      *Unhandled   `json:"oldest,omitempty"`
	PausedUntil *time.Time   `json:"paused_until,omitempty"`
	DeadLetters uint64       `json:"dead_letters"` // that lie there now
	Counts      stage.Counts `json:"counts"`
}

// Unhandled is the oldest event that a stage has not done.
type Unhandled struct {
	Sequence uint64    `json:"sequence"`
	ID       string    `json:"id"`
	Subject  string    `json:"subject"`
	Time     time.Time `json:"time"` // its ce-time; of one that is no event, when it came
	Age      float64   `json:"age_seconds"`
}

func (a *Admin) flowStatus(r *http.Request) (out Flow, err error) {
	counted, err := stage.Read(a.cfg.Flow.Metrics)
	if err != nil {
		return out, err
	}
	stream, err := a.stream(r.Context(), a.cfg.Net.FlowStream())
	if err != nil {
		return out, err
	}
	dead, err := a.deadByStage(r.Context())
	if err != nil {
		return out, err
	}
	s := stream.CachedInfo().State
	out = Flow{
		Node: a.cfg.Flow.Node.String(), At: a.flowNow().UTC(), Events: s.Msgs, Bytes: s.Bytes,
		First: s.FirstSeq, Last: s.LastSeq, Parts: counted.Parts,
	}
	if s.Msgs > 0 {
		out.Since = &s.FirstTime
	}
	for _, of := range subjects.Stages() {
		one, err := a.flowStage(r.Context(), stream, of)
		if err != nil {
			return out, err
		}
		one.Counts, one.DeadLetters = counted.Stages[of.String()], dead[a.cfg.Net.DeadLetters(of)]
		out.Stages = append(out.Stages, one)
	}
	return out, nil
}

// stream finds a stream of the flow.
func (a *Admin) stream(ctx context.Context, name string) (jetstream.Stream, error) {
	s, err := a.cfg.JS.Stream(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("%w: stream %s: %w", errFlowAway, name, err)
	}
	return s, nil
}

func (a *Admin) deadByStage(ctx context.Context) (map[string]uint64, error) {
	s, err := a.stream(ctx, a.cfg.Net.DeadStream())
	if err != nil {
		return nil, err
	}
	info, err := s.Info(ctx, jetstream.WithSubjectFilter(a.cfg.Net.AnyDeadLetters()))
	if err != nil {
		return nil, fmt.Errorf("%w: count dead letters: %w", errFlowAway, err)
	}
	return info.State.Subjects, nil
}

func (a *Admin) flowStage(ctx context.Context, stream jetstream.Stream, of subjects.Stage) (out FlowStage, err error) {
	c, err := stream.Consumer(ctx, of.String())
	if err != nil {
		return out, fmt.Errorf("%w: consumer of stage %s: %w", errFlowAway, of, err)
	}
	i := c.CachedInfo()
	out = FlowStage{
		Stage: of.String(), Pending: i.NumPending, UnderWay: i.NumAckPending, Again: i.NumRedelivered,
		Delivered: i.Delivered.Stream, Acked: i.AckFloor.Stream,
	}
	if i.Paused {
		until := a.flowNow().Add(i.PauseRemaining).UTC().Truncate(time.Second)
		out.PausedUntil = &until
	}
	if i.NumPending == 0 && i.NumAckPending == 0 {
		return out, nil
	}
	var oldest *jetstream.RawStreamMsg
	for _, subject := range a.cfg.Net.SubjectsOf(of) {
		m, err := stream.GetMsg(ctx, i.AckFloor.Stream+1, jetstream.WithGetMsgSubject(subject))
		switch {
		case errors.Is(err, jetstream.ErrMsgNotFound):
		case err != nil:
			return out, fmt.Errorf("%w: oldest event of stage %s: %w", errFlowAway, of, err)
		case oldest == nil || m.Sequence < oldest.Sequence:
			oldest = m
		}
	}
	if oldest == nil {
		return out, nil // it has just been done
	}
	out.Oldest = &Unhandled{Sequence: oldest.Sequence, Subject: oldest.Subject, Time: oldest.Time.UTC()}
	e, _, err := event.Receive(oldest.Header, oldest.Data)
	if out.Oldest.ID = e.ID; err == nil {
		out.Oldest.Time = e.Time.UTC()
	}
	out.Oldest.Age = max(0, a.flowNow().Sub(out.Oldest.Time).Seconds())
	return out, nil
}

// FlowPause is the body of POST /v1/flow/{stage}/pause.
type FlowPause struct {
	For string `json:"for"` // a duration, such as 10m
}

// FlowPaused is its answer, and that of resume.
type FlowPaused struct {
	Stage string     `json:"stage"`
	Until *time.Time `json:"paused_until,omitempty"` // absent: it goes on
}

// maxPause bounds a pause: what the stream keeps must outlast it by days.
const maxPause = 24 * time.Hour

// pauseStage has a stage's instances, on all nodes, be given nothing for a while. What they have they finish.
func (a *Admin) pauseStage(r *http.Request) (FlowPaused, error) {
	var q FlowPause
	if err := decode(r, &q); err != nil {
		return FlowPaused{}, err
	}
	d, err := time.ParseDuration(q.For)
	if err != nil || d < time.Second || d > maxPause {
		return FlowPaused{}, fmt.Errorf("%w: for: want a duration from 1s to %v, such as 10m, got %q", errRequest, maxPause, q.For)
	}
	of, err := stageNamed(r.PathValue("stage"))
	if err != nil {
		return FlowPaused{}, err
	}
	p, err := a.cfg.JS.PauseConsumer(r.Context(), a.cfg.Net.FlowStream(), of.String(), a.flowNow().Add(d))
	if err != nil {
		return FlowPaused{}, fmt.Errorf("%w: pause stage %s: %w", errFlowAway, of, err)
	}
	until := p.PauseUntil.UTC()
	return FlowPaused{of.String(), &until}, nil
}

func (a *Admin) resumeStage(r *http.Request) (FlowPaused, error) {
	of, err := stageNamed(r.PathValue("stage"))
	if err != nil {
		return FlowPaused{}, err
	}
	if _, err := a.cfg.JS.ResumeConsumer(r.Context(), a.cfg.Net.FlowStream(), of.String()); err != nil {
		return FlowPaused{}, fmt.Errorf("%w: resume stage %s: %w", errFlowAway, of, err)
	}
	return FlowPaused{Stage: of.String()}, nil
}

func stageNamed(name string) (subjects.Stage, error) {
	for _, s := range subjects.Stages() {
		if s.String() == name {
			return s, nil
		}
	}
	return subjects.Stage{}, fmt.Errorf("stage %q: %w: want one of %v", name, errUnknown, subjects.Stages())
}
