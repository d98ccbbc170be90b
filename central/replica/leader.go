package replica

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
)

// elected is where nats-server says, in the brand's account, that a stream has a new leader.
const elected = "$JS.EVENT.ADVISORY.STREAM.LEADER_ELECTED."

// hear ends the waits for a stream leader that has died as soon as there is another: a question that was put to
// the dead one is not answered any more, and its wait has grown to seconds while nats-server held its
// election. The word may be lost; then the wait ends by itself.
func (r *Replica) hear(ctx context.Context) error {
	sub, err := r.cfg.Beats.Subscribe(elected+r.cfg.Net.JournalStream(), func(*nats.Msg) {
		r.leader.Lock()
		defer r.leader.Unlock()
		if r.leader.asked != nil {
			r.leader.asked()
		}
	})
	if err != nil {
		return fmt.Errorf("hear of the stream's leader: %w", err)
	}
	<-ctx.Done()
	if err := sub.Unsubscribe(); err != nil && !errors.Is(err, nats.ErrConnectionClosed) {
		r.log.Debug("stop hearing of the stream's leader", "err", err)
	}
	return nil
}

// ask notes how to end the wait of a question to the stream's leader; nil: none is under way.
func (r *Replica) ask(end context.CancelFunc) {
	r.leader.Lock()
	defer r.leader.Unlock()
	r.leader.asked = end
}
