package replica

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"tillstream/central/fold"
	"tillstream/kv/record"
)

// waiting is a proposal at the node that writes, with whoever waits for its outcome: a caller here, or
// another node.
type waiting struct {
	fold.Proposal
	here  chan result // nil if it came from another node
	there func(result)
}

type result struct {
	entry   uint64
	outcome []byte
	err     error
}

// tell is called once. A caller that has its result may use w again.
func (w *waiting) tell(res result) {
	if w.here != nil {
		w.here <- res
		return
	}
	w.there(res)
}

func (w *waiting) answer(entry uint64, outcome []byte) { w.tell(result{entry, outcome, nil}) }
func (w *waiting) refuse(err error)                    { w.tell(result{err: err}) }

// answer of a remote proposal.
const (
	answerVersion = 1
	answerTaken   = 1
	answerRefused = 2 // not the writer
)

// remoteWait bounds one try at a remote writer that has not been seen to change: a message may be
// lost on the way.
const remoteWait = 3 * time.Second

// maxProposal bounds a proposal, in raw bytes: a message has 1 MiB, and one that does not fit would be
// sent again for ever. The largest that an uplink sends is one run with the largest body at its end.
const maxProposal = 900 << 10

// Propose brings a proposal to the node that writes and gives the entry it became part of and its
// outcome. It tries again when the writer changes, until ctx ends, so a proposal may be stored more
// than once: it must be idempotent. ErrTooLarge is the one error that trying again does not change.
func (r *Replica) Propose(ctx context.Context, p fold.Proposal) (entry uint64, outcome []byte, err error) {
	if p.Size() > maxProposal {
		return 0, nil, fmt.Errorf("propose %d bytes: %w", p.Size(), ErrTooLarge)
	}
	for {
		writer, change := r.peers.watch()
		if writer.IsZero() {
			select {
			case <-change:
				continue
			case <-ctx.Done():
				return 0, nil, fmt.Errorf("propose: nobody writes the journal: %w", context.Cause(ctx))
			}
		}
		if writer == r.cfg.Node {
			entry, outcome, err = r.proposeHere(ctx, p)
		} else {
			entry, outcome, err = r.proposeThere(ctx, r.cfg.Net.Propose(writer), p, change)
		}
		if err == nil || ctx.Err() != nil {
			return entry, outcome, err
		}
		r.log.Debug("proposes again", "err", err)
		select {
		case <-change:
		case <-time.After(beatEvery):
		case <-ctx.Done():
			return 0, nil, fmt.Errorf("propose: %w", context.Cause(ctx))
		}
	}
}

func (r *Replica) proposeHere(ctx context.Context, p fold.Proposal) (uint64, []byte, error) {
	w, _ := r.idle.Get().(*waiting)
	if w == nil {
		w = &waiting{here: make(chan result, 1)}
	}
	w.Proposal = p
	select {
	case r.proposals <- w: // nearly always; with two cases it would take four times as long
	default:
		select {
		case r.proposals <- w:
		case <-ctx.Done():
			return 0, nil, fmt.Errorf("propose: %w", context.Cause(ctx))
		}
	}
	select {
	case res := <-w.here:
		w.Proposal = fold.Proposal{}
		r.idle.Put(w)
		return res.entry, res.outcome, res.err
	case <-ctx.Done(): // it may be stored all the same, and w is told of it later
		return 0, nil, fmt.Errorf("propose: %w", context.Cause(ctx))
	}
}

// proposeThere asks a remote writer, and gives up early when the writer changes: it then hears no
// answer that would count.
func (r *Replica) proposeThere(ctx context.Context, subject string, p fold.Proposal, change <-chan struct{}) (uint64, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, remoteWait)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() {
		select {
		case <-change:
			cancel()
		case <-ctx.Done():
		}
	})
	data := record.AppendBlob(nil, p.Head)
	data = append(data, p.Rest...)
	m, err := r.cfg.Conn.RequestWithContext(ctx, subject, data)
	if err != nil {
		return 0, nil, fmt.Errorf("propose at %s: %w", subject, err)
	}
	rd := record.Reader{B: m.Data}
	v, kind := rd.U8(), rd.U8()
	entry := rd.U64()
	switch {
	case rd.Err != nil || v != answerVersion:
		return 0, nil, fmt.Errorf("propose at %s: %w", subject, record.ErrFormat)
	case kind != answerTaken:
		return 0, nil, fmt.Errorf("propose at %s: %w", subject, ErrNotWriter)
	}
	return entry, rd.B, nil
}

// serve takes the proposals that other nodes send here.
func (r *Replica) serve(ctx context.Context) error {
	sub, err := r.cfg.Conn.Subscribe(r.cfg.Net.Propose(r.cfg.Node), func(m *nats.Msg) {
		rd := record.Reader{B: m.Data}
		head := rd.Blob()
		if rd.Err != nil || len(head)+len(rd.B) > maxProposal {
			r.log.Warn("a centre node sent a malformed proposal", "subject", m.Subject, "bytes", len(m.Data), "err", rd.Err)
			return
		}
		w := &waiting{Proposal: fold.Proposal{Head: head, Rest: rd.B}, there: func(res result) {
			kind := byte(answerTaken)
			if res.err != nil {
				kind = answerRefused
			}
			b := record.AppendU64([]byte{answerVersion, kind}, res.entry)
			if err := m.Respond(append(b, res.outcome...)); err != nil {
				r.log.Debug("answer a proposal", "err", err) // the node asks again
			}
		}}
		select {
		case r.proposals <- w:
		case <-ctx.Done():
			w.refuse(ErrNotWriter)
		}
	})
	if err != nil {
		return fmt.Errorf("serve proposals: %w", err)
	}
	<-ctx.Done()
	if err := sub.Unsubscribe(); err != nil && !errors.Is(err, nats.ErrConnectionClosed) {
		r.log.Debug("stop serving proposals", "err", err)
	}
	return nil
}
