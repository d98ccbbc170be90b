package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tillstream/kv"
	"tillstream/subjects"
	"tillstream/subjects/event"
)

// Outcome is what has come of an activity, as far as anybody knows.
type Outcome struct {
	Text    string `json:"text"`
	Message string `json:"message,omitempty"` // id of the onsite message
	// What the bucket of shoppers on site has of it.
	Claim     json.RawMessage `json:"claim,omitempty"`     // who delivers it, or has
	Waiting   bool            `json:"waiting,omitempty"`   // in MSQ's queue
	Tombstone json.RawMessage `json:"tombstone,omitempty"` // a message of this attempt must not be shown any more
}

// finish adds to the events what the stages and the bucket of shoppers on site say.
func (t *tracer) finish(ctx context.Context) error {
	places := map[string]FlowStage{}
	for _, s := range subjects.Stages() {
		c, err := t.stream.Consumer(ctx, s.String())
		if err != nil {
			return fmt.Errorf("%w: consumer of stage %s: %w", errFlowAway, s, err)
		}
		i := c.CachedInfo()
		places[s.String()] = FlowStage{Acked: i.AckFloor.Stream, Delivered: i.Delivered.Stream}
	}
	bucket, err := kv.Open(ctx, t.a.cfg.JS, kv.Onsite(t.a.cfg.Net.Brand))
	if err != nil {
		return fmt.Errorf("%w: %w", errFlowAway, err)
	}
	for i := range t.out.Ways {
		w := &t.out.Ways[i]
		for j := range w.Events {
			e := &w.Events[j]
			e.State = t.state(e, places[e.Stage])
		}
		if i >= maxOnsite {
			w.Passed = passed(&w.stamps)
			w.Outcome.Text = fmt.Sprintf("only the first %d activities are looked up: trace an event of this one", maxOnsite)
			continue
		}
		if err := t.onsite(ctx, bucket, w); err != nil {
			return fmt.Errorf("%w: %w", errFlowAway, err)
		}
		w.say()
	}
	return nil
}

func (t *tracer) state(e *TracedEvent, at FlowStage) State {
	buried := func(l DeadLetter) bool { return l.Stage == e.Stage && l.Origin == e.Sequence }
	switch {
	case slices.ContainsFunc(t.out.Dead, buried):
		return Dead
	case e.Sequence <= at.Acked:
		return Handled
	case e.Sequence > at.Delivered:
		return Waits
	}
	return Given
}

// passed gives the points of stamps in the order of their times.
func passed(stamps *event.Stamps) []Passed {
	out := []Passed{}
	for _, p := range event.Points() {
		if at := stamps[p]; !at.IsZero() {
			out = append(out, Passed{Point: p.String(), At: at.UTC()})
		}
	}
	slices.SortStableFunc(out, func(a, b Passed) int { return a.At.Compare(b.At) })
	for i := range out[min(1, len(out)):] {
		out[i+1].Millis = float64(out[i+1].At.Sub(out[i].At)) / float64(time.Millisecond)
	}
	return out
}

// maxOnsite is of how many activities a trace looks up what the bucket has.
const maxOnsite = 100

// onsite looks up what the bucket has of the message that BCG makes of a way's decided event. Its id follows from the
// event's.
func (t *tracer) onsite(ctx context.Context, bucket *kv.Store, w *Way) error {
	get := func(key string) (json.RawMessage, error) {
		r, err := bucket.Get(ctx, key)
		if errors.Is(err, kv.ErrNone) {
			return nil, nil
		}
		if err == nil && !json.Valid(r.Value) {
			return json.Marshal(string(r.Value))
		}
		return r.Value, err
	}
	var ids []string
	for i := range w.Events {
		if w.Events[i].Stage == subjects.BCG.String() {
			if id := event.NextID(w.Events[i].ID, event.BCG, 0); !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	if len(ids) == 0 {
		return nil
	}
	w.Outcome.Message = ids[0]
	var err error
	if w.Outcome.Tombstone, err = get(kv.TombstoneKey(w.attempt)); err != nil {
		return err
	}
	for _, id := range ids {
		claim, err := get(kv.ClaimKey(id))
		if err != nil {
			return err
		}
		if claim != nil {
			w.Outcome.Claim, w.Outcome.Message = claim, id
		}
		_, err = bucket.Get(ctx, kv.WaitKey(w.attempt.Account, id))
		switch {
		case err == nil:
			w.Outcome.Waiting, w.Outcome.Message = true, id
		case !errors.Is(err, kv.ErrNone):
			return err
		}
	}
	return nil
}

// say puts a way's outcome into words.
func (w *Way) say() {
	var claim struct { // as far as OSG's matters here
		Asked json.RawMessage `json:"asked"`
		Shown bool            `json:"shown"`
		At    time.Time       `json:"at"`
	}
	_ = json.Unmarshal(w.Outcome.Claim, &claim) // one of another form says nothing, and is printed
	if claim.Shown && w.stamps[event.OSG].IsZero() {
		w.stamps[event.OSG] = claim.At
	}
	w.Passed = passed(&w.stamps)
	o, last := &w.Outcome, &w.Events[len(w.Events)-1]
	switch {
	case claim.Shown:
		o.Text = "its message was shown"
	case o.Waiting && o.Tombstone != nil:
		o.Text = "its message lies in MSQ's queue; if the tombstone names its reward, it is never shown, and taken out when the shopper comes"
	case o.Waiting:
		o.Text = "its message waits in MSQ's queue for the shopper"
	case len(claim.Asked) > 0:
		o.Text = "a screen was asked to show its message, and has not said yet that it has"
	case o.Tombstone != nil:
		o.Text = "its message must not be shown any more: the reward was spent"
	case last.State != Handled:
		o.Text = fmt.Sprintf("at %s: %s", strings.ToUpper(last.Stage), last.State)
	case last.Stage == subjects.BCG.String():
		o.Text = "BCG has handled it, and its message neither waits nor is claimed: it was dropped (expired, no delivery preference), or was shown and its claim has faded"
	case last.Stage == subjects.MSQ.String():
		o.Text = "MSQ has carried out the instruction"
	default:
		o.Text = fmt.Sprintf("%s has handled it and passed nothing on: a repeat, an older status, or what the settings do not let through", strings.ToUpper(last.Stage))
	}
}
