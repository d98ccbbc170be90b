package tim_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tillstream/central/flow/flowtest"
	"tillstream/central/flow/tim"
	"tillstream/central/stage"
	"tillstream/central/streams"
	"tillstream/kv"
	"tillstream/kv/record"
	"tillstream/subjects"
	"tillstream/subjects/event"
)

var attempt = flowtest.MustAttempt(1, "STAMPS", "2011-W48")

func open(t *testing.T) *flowtest.World {
	t.Helper()
	t.Parallel()
	w := flowtest.Open(t)
	c := streams.Consumer(w.Net, subjects.TIM)
	c.AckWait = 500 * time.Millisecond // for the crashes
	_, err := w.JS.UpdateConsumer(t.Context(), w.Net.FlowStream(), c)
	w.Must(err)
	return w
}

// enriched makes an event as DEC writes it.
func enriched(w *flowtest.World, a record.Attempt, status event.Status, times int64, cause string) event.Envelope {
	e, _ := w.Activity(a, status, cause)
	e = e.Next(event.DEC, event.TypeEnriched, 0, e.Time)
	e.Tags = []string{"loyalty", "stamps"}
	e.Rewards = []event.Reward{{SchemeID: "coffee", Times: times}}
	return e
}

func put(w *flowtest.World, e event.Envelope) {
	w.Publish(w.Net.CPPEnriched(), e, []byte(`{"as": "it came"}`))
}

func TestEachStatusPassesOnce(t *testing.T) {
	w := open(t)
	w.Run(tim.New(w.Base()).Run)
	var want []string
	for _, status := range []event.Status{event.InProgress, event.InProgress, event.Completed, event.RewardAwarded, event.RewardSpent} {
		e := enriched(w, attempt, status, 0, fmt.Sprint(len(want)))
		put(w, e)
		put(w, e) // a producer's repeat
		want = append(want, event.NextID(e.ID, event.TIM, 0))
	}
	put(w, enriched(w, attempt, event.RewardAwarded, 0, "again, for another reason"))
	put(w, enriched(w, attempt, event.InProgress, 0, "back again"))
	for i, id := range want {
		got := w.Expect(w.Net.Relevant())
		if got.ID != id || got.Type != event.TypeRelevant || string(got.Data) != `{"as": "it came"}` {
			t.Errorf("event %d is %+v with %s, want %s", i, got.Envelope, got.Data, id)
		}
		if got.Stamps[event.CPP].IsZero() || got.Stamps[event.TIM].IsZero() || !slices.Equal(got.Tags, []string{"loyalty", "stamps"}) {
			t.Errorf("event %d has lost stamps or tags: %+v", i, got)
		}
	}
	w.Settle(subjects.TIM)
	w.ExpectNone(w.Net.Relevant())
	w.ExpectNone(w.Net.RelevantUnqualification())
	w.ExpectNone(w.Net.DeadLetters(subjects.TIM))
}

func TestSpentBeforeItWasSeen(t *testing.T) {
	for _, on := range []bool{true, false} {
		t.Run(fmt.Sprint(on), func(t *testing.T) {
			w := open(t)
			w.PutSettings(fmt.Sprintf("delete_instruction: %t", on))
			w.Run(tim.New(w.Base()).Run)
			put(w, enriched(w, attempt, event.RewardAwarded, 0, "won"))
			spent := enriched(w, attempt, event.RewardSpent, 0, "spent")
			put(w, spent)
			w.Settle(subjects.TIM)
			if !on {
				w.ExpectNone(w.Net.MSQDelete())
				return
			}
			got := w.Expect(w.Net.MSQDelete())
			d, err := event.Read[event.DeleteMessageInstruction](&got.Envelope, event.TypeDeleteMessage, got.Data)
			if err != nil || d.MessageType != event.MessageRewardAwarded || d.Brand != w.Net.Brand || d.At.IsZero() ||
				got.ID != event.NextID(spent.ID, event.TIM, 1) {
				t.Errorf("got %+v, %v", d, err)
			}
			w.ExpectNone(w.Net.MSQDelete())
		})
	}
}

// The award comes after it was spent: it is not shown, and there is nothing to delete.
func TestAnAwardThatComesLate(t *testing.T) {
	w := open(t)
	w.Run(tim.New(w.Base()).Run)
	spent := enriched(w, attempt, event.RewardSpent, 0, "spent")
	put(w, spent)
	put(w, enriched(w, attempt, event.RewardAwarded, 0, "won"))
	if got := w.Expect(w.Net.Relevant()); got.ID != event.NextID(spent.ID, event.TIM, 0) {
		t.Errorf("got %+v", got)
	}
	w.Settle(subjects.TIM)
	w.ExpectNone(w.Net.Relevant())
	w.ExpectNone(w.Net.MSQDelete())
}

func TestTagsFilterAndPart(t *testing.T) {
	w := open(t)
	w.PutSettings("tim_filter_tag: [games, loyalty]\nunqualification_tag: [missed]")
	w.Run(tim.New(w.Base()).Run)
	for n, c := range []struct {
		tags []string
		to   string
		typ  string
	}{
		{[]string{"loyalty"}, w.Net.Relevant(), event.TypeRelevant},
		{[]string{"x", "games"}, w.Net.Relevant(), event.TypeRelevant},
		{[]string{"games", "missed"}, w.Net.RelevantUnqualification(), event.TypeUnqualification},
		{[]string{"missed"}, "", ""},
		{[]string{"unqualification"}, "", ""},
		{nil, "", ""},
	} {
		e := enriched(w, flowtest.MustAttempt(uint16(n), "STAMPS", "2011-W48"), event.Unqualified, 0, "x")
		e.Tags = c.tags
		put(w, e)
		if c.to == "" {
			continue
		}
		if got := w.Expect(c.to); got.Type != c.typ || got.Attempt != e.Attempt {
			t.Errorf("%v: got %+v", c.tags, got)
		}
	}
	w.Settle(subjects.TIM)
	w.ExpectNone(w.Net.Relevant())
	w.ExpectNone(w.Net.RelevantUnqualification())
}

func TestAnotherTypeIsRejected(t *testing.T) {
	w := open(t)
	w.Run(tim.New(w.Base()).Run)
	e := enriched(w, attempt, event.InProgress, 0, "x")
	e.Type = event.TypeCPPActivity
	put(w, e)
	if why := w.Expect(w.Net.DeadLetters(subjects.TIM)).Header.Get(stage.DeadError); !strings.Contains(why, "ce-type") {
		t.Errorf("dead for %q", why)
	}
	w.ExpectNone(w.Net.Relevant())
}

// faulty fails to publish, and dies of it.
type faulty struct {
	jetstream.JetStream
	die func()
}

func (f faulty) PublishMsg(context.Context, *nats.Msg, ...jetstream.PublishOpt) (*jetstream.PubAck, error) {
	f.die()
	return nil, errors.New("as the test wants it")
}

// TIM dies when the state says that the events have passed and nothing is published. Another goes on.
func TestACrashBetweenStateAndPublish(t *testing.T) {
	w := open(t)
	ctx, die := context.WithCancel(t.Context())
	b := w.Base()
	bucket, err := kv.Open(ctx, b.JS, kv.Attempts(w.Net.Brand))
	w.Must(err)
	b.JS = faulty{b.JS, die}
	won, spent := enriched(w, attempt, event.RewardAwarded, 0, "won"), enriched(w, attempt, event.RewardSpent, 0, "spent")
	put(w, won)
	w.Must(tim.New(b).Run(ctx))
	r, err := bucket.Get(t.Context(), kv.AttemptKey(attempt))
	if err != nil || !bytes.Contains(r.Value, []byte(won.ID)) {
		t.Fatalf("the state is %s, %v", r.Value, err)
	}

	// Before the first is delivered again, a later one passes: both come out.
	put(w, spent)
	w.Run(tim.New(w.Base()).Run)
	want := map[string]bool{event.NextID(won.ID, event.TIM, 0): true, event.NextID(spent.ID, event.TIM, 0): true}
	for range len(want) {
		delete(want, w.Expect(w.Net.Relevant()).ID)
	}
	if len(want) > 0 {
		t.Errorf("lost %v", want)
	}
	w.Expect(w.Net.MSQDelete())
	w.Settle(subjects.TIM)
	w.ExpectNone(w.Net.Relevant())
}

// A state fades after its attempt, and not before the stream has forgotten the attempt's events.
func TestStatesFade(t *testing.T) {
	w := open(t)
	w.Run(tim.New(w.Base()).Run)
	old, now, odd := attempt, attempt, attempt
	settings := w.Docs.Settings()
	now.Attempt = settings.Calendar().AttemptAt(time.Now())
	odd.Attempt, _ = record.ParseAttemptID("first")
	_, end, _ := settings.Calendar().Attempt(now.Attempt)
	for a, least := range map[record.Attempt]time.Duration{
		old: streams.Kept, now: time.Until(end.AddDate(0, 0, 14)) - time.Minute, odd: streams.Kept,
	} {
		put(w, enriched(w, a, event.InProgress, 0, "x"))
		w.Expect(w.Net.Relevant())
		stream, err := w.JS.Stream(t.Context(), "KV_attempts_acme")
		w.Must(err)
		m, err := stream.GetLastMsgForSubject(t.Context(), "$KV.attempts_acme."+kv.AttemptKey(a))
		w.Must(err)
		ttl, err := time.ParseDuration(m.Header.Get(jetstream.MsgTTLHeader))
		if err != nil || ttl < least || ttl > 80*24*time.Hour {
			t.Errorf("attempt %s stays for %v, %v; want %v at least", a, ttl, err, least)
		}
	}
}

// Events of many attempts in any order, each sent twice, two instances: what passes keeps the rules whichever instance
// was first.
func TestInstancesAgree(t *testing.T) { instancesAgree(t, false) }

// The same if one of them dies.
func TestInstancesAgreeAfterACrash(t *testing.T) { instancesAgree(t, true) }

func instancesAgree(t *testing.T, crash bool) {
	w := open(t)
	stop := w.Run(tim.New(w.Base()).Run)
	w.Run(tim.New(w.Base()).Run)
	var events []event.Envelope
	const attempts, rounds = 20, 3
	for a := range attempts {
		at := flowtest.MustAttempt(uint16(a), "STAMPS", "2011-W48")
		for n := int64(1); n <= rounds; n++ {
			events = append(events, enriched(w, at, event.InProgress, n-1, fmt.Sprint("progress", n)),
				enriched(w, at, event.RewardAwarded, n, fmt.Sprint("won", n)))
			if a%2 == 1 {
				events = append(events, enriched(w, at, event.RewardSpent, n, fmt.Sprint("spent", n)))
			}
		}
	}
	events = append(events, events...)
	rand.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
	sent := map[string]event.Envelope{}
	for i, e := range events {
		sent[event.NextID(e.ID, event.TIM, 0)] = e
		put(w, e)
		if crash && i == len(events)/2 {
			stop()
		}
	}
	w.Settle(subjects.TIM)
	passed := map[string]map[string]bool{} // ids by attempt, status and times
	stream, err := w.JS.Stream(t.Context(), w.Net.FlowStream())
	w.Must(err)
	info, err := stream.Info(t.Context(), jetstream.WithSubjectFilter(w.Net.Relevant()))
	w.Must(err)
	for range info.State.Subjects[w.Net.Relevant()] {
		e, ok := sent[w.Expect(w.Net.Relevant()).ID]
		if !ok {
			t.Fatal("an event has passed that nobody sent")
		}
		key := fmt.Sprint(e.Attempt, e.Status, e.Rewards[0].Times)
		if passed[key] == nil {
			passed[key] = map[string]bool{}
		}
		if passed[key][e.ID] && !crash {
			t.Errorf("%s has passed twice", key)
		}
		passed[key][e.ID] = true
	}
	for _, e := range sent {
		key := fmt.Sprint(e.Attempt, e.Status, e.Rewards[0].Times)
		n := len(passed[key])
		switch spendable := e.Attempt.Account[15]%2 == 1; {
		case e.Status == event.RewardSpent && n != 1, e.Status == event.RewardAwarded && !spendable && n != 1, n > 1:
			t.Errorf("%s: %d have passed", key, n)
		}
	}
}
