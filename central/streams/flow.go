package streams

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"tillstream/kv"
	"tillstream/subjects"
)

// Kept is how long the flow's stream keeps an event: longer than any stage may be down, and a cycle of a week can
// be traced.
const Kept = 8 * 24 * time.Hour

// WantFlow lists what the event flow needs beside.
func WantFlow(net subjects.Net, nodes int) []jetstream.StreamConfig {
	events := func(name, about string, age time.Duration, subjects ...string) jetstream.StreamConfig {
		return jetstream.StreamConfig{
			Name:        name,
			Description: about + " of brand " + net.Brand.String(),
			Subjects:    subjects,
			Storage:     jetstream.FileStorage,
			Replicas:    replicas(nodes),
			Retention:   jetstream.LimitsPolicy,
			Discard:     jetstream.DiscardNew,
			MaxAge:      age,
			MaxMsgs:     -1,
			MaxBytes:    -1,

			MaxMsgsPerSubject: -1,
			MaxMsgSize:        -1,
			MaxConsumers:      -1,
		}
	}
	want := []jetstream.StreamConfig{
		// Events are made from the journal, and are told apart by their ids: one that comes twice is settled by keys
		// in the flow's buckets, however long after, not by the stream's window.
		events(net.FlowStream(), "events of the flow", Kept, net.FlowSubjects()...),
		events(net.DeadStream(), "dead letters of the flow", 0, net.AnyDeadLetters()),
	}
	for _, b := range kv.FlowBuckets(net.Brand) {
		want = append(want, bucket(b, replicas(nodes)))
	}
	return want
}

// UnderWay bounds the events that a stage has been given and has not acknowledged, over all its instances.
const UnderWay = 4096

// Consumer is what a stage reads of the flow's stream, the same for all its instances.
func Consumer(net subjects.Net, s subjects.Stage) jetstream.ConsumerConfig {
	return jetstream.ConsumerConfig{
		Durable:        s.String(),
		Description:    "stage " + s.String() + " of the flow",
		FilterSubjects: net.SubjectsOf(s),
		AckPolicy:      jetstream.AckExplicitPolicy,
		// An instance that dies leaves what it was at for so long. One that lives says so meanwhile.
		AckWait:       10 * time.Second,
		MaxDeliver:    -1, // a stage decides what can never be handled, not a count
		MaxAckPending: UnderWay,
	}
}

// ApplyConsumers makes the stages' consumers that are not there, and changes those that differ. One that is there
// keeps its place.
func ApplyConsumers(ctx context.Context, js jetstream.JetStream, net subjects.Net) error {
	for _, s := range subjects.Stages() {
		if _, err := js.CreateOrUpdateConsumer(ctx, net.FlowStream(), Consumer(net, s)); err != nil {
			return fmt.Errorf("make consumer %s of stream %s: %w", s, net.FlowStream(), err)
		}
	}
	return nil
}
