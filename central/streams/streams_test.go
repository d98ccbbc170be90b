package streams_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"tillstream/central/hub"
	"tillstream/central/streams"
	"tillstream/kv"
	"tillstream/subjects"
)

var acme = subjects.Net{
	DC: subjects.MustToken("eu1"), Env: subjects.MustToken("test"),
	Brand: subjects.BrandID{Token: subjects.MustToken("acme")},
}

// server starts a node alone and gives its JetStream.
func server(t *testing.T) jetstream.JetStream {
	t.Helper()
	t.Parallel()
	h, err := hub.Open(hub.Config{
		Node: subjects.NodeID{Token: subjects.MustToken("c1")}, Brands: []hub.Brand{{Net: acme}}, DataDir: t.TempDir(),
		Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := h.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	nc, err := h.Connect(acme.Brand, "test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

// said gives a plan as one text.
func said(plan []streams.Change) string {
	var lines []string
	for _, c := range plan {
		lines = append(lines, c.String())
	}
	slices.Sort(lines)
	return strings.Join(lines, "; ")
}

func planned(t *testing.T, js jetstream.JetStream, want []jetstream.StreamConfig) string {
	t.Helper()
	plan, err := streams.Plan(t.Context(), js, want)
	if err != nil {
		t.Fatal(err)
	}
	return said(plan)
}

func TestAFreshServerGetsItsStreams(t *testing.T) {
	js := server(t)
	want := streams.Want(acme, 1)
	if got, want := planned(t, js, want), "create KV_keyrings_acme; create KV_reference_acme; create "+acme.JournalStream(); got != want {
		t.Fatalf("plan %q, want %q", got, want)
	}
	if _, err := js.Stream(t.Context(), want[0].Name); !errors.Is(err, jetstream.ErrStreamNotFound) {
		t.Fatalf("a plan made the stream: %v", err)
	}
	for range 2 { // the second time there is nothing to do
		if _, err := streams.Apply(t.Context(), js, want); err != nil {
			t.Fatal(err)
		}
	}
	if got := planned(t, js, want); got != "" {
		t.Fatalf("plan after apply: %q", got)
	}
	s, err := js.Stream(t.Context(), want[0].Name)
	if err != nil {
		t.Fatal(err)
	}
	// What the journal is worth depends on these.
	cfg := s.CachedInfo().Config
	if cfg.Storage != jetstream.FileStorage || cfg.Retention != jetstream.LimitsPolicy || cfg.MaxAge != 0 ||
		cfg.MaxMsgs != -1 || cfg.MaxBytes != -1 || !cfg.AllowDirect || !cfg.DenyDelete || !cfg.DenyPurge {
		t.Fatalf("the journal is %+v", cfg)
	}
	if err := s.Purge(t.Context()); err == nil {
		t.Fatal("the journal can be purged")
	}
	if _, err := js.Publish(t.Context(), acme.Journal(), nil); err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteMsg(t.Context(), 1); err == nil {
		t.Fatal("a message of the journal can be deleted")
	}
}

// A bucket that was made here is one that package kv can open and change.
func TestBucketsWork(t *testing.T) {
	js := server(t)
	if _, err := streams.Apply(t.Context(), js, streams.Want(acme, 1)); err != nil {
		t.Fatal(err)
	}
	for _, b := range kv.Buckets(acme.Brand) {
		s, err := kv.Open(t.Context(), js, b)
		if err != nil {
			t.Fatal(err)
		}
		at := uint64(0)
		for _, value := range []string{"one", "two"} {
			if at, err = s.Put(t.Context(), "key", []byte(value), at); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Remove(t.Context(), "key", at); (err != nil) != b.Permanent {
			t.Fatalf("removal of what is permanent: %v: %v", b.Permanent, err)
		}
	}
}

func TestACentreOfThreeKeepsThreeCopies(t *testing.T) {
	for nodes, want := range map[int]int{1: 1, 2: 1, 3: 3, 5: 3} {
		for _, s := range streams.Want(acme, nodes) {
			if got := s.Replicas; got != want {
				t.Errorf("%s on %d nodes: %d replicas, want %d", s.Name, nodes, got, want)
			}
		}
	}
}

// Whatever JetStream can change in place is planned, applied and gone.
func TestWhatDriftedIsPutRight(t *testing.T) {
	for field, change := range map[string]func(*jetstream.StreamConfig){
		"subjects":             func(c *jetstream.StreamConfig) { c.Subjects = append(c.Subjects, "acme.other") },
		"discard":              func(c *jetstream.StreamConfig) { c.Discard = jetstream.DiscardOld },
		"description":          func(c *jetstream.StreamConfig) { c.Description = "" },
		"max_msgs":             func(c *jetstream.StreamConfig) { c.MaxMsgs = 1000 },
		"max_bytes":            func(c *jetstream.StreamConfig) { c.MaxBytes = 1 << 20 },
		"max_age":              func(c *jetstream.StreamConfig) { c.MaxAge = time.Hour },
		"max_msgs_per_subject": func(c *jetstream.StreamConfig) { c.MaxMsgsPerSubject = 10 },
		"max_msg_size":         func(c *jetstream.StreamConfig) { c.MaxMsgSize = 1000 },
		"allow_direct":         func(c *jetstream.StreamConfig) { c.AllowDirect = false },
		"allow_rollup":         func(c *jetstream.StreamConfig) { c.AllowRollup, c.DenyPurge = true, false },
		"retention":            func(c *jetstream.StreamConfig) { c.Retention = jetstream.InterestPolicy },
		"deny_delete":          func(c *jetstream.StreamConfig) { c.DenyDelete = false },
		"deny_purge":           func(c *jetstream.StreamConfig) { c.DenyPurge = false },
	} {
		t.Run(field, func(t *testing.T) {
			js := server(t)
			want := streams.Want(acme, 1)[:1] // the journal
			drifted := want[0]
			drifted.Subjects = slices.Clone(drifted.Subjects)
			change(&drifted)
			if _, err := js.CreateStream(t.Context(), drifted); err != nil {
				t.Fatal(err)
			}
			if got := planned(t, js, want); !strings.Contains(got, "update ") || !strings.Contains(got, ": "+field+" ") {
				t.Fatalf("plan %q, want an update of %s", got, field)
			}
			if _, err := streams.Apply(t.Context(), js, want); err != nil {
				t.Fatal(err)
			}
			if got := planned(t, js, want); got != "" {
				t.Fatalf("plan after apply: %q", got)
			}
		})
	}
}

// What it cannot is named, and does not keep the rest from being applied; and nothing is ever deleted.
func TestWhatIsFixedIsLeftAndNamed(t *testing.T) {
	for field, change := range map[string]func(*jetstream.StreamConfig){
		"storage":      func(c *jetstream.StreamConfig) { c.Storage = jetstream.MemoryStorage },
		"retention":    func(c *jetstream.StreamConfig) { c.Retention = jetstream.WorkQueuePolicy },
		"persist_mode": func(c *jetstream.StreamConfig) { c.PersistMode = jetstream.AsyncPersistMode },
	} {
		t.Run(field, func(t *testing.T) {
			js := server(t)
			want := streams.Want(acme, 1)[:1] // the journal
			have := want[0]
			change(&have)
			have.MaxMsgs = 1000
			if _, err := js.CreateStream(t.Context(), have); err != nil {
				t.Fatal(err)
			}
			if _, err := js.Publish(t.Context(), acme.Journal(), []byte("kept")); err != nil {
				t.Fatal(err)
			}
			_, err := streams.Apply(t.Context(), js, want)
			if !errors.Is(err, streams.ErrFixed) || !strings.Contains(err.Error(), field) {
				t.Fatalf("got %v, want %s to be fixed", err, field)
			}
			left, err := streams.Plan(t.Context(), js, want)
			if err != nil {
				t.Fatal(err)
			}
			if len(left) != 1 || left[0].Field != field || left[0].Action != streams.Fixed {
				t.Fatalf("plan after apply: %s", said(left))
			}
			s, err := js.Stream(t.Context(), want[0].Name)
			if err != nil {
				t.Fatal(err)
			}
			if got := s.CachedInfo().State.Msgs; got != 1 {
				t.Fatalf("%d messages, want 1", got)
			}
		})
	}
}

// A stricter stream than wanted stays so: JetStream does not take a denial back.
func TestADenialIsNotTakenBack(t *testing.T) {
	js := server(t)
	want := streams.Want(acme, 1)
	if _, err := streams.Apply(t.Context(), js, want); err != nil {
		t.Fatal(err)
	}
	loose := want[0]
	loose.DenyDelete, loose.DenyPurge, loose.Description = false, false, "loose"
	_, err := streams.Apply(t.Context(), js, []jetstream.StreamConfig{loose})
	if !errors.Is(err, streams.ErrFixed) {
		t.Fatalf("got %v, want ErrFixed", err)
	}
	got := planned(t, js, want)
	if !strings.Contains(got, "description") || strings.Contains(got, "deny") {
		t.Fatalf("plan %q, want the description only", got)
	}
}

func TestAServerThatDoesNotAnswerIsAnError(t *testing.T) {
	js := server(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := streams.Apply(ctx, js, streams.Want(acme, 1)); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
}
