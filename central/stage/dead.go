package stage

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Headers of a dead letter, beside those that the event came with.
const (
	DeadStage    = "Tillstream-Dead-Stage"
	DeadError    = "Tillstream-Dead-Error"
	DeadSubject  = "Tillstream-Dead-Subject"  // on which it came, and to which it is replayed
	DeadSequence = "Tillstream-Dead-Sequence" // in the flow's stream
	DeadAt       = "Tillstream-Dead-At"       // RFC 3339
	DeadTries    = "Tillstream-Dead-Tries"
	// DeadLeft is there if the event did not fit beside these headers: the length of its data. It is still where
	// DeadSequence says, for as long as the flow's stream keeps it.
	DeadLeft = "Tillstream-Dead-Left"
)

const deadPrefix = "Tillstream-Dead-"

// bury puts an event among the dead letters, as it came.
func (s *Stage) bury(ctx context.Context, m jetstream.Msg, tries int, why error) error {
	h := nats.Header{}
	for name, values := range m.Headers() {
		if !strings.HasPrefix(name, streamPrefix) { // what the first publisher asked of the stream
			h[name] = values
		}
	}
	own := s.reasons(m, tries, why)
	maps.Copy(h, own)
	dead := &nats.Msg{Subject: s.cfg.Net.DeadLetters(s.cfg.Stage), Header: h, Data: m.Data()}
	err := s.publish(ctx, dead)
	if errors.Is(err, nats.ErrMaxPayload) {
		own.Set(DeadLeft, strconv.Itoa(len(m.Data())))
		dead.Header, dead.Data = own, nil
		err = s.publish(ctx, dead)
	}
	if err != nil {
		return fmt.Errorf("put it among the dead letters: %w", err)
	}
	s.cfg.Metrics.dead(s.cfg.Stage)
	s.cfg.Log.Warn("an event can never be handled: it is among the dead letters", "subject", m.Subject(),
		"event", h.Get("ce-id"), "sequence", own.Get(DeadSequence), "err", why)
	return nil
}

// reasons are the headers of a dead letter.
func (s *Stage) reasons(m jetstream.Msg, tries int, why error) nats.Header {
	h := nats.Header{}
	if meta, err := m.Metadata(); err == nil {
		sequence := strconv.FormatUint(meta.Sequence.Stream, 10)
		h.Set(DeadSequence, sequence)
		// One that is buried twice, because its acknowledgement was lost, is one within the stream's window. The time
		// tells it from one of a stream that was made anew.
		h.Set(nats.MsgIdHdr, s.cfg.Stage.String()+"."+sequence+"."+strconv.FormatInt(meta.Timestamp.UnixNano(), 36))
	}
	h.Set(DeadStage, s.cfg.Stage.String())
	h.Set(DeadError, oneLine(why.Error()))
	h.Set(DeadSubject, m.Subject())
	h.Set(DeadAt, s.cfg.Now().UTC().Format(time.RFC3339Nano))
	h.Set(DeadTries, strconv.Itoa(tries))
	return h
}

// Revived gives a dead letter as it came: published, its stage handles it again.
func Revived(dead nats.Header, data []byte) (*nats.Msg, error) {
	if n := dead.Get(DeadLeft); n != "" {
		return nil, fmt.Errorf("the event, of %s bytes, is not here: it is message %s of the flow's stream", n, dead.Get(DeadSequence))
	}
	m := &nats.Msg{Subject: dead.Get(DeadSubject), Header: nats.Header{}, Data: data}
	if m.Subject == "" {
		return nil, fmt.Errorf("no dead letter: header %s is missing", DeadSubject)
	}
	for name, values := range dead {
		if !strings.HasPrefix(name, deadPrefix) && !strings.HasPrefix(name, streamPrefix) {
			m.Header[name] = values
		}
	}
	return m, nil
}

// streamPrefix begins the headers by which a publisher asks something of the stream.
const streamPrefix = "Nats-"

// oneLine makes a text fit for a header.
func oneLine(s string) string {
	line := strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, s)
	if len(line) > maxReason {
		line = strings.ToValidUTF8(line[:maxReason], "")
	}
	return line
}

const maxReason = 1024
