package gateway

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// reading says what to read of a stream.
type reading struct {
	stream   string
	subjects []string
	after    uint64    // sequence; where there is no from
	from     time.Time // zero: after
}

// read goes through the headers of what a stream has, in order, up to what was the last when it began or until fn
// says that it is enough. Data is left where it is.
func (a *Admin) read(ctx context.Context, what reading, fn func(m jetstream.Msg, meta *jetstream.MsgMetadata) (more bool, err error)) error {
	err := a.readHeaders(ctx, what, fn)
	if err != nil {
		return fmt.Errorf("%w: read stream %s: %w", errFlowAway, what.stream, err)
	}
	return nil
}

func (a *Admin) readHeaders(ctx context.Context, what reading, fn func(jetstream.Msg, *jetstream.MsgMetadata) (bool, error)) error {
	stream, err := a.cfg.JS.Stream(ctx, what.stream)
	if err != nil {
		return err
	}
	last := stream.CachedInfo().State.LastSeq
	consumer, err := what.open(ctx, stream)
	if err != nil {
		return err
	}
	defer a.done(ctx, stream, consumer)
	if consumer.CachedInfo().NumPending == 0 {
		return nil
	}
	it, err := consumer.Messages(jetstream.PullMaxMessages(1024))
	if err != nil {
		return err
	}
	defer it.Stop()
	for {
		m, meta, err := next(ctx, it)
		switch {
		case err != nil && ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, context.DeadlineExceeded): // what was last may have been taken away meanwhile
			if i, err := consumer.Info(ctx); err != nil || i.NumPending == 0 {
				return err
			}
			continue
		case err != nil:
			return err
		case meta.Sequence.Stream > last:
			return nil
		}
		if more, err := fn(m, meta); err != nil || !more {
			return err
		}
		if meta.NumPending == 0 || meta.Sequence.Stream == last {
			return nil
		}
	}
}

// open makes the consumer that a reading goes by.
func (what *reading) open(ctx context.Context, stream jetstream.Stream) (jetstream.Consumer, error) {
	cfg := jetstream.OrderedConsumerConfig{
		FilterSubjects: what.subjects, HeadersOnly: true, InactiveThreshold: 30 * time.Second,
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: what.after + 1,
	}
	if !what.from.IsZero() {
		cfg.DeliverPolicy, cfg.OptStartSeq, cfg.OptStartTime = jetstream.DeliverByStartTimePolicy, 0, &what.from
	}
	return stream.OrderedConsumer(ctx, cfg)
}

// done removes a consumer. One that cannot be removed goes by itself after its threshold.
func (a *Admin) done(ctx context.Context, stream jetstream.Stream, consumer jetstream.Consumer) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := stream.DeleteConsumer(ctx, consumer.CachedInfo().Name); err != nil {
		a.cfg.Log.Debug("remove a reader", "stream", stream.CachedInfo().Config.Name, "err", err)
	}
}

func next(ctx context.Context, it jetstream.MessagesContext) (jetstream.Msg, *jetstream.MsgMetadata, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	m, err := it.Next(jetstream.NextContext(ctx))
	if err != nil {
		return nil, nil, err
	}
	meta, err := m.Metadata()
	return m, meta, err
}

// sizeOf gives the size of a message's data, of which only the headers came.
func sizeOf(h nats.Header) int {
	n, _ := strconv.Atoi(h.Get(nats.MsgSize)) // absent: it has none
	return n
}
