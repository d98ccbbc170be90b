package stage

import (
	"context"
	"maps"
	"strconv"
	"time"

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
)

// bury puts an event among the dead letters, as it came.
func (s *Stage) bury(ctx context.Context, m jetstream.Msg, tries int, why error) error {
	h := maps.Clone(m.Headers())
	if h == nil {
		h = nats.Header{}
	}
	for name := range h {
		if len(name) > 5 && name[:5] == "Nats-" { // what the first publisher asked of the stream
			delete(h, name)
		}
	}
	sequence := ""
	if meta, err := m.Metadata(); err == nil {
		sequence = strconv.FormatUint(meta.Sequence.Stream, 10)
	}
	h.Set(DeadStage, s.cfg.Stage.String())
	h.Set(DeadError, oneLine(why.Error()))
	h.Set(DeadSubject, m.Subject())
	h.Set(DeadSequence, sequence)
	h.Set(DeadAt, s.cfg.Now().UTC().Format(time.RFC3339Nano))
	h.Set(DeadTries, strconv.Itoa(tries))
	// One that is buried twice, because its acknowledgement was lost, is one within the stream's window.
	h.Set(nats.MsgIdHdr, s.cfg.Stage.String()+"."+sequence)
	err := s.publish(ctx, &nats.Msg{Subject: s.cfg.Net.DeadLetters(s.cfg.Stage), Header: h, Data: m.Data()})
	if err != nil {
		return err
	}
	s.cfg.Metrics.dead(s.cfg.Stage)
	s.cfg.Log.Warn("an event can never be handled: it is among the dead letters", "subject", m.Subject(),
		"event", h.Get("ce-id"), "sequence", sequence, "err", why)
	return nil
}

// oneLine makes a text fit for a header.
func oneLine(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c < ' ' || c == 0x7f {
			b[i] = ' '
		}
	}
	return string(b[:min(len(b), 1024)])
}
