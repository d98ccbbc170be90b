package des_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"pgregory.net/rapid"

	"tillstream/central/flow/des"
	"tillstream/central/flow/flowtest"
	"tillstream/kv/progress"
	"tillstream/subjects/event"
	"tillstream/subjects/service"
)

// activity makes an activity with rewards of such types.
func activity(s event.Status, types ...string) event.EnrichedActivity {
	a := event.EnrichedActivity{Status: s}
	for _, typ := range types {
		a.RewardProgress = append(a.RewardProgress, event.EnrichedProgress{RewardProgress: event.RewardProgress{
			RewardSchemeID: "of " + typ, ActivityType: typ, Target: 1, Status: s,
		}})
	}
	return a
}

// Document 004's sentence, by default; and a brand's own table.
func TestDecisionTable(t *testing.T) {
	t.Parallel()
	retail, err := progress.ReadSettings([]byte("des_activity_types: [COUPON, POINTS]\ndes_delivery: {PROGRESS: toast}"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		settings progress.Settings
		types    string
		want     string // one letter for each progress
	}{
		{progress.Defaults(), "FREE_SPINS", "D"},
		{progress.Defaults(), "FREE_BET", "D"},
		{progress.Defaults(), "GAMING_BONUS", "D"},
		{progress.Defaults(), "COUPON", "N"},
		{progress.Defaults(), "free_bet", "N"},
		{progress.Defaults(), "COUPON FREE_BET POINTS", "NDN"},
		{progress.Defaults(), "", ""},
		{retail, "COUPON FREE_BET POINTS", "DND"},
		{retail, "FREE_SPINS", "N"},
	} {
		d := des.Decide(activity(event.RewardAwarded, strings.Fields(c.types)...), c.settings)
		got := ""
		for i, v := range d.Decisions {
			got += map[event.Verdict]string{event.Decision: "D", event.NoDecision: "N"}[v.Verdict]
			if v.RewardSchemeID != d.RewardProgress[i].RewardSchemeID {
				t.Errorf("%s: verdict %d is on %s", c.types, i, v.RewardSchemeID)
			}
		}
		if whole := strings.Contains(c.want, "D"); got != c.want || (d.Verdict == event.Decision) != whole {
			t.Errorf("%s: got %s and %s, want %s", c.types, got, d.Verdict, c.want)
		}
	}
}

func TestDeliveryPreferences(t *testing.T) {
	t.Parallel()
	retail, err := progress.ReadSettings([]byte(`des_delivery: {PROGRESS: toast, UNQUALIFICATION: full_screen}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		settings progress.Settings
		status   event.Status
		message  event.MessageType
		want     event.Delivery
	}{
		{progress.Defaults(), event.RewardAwarded, event.MessageRewardAwarded, event.FullScreen},
		{progress.Defaults(), event.Unqualified, event.MessageUnqualification, event.Toast},
		{progress.Defaults(), event.InProgress, event.MessageProgress, event.NoDelivery}, // no preference
		{progress.Defaults(), event.RewardSpent, "", event.NoDelivery},                   // no message
		{progress.Defaults(), event.Expired, "", event.NoDelivery},
		{retail, event.Completed, event.MessageProgress, event.Toast},
		{retail, event.Unqualified, event.MessageUnqualification, event.FullScreen},
		{retail, event.RewardAwarded, event.MessageRewardAwarded, event.NoDelivery}, // a brand's table is all there is
	} {
		d := des.Decide(activity(c.status, "FREE_BET"), c.settings)
		if d.MessageOf != c.message || d.Delivery != c.want {
			t.Errorf("%s: got %q by %q, want %q by %q", c.status, d.MessageOf, d.Delivery, c.message, c.want)
		}
	}
}

// A decision is of the whole if it is of any part, and never of less.
func TestTheWholeHasADecisionIfAPartHas(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		types := rapid.SliceOfN(rapid.SampledFrom([]string{"FREE_SPINS", "FREE_BET", "COUPON", "X"}), 1, 8).Draw(t, "types")
		d := des.Decide(activity(event.RewardAwarded, types...), progress.Defaults())
		part := false
		for _, v := range d.Decisions {
			part = part || v.Verdict == event.Decision
		}
		if len(d.Decisions) != len(types) || part != (d.Verdict == event.Decision) {
			t.Fatalf("got %+v", d)
		}
	})
}

// desk is a DES with a table of its brand's own.
func desk(t *testing.T) *flowtest.World {
	t.Helper()
	t.Parallel()
	w := flowtest.Open(t)
	w.PutSettings("des_activity_types: [COUPON]")
	w.Run(des.New(w.Base()).Run)
	return w
}

func ask(w *flowtest.World, header map[string][]string, data []byte) (service.Answer, error) {
	w.T.Helper()
	ctx, cancel := context.WithTimeout(w.T.Context(), flowtest.Within)
	defer cancel()
	for {
		a, err := service.AskWith(ctx, w.Conn, service.Question{Subject: w.Net.DESDecide(), Header: header, Data: data})
		if !errors.Is(err, nats.ErrNoResponders) || ctx.Err() != nil {
			return a, err
		}
	}
}

// relevant makes an event with one reward.
func relevant(w *flowtest.World, typ string) (event.Envelope, event.EnrichedActivity) {
	at := flowtest.MustAttempt(1, "STAMPS", "2011-W48")
	e, _ := w.Activity(at, event.RewardAwarded, "receipt")
	e.Type, e.Tags, e.Stamps[event.TIM] = event.TypeRelevant, []string{"loyalty"}, w.Now()
	a := activity(event.RewardAwarded, typ)
	a.AccountID, a.PromoCode, a.AttemptID, a.Brand = at.Account, at.Promo, at.Attempt, w.Net.Brand
	return e, a
}

func TestTheAnswerIsACloudEventWithHasDecision(t *testing.T) {
	w := desk(t)
	for typ, want := range map[string]string{"COUPON": "true", "FREE_BET": "false"} {
		for _, of := range []string{event.TypeRelevant, event.TypeUnqualification} {
			e, a := relevant(w, typ)
			e.Type = of
			data, err := event.Data(&a)
			w.Must(err)
			answer, err := ask(w, e.Headers(), data)
			w.Must(err)
			if got := answer.Header["has-decision"]; len(got) != 1 || got[0] != want {
				t.Errorf("%s: has-decision is %v, want %s", typ, got, want)
			}
			got, err := event.ReadEnvelope(answer.Header)
			w.Must(err)
			d, err := event.Read[event.DecidedEvent](&got, event.TypeDecided, answer.Data)
			w.Must(err)
			if got.Attempt != e.Attempt || got.Stamps[event.TIM].IsZero() || got.Stamps[event.DES].IsZero() || got.Tags[0] != "loyalty" {
				t.Errorf("its envelope is %+v", got)
			}
			if (d.Verdict == event.Decision) != (want == "true") || d.Delivery != event.FullScreen || d.MessageOf != event.MessageRewardAwarded {
				t.Errorf("%s: it says %+v", typ, d)
			}
			again, err := ask(w, e.Headers(), data)
			w.Must(err)
			if id := again.Header["ce-id"][0]; id != got.ID {
				t.Errorf("asked twice: ids %s and %s", got.ID, id)
			}
		}
	}
}

// What no repetition mends is refused, so that FRED does not ask for ever.
func TestWhatIsNoEventForDESIsRefused(t *testing.T) {
	w := desk(t)
	for name, spoil := range map[string]func(*event.Envelope, *event.EnrichedActivity) (header map[string][]string, data []byte){
		"no headers": func(*event.Envelope, *event.EnrichedActivity) (map[string][]string, []byte) { return nil, nil },
		"another type": func(e *event.Envelope, _ *event.EnrichedActivity) (map[string][]string, []byte) {
			e.Type = event.TypeEnriched
			return nil, nil
		},
		"another brand": func(e *event.Envelope, _ *event.EnrichedActivity) (map[string][]string, []byte) {
			e.Brand.Token = w.Net.DC
			return nil, nil
		},
		"another attempt": func(e *event.Envelope, _ *event.EnrichedActivity) (map[string][]string, []byte) {
			e.Attempt.Account[0]++
			return nil, nil
		},
		"unknown status": func(_ *event.Envelope, a *event.EnrichedActivity) (map[string][]string, []byte) {
			a.Status = "WON"
			return nil, nil
		},
		"no progress": func(_ *event.Envelope, a *event.EnrichedActivity) (map[string][]string, []byte) {
			a.RewardProgress = nil
			return nil, nil
		},
		"no JSON": func(e *event.Envelope, _ *event.EnrichedActivity) (map[string][]string, []byte) {
			return e.Headers(), []byte("<html>")
		},
	} {
		e, a := relevant(w, "COUPON")
		header, data := spoil(&e, &a)
		if header == nil && name != "no headers" {
			header = e.Headers()
		}
		if data == nil {
			var err error
			data, err = event.Data(&a)
			w.Must(err)
		}
		_, err := ask(w, header, data)
		if _, refused := errors.AsType[*service.Refusal](err); !refused {
			t.Errorf("%s: got %v, want a refusal", name, err)
		}
	}
}
