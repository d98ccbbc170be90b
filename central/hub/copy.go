package hub

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"tillstream/subjects"
)

// Copy is what this node's server says of its own copy of a brand's journal.
type Copy struct {
	First, Last uint64 // sequences of the stream
	Bytes       uint64
	Leads       bool // this node leads the stream: what it cannot read, nobody is given

	group string // of the cluster's log for the stream; empty: this node is alone
}

// ErrNoCopy means that this node has no copy of the journal: it has not been made, or is not found.
var ErrNoCopy = errors.New("this node has no copy of the journal")

// Copy asks this node's own server, and no other.
func (h *Hub) Copy(net subjects.Net) (Copy, error) {
	srv := h.server.Load()
	if srv == nil {
		return Copy{}, ErrShut
	}
	account, stream := net.Brand.String(), net.JournalStream()
	d, err := srv.JszAccount(&server.JSzOptions{Account: account, Streams: true, RaftGroups: true})
	if err != nil {
		return Copy{}, fmt.Errorf("copy of %s: %w", stream, err)
	}
	for _, s := range d.Streams {
		if s.Name == stream {
			return Copy{
				First: s.State.FirstSeq, Last: s.State.LastSeq, Bytes: s.State.Bytes, group: s.RaftGroup,
				Leads: srv.JetStreamIsStreamLeader(account, stream),
			}, nil
		}
	}
	return Copy{}, fmt.Errorf("copy of %s: %w", stream, ErrNoCopy)
}

// StepDown gives up the lead of the journal's stream, if this node has it: another's copy is read from
// then on.
func (h *Hub) StepDown(net subjects.Net) error {
	srv := h.server.Load()
	if srv == nil {
		return nil
	}
	if err := srv.JetStreamStepdownStream(net.Brand.String(), net.JournalStream()); err != nil {
		return fmt.Errorf("step down from %s: %w", net.JournalStream(), err)
	}
	return nil
}

// catchUp is three of the heartbeats with which a stream's leader finds out that a follower lacks something.
const catchUp = 3 * time.Second

// DropCopy shuts the server, deletes this node's copy of the journal and its part of the cluster's log of
// it, and opens the server again, which is then given both by the others.
//
// This node then has forgotten what it acknowledged and may vote for anybody. So the others must hold all
// that it holds, each of them: the caller makes sure of that but for what is in flight, and for that the
// server stays shut for catchUp. Meanwhile a majority is both others, so what is acknowledged then is on
// both; and of two of which one has less than the other, only the other can lead.
func (h *Hub) DropCopy(ctx context.Context, net subjects.Net) error {
	c, err := h.Copy(net)
	if err != nil {
		return err
	}
	if c.group == "" {
		return errors.New("this node is alone: nobody could fill its copy again")
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return ErrShut
	}
	h.shutFor(errors.New("its copy of the journal is being dropped"))
	select {
	case <-time.After(catchUp):
	case <-ctx.Done(): // Guard opens the server again, with its copy as it was
		return context.Cause(ctx)
	}
	root := filepath.Join(h.cfg.DataDir, server.JetStreamStoreDir)
	// The log first: a copy without its log is filled again, a log without its copy goes on after a hole.
	err = errors.Join(
		os.RemoveAll(filepath.Join(root, server.DEFAULT_SYSTEM_ACCOUNT, "_js_", c.group)),
		os.RemoveAll(filepath.Join(root, net.Brand.String(), "streams", net.JournalStream())))
	if err != nil {
		return fmt.Errorf("drop copy of %s: %w", net.JournalStream(), err) // Guard opens the server again
	}
	h.reopen(time.Now()) // if that fails, Guard tries again
	return nil
}
