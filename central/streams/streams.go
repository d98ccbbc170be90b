package streams

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/nats-io/nats.go/jetstream"

	"tillstream/kv"
	"tillstream/subjects"
)

// Want lists the streams of a brand, those under its buckets among them, on a cluster of so many nodes.
func Want(net subjects.Net, nodes int) []jetstream.StreamConfig {
	want := []jetstream.StreamConfig{{
		// The journal. Precious: what is not in it has not happened. Nobody may delete or purge a
		// message of it, and only the centre's writer publishes on its subject.
		Name:        net.JournalStream(),
		Description: "journal of brand " + net.Brand.String() + ": every receipt and command, hash-chained",
		Subjects:    []string{net.Journal()},
		Storage:     jetstream.FileStorage,
		Replicas:    replicas(nodes),
		Retention:   jetstream.LimitsPolicy,
		Discard:     jetstream.DiscardNew,
		DenyDelete:  true,
		DenyPurge:   true,
		AllowDirect: true, // a node reads its own copy: package scrub. Nothing else may, see subjects.StreamCopy
		MaxMsgs:     -1,
		MaxBytes:    -1,

		MaxMsgsPerSubject: -1,
		MaxMsgSize:        -1,
		MaxConsumers:      -1,
	}}
	for _, b := range kv.Buckets(net.Brand) {
		want = append(want, bucket(b, replicas(nodes)))
	}
	return want
}

func replicas(nodes int) int {
	if nodes < 3 {
		return 1
	}
	return 3
}

// bucket is the stream under a bucket, as the client's own buckets are, but that only its leader answers
// a read: whoever reads a copy that is behind would not see what was just put.
func bucket(b kv.Bucket, replicas int) jetstream.StreamConfig {
	size := int32(-1)
	if b.MaxValue > 0 {
		size = int32(b.MaxValue) + headers
	}
	return jetstream.StreamConfig{
		Name:        b.Stream(),
		Description: b.Holds,
		Subjects:    []string{b.Subjects()},
		Storage:     jetstream.FileStorage,
		Replicas:    replicas,
		Retention:   jetstream.LimitsPolicy,
		Discard:     jetstream.DiscardNew,
		DenyDelete:  true,
		DenyPurge:   b.Permanent,
		AllowMsgTTL: b.Fades,
		MaxMsgs:     -1,
		MaxBytes:    -1,

		MaxMsgsPerSubject: 1,
		MaxMsgSize:        size,
		MaxConsumers:      -1,
	}
}

// headers is room for those of a message, in bytes.
const headers = 1024

// Action says what a change needs.
type Action string

// Actions.
const (
	Create Action = "create"
	Update Action = "update"
	Fixed  Action = "fixed" // JetStream cannot change it in place: an operator has to decide
)

// Change is one difference between what is and what should be.
type Change struct {
	Stream string `json:"stream"`
	Action Action `json:"action"`
	Field  string `json:"field,omitempty"`
	Have   string `json:"have,omitempty"`
	Want   string `json:"want,omitempty"`
}

func (c Change) String() string {
	if c.Action == Create {
		return fmt.Sprintf("create %s", c.Stream)
	}
	return fmt.Sprintf("%s %s: %s %s -> %s", c.Action, c.Stream, c.Field, c.Have, c.Want)
}

// ErrFixed means that a stream would have to be made anew for a change; an operator has to decide.
var ErrFixed = errors.New("JetStream cannot change it in place")

// Plan compares. It changes nothing; nothing to do is an empty plan.
func Plan(ctx context.Context, js jetstream.JetStream, want []jetstream.StreamConfig) ([]Change, error) {
	var plan []Change
	for _, w := range want {
		s, err := js.Stream(ctx, w.Name)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			plan = append(plan, Change{Stream: w.Name, Action: Create})
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("plan stream %s: %w", w.Name, err)
		}
		plan = append(plan, diff(s.CachedInfo().Config, w)...)
	}
	return plan, nil
}

// Apply carries a plan out and gives what it did. Fixed changes are left, and are an error that names
// them.
func Apply(ctx context.Context, js jetstream.JetStream, want []jetstream.StreamConfig) ([]Change, error) {
	plan, err := Plan(ctx, js, want)
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, c := range plan {
		if c.Action == Fixed {
			errs = append(errs, fmt.Errorf("stream %s: %s is %s, want %s: %w", c.Stream, c.Field, c.Have, c.Want, ErrFixed))
		}
	}
	for _, w := range want {
		if !slices.ContainsFunc(plan, func(c Change) bool { return c.Stream == w.Name && c.Action != Fixed }) {
			continue
		}
		if err := apply(ctx, js, w); err != nil {
			errs = append(errs, fmt.Errorf("apply stream %s: %w", w.Name, err))
		}
	}
	return plan, errors.Join(errs...)
}

// apply makes a stream, or changes what can be changed of it: with a fixed field in it JetStream would
// refuse the whole update.
func apply(ctx context.Context, js jetstream.JetStream, want jetstream.StreamConfig) error {
	s, err := js.Stream(ctx, want.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		_, err = js.CreateStream(ctx, want)
		return err
	}
	if err != nil {
		return err
	}
	have := s.CachedInfo().Config
	want.Metadata = have.Metadata // a restore may have its fence there
	for _, c := range diff(have, want) {
		if c.Action != Fixed {
			continue
		}
		switch c.Field {
		case "storage":
			want.Storage = have.Storage
		case "retention":
			want.Retention = have.Retention
		case "deny_delete":
			want.DenyDelete = have.DenyDelete
		case "deny_purge":
			want.DenyPurge = have.DenyPurge
		case "persist_mode":
			want.PersistMode = have.PersistMode
		}
	}
	_, err = js.UpdateStream(ctx, want)
	return err
}

// diff compares the fields that Want sets, and those whose default the journal relies on: a limit per
// subject or a rollup drops messages.
func diff(have, want jetstream.StreamConfig) []Change {
	var out []Change
	field := func(a Action, name string, h, w any) {
		if hs, ws := fmt.Sprint(h), fmt.Sprint(w); hs != ws {
			out = append(out, Change{want.Name, a, name, hs, ws})
		}
	}
	field(Update, "subjects", have.Subjects, want.Subjects)
	field(Update, "replicas", have.Replicas, want.Replicas)
	field(Update, "discard", have.Discard, want.Discard)
	field(Update, "description", have.Description, want.Description)
	field(Update, "max_msgs", have.MaxMsgs, want.MaxMsgs)
	field(Update, "max_bytes", have.MaxBytes, want.MaxBytes)
	field(Update, "max_age", have.MaxAge, want.MaxAge)
	field(Update, "max_msgs_per_subject", have.MaxMsgsPerSubject, want.MaxMsgsPerSubject)
	field(Update, "max_msg_size", have.MaxMsgSize, want.MaxMsgSize)
	field(Update, "allow_direct", have.AllowDirect, want.AllowDirect)
	field(Update, "allow_rollup", have.AllowRollup, want.AllowRollup)
	fixed := func(is bool) Action {
		if is {
			return Fixed
		}
		return Update
	}
	field(Fixed, "storage", have.Storage, want.Storage)
	field(fixed(have.Retention == jetstream.WorkQueuePolicy || want.Retention == jetstream.WorkQueuePolicy),
		"retention", have.Retention, want.Retention)
	field(fixed(have.DenyDelete), "deny_delete", have.DenyDelete, want.DenyDelete)
	field(fixed(have.DenyPurge), "deny_purge", have.DenyPurge, want.DenyPurge)
	field(Fixed, "persist_mode", have.PersistMode, want.PersistMode)
	return out
}
