package gateway

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tillstream/central/stage"
	"tillstream/kv/record"
	"tillstream/subjects"
	"tillstream/subjects/event"
)

// errStays means that a dead letter cannot be replayed.
var errStays = errors.New("it cannot be replayed: discard it, when it has been looked at")

// Bounds of one answer about dead letters.
const (
	maxLetters = 1000
	someDead   = 100 // without a limit
)

// DeadLetter is an event that a stage can never handle. What its headers do not say is absent.
type DeadLetter struct {
	Sequence uint64    `json:"sequence"` // its name
	Stage    string    `json:"stage"`
	Subject  string    `json:"subject"` // on which it came, and to which it is replayed
	Origin   uint64    `json:"origin"`  // its sequence in the flow's stream
	At       time.Time `json:"at"`
	Tries    int       `json:"tries"`
	Error    string    `json:"error"`
	Event    string    `json:"event,omitempty"` // id
	Type     string    `json:"type,omitempty"`
	Account  string    `json:"account,omitempty"`
	Promo    string    `json:"promo_code,omitempty"`
	Attempt  string    `json:"attempt_id,omitempty"`
	Status   string    `json:"status,omitempty"`
	Receipt  string    `json:"receipt,omitempty"`
	Bytes    int       `json:"bytes"` // of its data
}

// DeadLetters is one part of a list; Next, if there is more, is where it goes on: ?after=.
type DeadLetters struct {
	Letters []DeadLetter `json:"dead_letters"`
	Next    uint64       `json:"next,omitempty"`
}

func letter(sequence uint64, subject string, h nats.Header, size int) DeadLetter {
	// An event that is none is read as far as it goes.
	e, _ := event.ReadEnvelope(event.Canonical(h))
	out := DeadLetter{
		Sequence: sequence, Stage: h.Get(stage.DeadStage), Subject: h.Get(stage.DeadSubject), Error: h.Get(stage.DeadError),
		Event: e.ID, Type: e.Type, Status: string(e.Status), Promo: e.Attempt.Promo.String(), Attempt: e.Attempt.Attempt.String(),
		Bytes: size,
	}
	if out.Stage == "" { // put there by somebody else
		out.Stage = subject[strings.LastIndexByte(subject, '.')+1:]
	}
	if !e.Attempt.Account.IsZero() {
		out.Account = e.Attempt.Account.String()
	}
	if e.Receipt != (record.RID{}) {
		out.Receipt = e.Receipt.String()
	}
	out.At, _ = time.Parse(time.RFC3339Nano, h.Get(stage.DeadAt))
	out.Origin, _ = strconv.ParseUint(h.Get(stage.DeadSequence), 10, 64)
	out.Tries, _ = strconv.Atoi(h.Get(stage.DeadTries))
	return out
}

// readDead goes through the dead letters of a stage, of all if it is zero.
func (a *Admin) readDead(ctx context.Context, of subjects.Stage, after uint64, fn func(DeadLetter) (more bool)) error {
	what := reading{stream: a.cfg.Net.DeadStream(), subjects: []string{a.cfg.Net.AnyDeadLetters()}, after: after}
	if !of.IsZero() {
		what.subjects = []string{a.cfg.Net.DeadLetters(of)}
	}
	return a.read(ctx, what, func(m jetstream.Msg, meta *jetstream.MsgMetadata) (bool, error) {
		return fn(letter(meta.Sequence.Stream, m.Subject(), m.Headers(), sizeOf(m.Headers()))), nil
	})
}

// number reads a number of a question; absent: what is given.
func number(q url.Values, name string, absent, most uint64) (uint64, error) {
	text := q.Get(name)
	if text == "" {
		return absent, nil
	}
	n, err := strconv.ParseUint(text, 10, 63)
	if err != nil || n > most {
		return 0, fmt.Errorf("%w: %s: want a number up to %d, got %q", errRequest, name, most, text)
	}
	return n, nil
}

func (a *Admin) deadLetters(r *http.Request) (DeadLetters, error) {
	out := DeadLetters{Letters: []DeadLetter{}}
	q := r.URL.Query()
	var of subjects.Stage
	after, err := number(q, "after", 0, 1<<62)
	limit, err2 := number(q, "limit", someDead, maxLetters)
	if err := errors.Join(err, err2); err != nil {
		return out, err
	}
	if name := q.Get("stage"); name != "" {
		if of, err = stageNamed(name); err != nil {
			return out, err
		}
	}
	err = a.readDead(r.Context(), of, after, func(l DeadLetter) bool {
		if len(out.Letters) == int(limit) {
			out.Next = after
			return false
		}
		out.Letters, after = append(out.Letters, l), l.Sequence
		return true
	})
	return out, err
}

// DeadEvent is a dead letter whole. Its data is text, or base64 where it is none.
type DeadEvent struct {
	DeadLetter
	Headers map[string][]string `json:"headers"`
	Text    string              `json:"text,omitempty"`
	Base64  string              `json:"base64,omitempty"`
}

func (a *Admin) deadLetter(r *http.Request) (DeadEvent, error) {
	m, err := a.dead(r)
	if err != nil {
		return DeadEvent{}, err
	}
	out := DeadEvent{DeadLetter: letter(m.Sequence, m.Subject, m.Header, len(m.Data)), Headers: m.Header}
	if utf8.Valid(m.Data) {
		out.Text = string(m.Data)
	} else {
		out.Base64 = base64.StdEncoding.EncodeToString(m.Data)
	}
	return out, nil
}

// dead reads the letter that a path names.
func (a *Admin) dead(r *http.Request) (*jetstream.RawStreamMsg, error) {
	text := r.PathValue("sequence")
	sequence, err := strconv.ParseUint(text, 10, 63)
	if err != nil || sequence == 0 {
		return nil, fmt.Errorf("%w: want the sequence of a dead letter, got %q", errRequest, text)
	}
	return a.deadAt(r.Context(), sequence)
}

func (a *Admin) deadAt(ctx context.Context, sequence uint64) (*jetstream.RawStreamMsg, error) {
	s, err := a.stream(ctx, a.cfg.Net.DeadStream())
	if err != nil {
		return nil, err
	}
	m, err := s.GetMsg(ctx, sequence)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, fmt.Errorf("dead letter %d: %w: it was never there, or was replayed or discarded", sequence, errUnknown)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: dead letter %d: %w", errFlowAway, sequence, err)
	}
	return m, nil
}

// Replayed is the answer to POST /v1/flow/dead/{sequence}/replay, and to its DELETE.
type Replayed struct {
	Sequence uint64 `json:"sequence"`
	Subject  string `json:"subject"`
	Event    string `json:"event,omitempty"`
	Now      uint64 `json:"now,omitempty"` // its new sequence in the flow's stream; absent: it is gone
}

func (a *Admin) replay(r *http.Request) (Replayed, error) {
	m, err := a.dead(r)
	if err != nil {
		return Replayed{}, err
	}
	return a.replayLetter(r.Context(), m)
}

// replayLetter puts an event back on the subject on which it came, as it came. If it dies between the two steps the
// event is replayed once more: it has the same id, and who reads it settles that.
func (a *Admin) replayLetter(ctx context.Context, m *jetstream.RawStreamMsg) (Replayed, error) {
	l := letter(m.Sequence, m.Subject, m.Header, len(m.Data))
	out := Replayed{Sequence: l.Sequence, Subject: l.Subject, Event: l.Event}
	if !slices.Contains(a.cfg.Net.FlowSubjects(), l.Subject) {
		return out, fmt.Errorf("dead letter %d: %q is no subject of the flow: %w", l.Sequence, l.Subject, errStays)
	}
	revived, err := stage.Revived(m.Header, m.Data)
	if err != nil {
		return out, fmt.Errorf("dead letter %d: %w: %w", l.Sequence, err, errStays)
	}
	kept, err := a.cfg.JS.PublishMsg(ctx, revived)
	if err != nil {
		return out, fmt.Errorf("%w: replay dead letter %d: %w", errFlowAway, l.Sequence, err)
	}
	out.Now = kept.Sequence // from here on the flow has it
	return out, a.removeLetter(ctx, l.Sequence)
}

func (a *Admin) removeLetter(ctx context.Context, sequence uint64) error {
	s, err := a.stream(ctx, a.cfg.Net.DeadStream())
	if err != nil {
		return err
	}
	err = s.DeleteMsg(ctx, sequence)
	var api *jetstream.APIError
	if errors.As(err, &api) && api.Code == http.StatusNotFound || errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil // somebody else was quicker
	}
	if err != nil {
		return fmt.Errorf("%w: remove dead letter %d: %w", errFlowAway, sequence, err)
	}
	return nil
}

func (a *Admin) discard(r *http.Request) (Replayed, error) {
	m, err := a.dead(r)
	if err != nil {
		return Replayed{}, err
	}
	l := letter(m.Sequence, m.Subject, m.Header, len(m.Data))
	return Replayed{Sequence: l.Sequence, Subject: l.Subject, Event: l.Event}, a.removeLetter(r.Context(), l.Sequence)
}

// AlikeQuestion is the body of POST /v1/flow/dead/replay: the dead letters of a stage whose error has a text in it.
type AlikeQuestion struct {
	Stage string `json:"stage"`
	Error string `json:"error"`
	Limit uint64 `json:"limit,omitempty"` // up to 1000; zero: that
}

// AlikeReplayed is its answer. More: there are more of them, which were not replayed.
type AlikeReplayed struct {
	Replayed uint64 `json:"replayed"`
	More     bool   `json:"more"`
}

// replayAlike replays letters that were there when it was asked: one that comes back stays.
func (a *Admin) replayAlike(r *http.Request) (out AlikeReplayed, err error) {
	var q AlikeQuestion
	if err := decode(r, &q); err != nil {
		return out, err
	}
	if q.Error == "" || q.Limit > maxLetters {
		return out, fmt.Errorf("%w: want a stage, the error or a part of it, and a limit up to %d", errRequest, maxLetters)
	}
	if q.Limit == 0 {
		q.Limit = maxLetters
	}
	of, err := stageNamed(q.Stage)
	if err != nil {
		return out, err
	}
	var alike []uint64
	err = a.readDead(r.Context(), of, 0, func(l DeadLetter) bool {
		if strings.Contains(l.Error, q.Error) {
			if out.More = len(alike) == int(q.Limit); !out.More {
				alike = append(alike, l.Sequence)
			}
		}
		return !out.More
	})
	if err != nil {
		return out, err
	}
	for _, sequence := range alike {
		m, err := a.deadAt(r.Context(), sequence)
		if errors.Is(err, errUnknown) {
			continue // somebody else was quicker
		}
		if err == nil {
			_, err = a.replayLetter(r.Context(), m)
		}
		if r.Context().Err() != nil && out.Replayed > 0 {
			out.More = true // what time there was is over
			return out, nil
		}
		if err != nil {
			return out, fmt.Errorf("after %d were replayed: %w", out.Replayed, err)
		}
		out.Replayed++
	}
	return out, nil
}
