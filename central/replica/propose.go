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
	b, i, err := r.queue.put(ctx, p, nil)
	if err != nil {
		return 0, nil, err
	}
	select {
	case <-b.done:
		return b.result(i)
	case <-ctx.Done(): // it may be stored all the same
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
		tell := func(entry uint64, outcome []byte, err error) { r.reply(m, entry, outcome, err) }
		if _, _, err := r.queue.put(ctx, fold.Proposal{Head: head, Rest: rd.B}, tell); err != nil {
			tell(0, nil, err)
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

// reply tells another node what became of its proposal.
func (r *Replica) reply(m *nats.Msg, entry uint64, outcome []byte, err error) {
	kind := byte(answerTaken)
	if err != nil {
		kind = answerRefused
	}
	b := record.AppendU64([]byte{answerVersion, kind}, entry)
	if err := m.Respond(append(b, outcome...)); err != nil {
		r.log.Debug("answer a proposal", "err", err) // the node asks again
	}
}
