package replica

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tillstream/central/fold"
	"tillstream/subjects"
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

// aFew is how many messages a candidate reads by itself.
const aFew = 100

// catchUp folds the last few messages of the journal, read one by one at the stream's leader. Usually the reader
// brings them; but its consumer lives on one node, and if that is the one that died, it takes the reader two
// seconds to notice, and as long as an election to make another.
func (r *Replica) catchUp(ctx context.Context, last tip) error {
	behind := fmt.Errorf("%w: the journal is at message %d, this node at %d", ErrBehind, last.stream, r.tip.stream)
	if last.stream <= r.tip.stream || last.stream-r.tip.stream > aFew {
		return behind
	}
	for seq := r.tip.stream + 1; seq <= last.stream; seq++ {
		r.live()
		e, err := r.message(ctx, seq)
		if err != nil {
			return errors.Join(behind, err)
		}
		r.enter(e) // one that is stored twice is folded once
		if r.tip.number < e.Number {
			return behind // and the reader meets the same
		}
	}
	if r.tip.hash != last.hash {
		return behind
	}
	return nil
}

// consumer makes a consumer of the journal that begins at message next. While that takes its time, messages are
// read one by one at the stream's leader, and the first is given that is still to come. A consumer wants a leader
// of the whole cluster; without one the question is lost, and whoever waits here for an entry that another
// node wrote, as every pack of a store does, would wait for an election that has nothing to do with the journal.
func (r *Replica) consumer(ctx context.Context, next uint64, fn func(*fold.Entry) error) (jetstream.Consumer, uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, consumerWait)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	var cons jetstream.Consumer
	made := make(chan error, 1)
	wg.Go(func() {
		var err error
		// Not the client's ordered consumer: while the stream has no leader that one tries for seconds,
		// behind a lock that its Stop waits for. Order and gaps are checked by follow.
		cons, err = r.js.CreateConsumer(ctx, r.cfg.Net.JournalStream(), jetstream.ConsumerConfig{
			DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: next,
			AckPolicy: jetstream.AckNonePolicy, Replicas: 1, MemoryStorage: true, InactiveThreshold: 30 * time.Second,
		})
		made <- err
	})
	at := next
	for pause := consumerLook; ; pause = min(2*pause, lookMost) {
		select {
		case err := <-made:
			if err != nil {
				err = fmt.Errorf("read journal from %d: %w", at, err)
			}
			return cons, at, err
		case <-time.After(pause):
		}
		for len(made) == 0 {
			data, err := r.data(ctx, at)
			if err != nil {
				break // it is the last, or nobody leads the stream: look again
			}
			if err := bring(at, data, fn); err != nil {
				return nil, at, err
			}
			at, pause = at+1, consumerLook
		}
	}
}

const (
	consumerWait = 5 * time.Second
	consumerLook = 100 * time.Millisecond // a consumer is usually there sooner; doubled up to lookMost
	lookMost     = 500 * time.Millisecond // while there is nothing: a busy centre must not be kept busy
)

// data reads a message at the stream's leader.
func (r *Replica) data(ctx context.Context, seq uint64) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, tipWait)
	defer cancel()
	data, _, err := atLeader(ctx, r.js, r.cfg.Net, bySequence(seq))
	return data, err
}

// message reads an entry at the stream's leader.
func (r *Replica) message(ctx context.Context, seq uint64) (*fold.Entry, error) {
	data, err := r.data(ctx, seq)
	if err != nil {
		return nil, fmt.Errorf("read the journal's message %d: %w", seq, err)
	}
	e, err := fold.Decode(data)
	if err == nil {
		err = e.Open(false)
	}
	if err != nil {
		return nil, fmt.Errorf("read the journal's message %d: %w", seq, err)
	}
	e.Stream = seq
	return e, nil
}

// atLeader asks for a message of the journal with the question itself and not through the client's handle of
// the stream: that one would be answered by the copy at hand, since the stream lets copies be read, and not
// by the leader's. jetstream.ErrMsgNotFound means that there is no such message.
func atLeader(ctx context.Context, js jetstream.JetStream, net subjects.Net, which map[string]any) (data []byte, seq uint64, err error) {
	question, err := json.Marshal(which)
	if err != nil {
		return nil, 0, err
	}
	m, err := js.Conn().RequestWithContext(ctx, subjects.StreamMessage(js.Options().APIPrefix, net.JournalStream()), question)
	if err != nil {
		return nil, 0, err
	}
	var answer struct {
		Error   *jetstream.APIError `json:"error"`
		Message struct {
			Sequence uint64 `json:"seq"`
			Data     []byte `json:"data"`
		} `json:"message"`
	}
	if err := json.Unmarshal(m.Data, &answer); err != nil {
		return nil, 0, err
	}
	switch e := answer.Error; {
	case e == nil:
		return answer.Message.Data, answer.Message.Sequence, nil
	case e.ErrorCode == jetstream.JSErrCodeMessageNotFound:
		return nil, 0, jetstream.ErrMsgNotFound
	default:
		return nil, 0, e
	}
}

func bySequence(seq uint64) map[string]any { return map[string]any{"seq": seq} }

func newest(net subjects.Net) map[string]any { return map[string]any{"last_by_subj": net.Journal()} }
