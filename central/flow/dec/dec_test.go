package dec_test

import (
	"context"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"tillstream/central/flow/dec"
	"tillstream/central/flow/flowtest"
	"tillstream/central/flow/pph"
	"tillstream/central/stage"
	"tillstream/subjects"
	"tillstream/subjects/event"
	"tillstream/subjects/service"
)

const promotion = `
promo_code: STAMPS
revision: 1
name: Stamps
url: https://example.com/stamps
tags: [loyalty, stamps]
count: {kind: receipts}
reward_schemes:
  - {reward_scheme_id: coffee, activity_type: FREE_SPINS, target: 3, products: [latte, mocha], reward_type: COUPON,
     product_reward_type: DRINK, tier_definition: SILVER, valid_days: 14}
  - {reward_scheme_id: cake, activity_type: COUPON, target: 5, reward_type: PRODUCT, expiration_date: 2012-01-15}
`

var attempt = flowtest.MustAttempt(1, "STAMPS", "2011-W48")

func open(t *testing.T) *flowtest.World {
	t.Helper()
	t.Parallel()
	w := flowtest.Open(t)
	w.Run(dec.New(w.Base()).Run)
	return w
}

func with(t *testing.T) *flowtest.World {
	t.Helper()
	w := open(t)
	w.PutPromotion(promotion)
	w.Run(pph.New(w.Base()).Run)
	return w
}

func read(t *testing.T, typ string, got flowtest.Received) event.EnrichedActivity {
	t.Helper()
	a, err := event.Read[event.EnrichedActivity](&got.Envelope, typ, got.Data)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestAnActivityGetsAllItsEnrichments(t *testing.T) {
	w := with(t)
	e, a := w.Activity(attempt, event.RewardAwarded, "rid")
	a.Store, a.Till = subjects.StoreID{Token: subjects.MustToken("0042")}, subjects.TillID{Token: subjects.MustToken("t1")}
	a.RewardProgress[0].Times, a.RewardProgress[0].RewardID = 2, "C0FFEE"
	a.RewardProgress = append(a.RewardProgress, event.RewardProgress{
		RewardSchemeID: "cake", ActivityType: "COUPON", Progress: 3, Target: 5, Status: event.InProgress,
	})
	e.Trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	w.Publish(w.Net.CPPActivity(), e, a)
	got := w.Expect(w.Net.CPPEnriched())
	en := read(t, event.TypeEnriched, got)
	if en.PromoName != "Stamps" || en.PromoURL != "https://example.com/stamps" || en.Brand != w.Net.Brand ||
		!slices.Equal(en.Tags, []string{"loyalty", "stamps"}) {
		t.Errorf("the activity is %+v", en)
	}
	if en.Status != a.Status || en.Store != a.Store || en.Till != a.Till || !en.OccurredAt.Equal(a.OccurredAt) {
		t.Errorf("what it said itself is lost: %+v", en)
	}
	ends := time.Date(2011, 12, 5, 0, 0, 0, 0, time.UTC)
	for i, want := range []event.EnrichedProgress{
		{RewardProgress: a.RewardProgress[0], Products: []string{"latte", "mocha"}, RewardType: "COUPON",
			ProductRewardType: "DRINK", TierDefinition: "SILVER", ExpirationDate: ends.AddDate(0, 0, 14)},
		{RewardProgress: a.RewardProgress[1], Products: []string{}, RewardType: "PRODUCT",
			ExpirationDate: time.Date(2012, 1, 15, 0, 0, 0, 0, time.UTC)},
	} {
		if got := en.RewardProgress[i]; !reflect.DeepEqual(got, want) {
			t.Errorf("rewardProgress/%d is %+v, want %+v", i, got, want)
		}
	}
	want := e.Next(event.DEC, event.TypeEnriched, 0, got.Time)
	want.Tags = en.Tags
	want.Rewards = []event.Reward{{SchemeID: "coffee", Times: 2}}
	if h := want.Headers(); !reflect.DeepEqual(h, map[string][]string(got.Header)) {
		t.Errorf("headers %v, want %v", got.Header, h)
	}
	w.Settle(subjects.DEC)
	w.ExpectNone(w.Net.CPPEnriched())
	w.ExpectNone(w.Net.RelevantUnqualification())
}

func TestWeekOneSkipsTIM(t *testing.T) {
	w := with(t)
	e, a := w.Activity(attempt, event.Unqualified, "week one")
	e.Type = event.TypeEPPMActivity
	w.Publish(w.Net.EPPMActivity(), e, event.EPPMActivity{
		AccountID: a.AccountID, PromoCode: a.PromoCode, AttemptID: a.AttemptID, Week: 1, OccurredAt: a.OccurredAt, RewardProgress: a.RewardProgress,
	})
	got := w.Expect(w.Net.RelevantUnqualification())
	en := read(t, event.TypeUnqualification, got)
	if want := []string{"loyalty", "stamps", "unqualification"}; !slices.Equal(en.Tags, want) || !slices.Equal(got.Tags, want) {
		t.Errorf("tags %v and %v, want %v", en.Tags, got.Tags, want)
	}
	if en.Week != 1 || en.Status != event.Unqualified || en.RewardProgress[0].RewardType != "COUPON" || en.PromoName != "Stamps" {
		t.Errorf("got %+v", en)
	}
	w.Settle(subjects.DEC)
	w.ExpectNone(w.Net.CPPEnriched())
}

func TestWeekTwoGoesToTIMWithTheBrandsTag(t *testing.T) {
	w := with(t)
	w.PutSettings("unqualification_tag: [missed, other]")
	e, a := w.Activity(attempt, event.Unqualified, "week two")
	w.Publish(w.Net.CPPActivity(), e, a)
	got := w.Expect(w.Net.CPPEnriched())
	if !slices.Equal(got.Tags, []string{"loyalty", "stamps", "missed"}) {
		t.Errorf("tags %v", got.Tags)
	}
	// A template that names the week could not be filled in for week two, and its messages were dead letters.
	if en, err := event.Read[event.EnrichedActivity](&got.Envelope, event.TypeEnriched, got.Data); err != nil || en.Week != 2 {
		t.Errorf("week %d, %v; want 2", en.Week, err)
	}
	w.Settle(subjects.DEC)
	w.ExpectNone(w.Net.RelevantUnqualification())
}

func TestAPromotionOnItsWay(t *testing.T) {
	w := open(t)
	w.Run(pph.New(w.Base()).Run)
	e, a := w.Activity(attempt, event.InProgress, "early")
	w.Publish(w.Net.CPPActivity(), e, a)
	w.PutPromotion(strings.Replace(promotion, "reward_scheme_id: coffee", "reward_scheme_id: tea", 1))
	w.PutPromotion(strings.Replace(promotion, "revision: 1", "revision: 2", 1)) // with the reward that it wants
	if got := w.Expect(w.Net.CPPEnriched()); got.ID != event.NextID(e.ID, event.DEC, 0) {
		t.Errorf("got %+v", got)
	}
	w.ExpectNone(w.Net.DeadLetters(subjects.DEC))
}

func TestAPromotionThatDoesNotCome(t *testing.T) {
	w := open(t)
	w.SetNow(time.Now().Add(time.Hour)) // long after the event was stored
	w.Run(pph.New(w.Base()).Run)
	e, a := w.Activity(attempt, event.InProgress, "never")
	w.Publish(w.Net.CPPActivity(), e, a)
	dead := w.Expect(w.Net.DeadLetters(subjects.DEC))
	if why := dead.Header.Get(stage.DeadError); !strings.Contains(why, "promotion STAMPS is unknown") {
		t.Errorf("dead for %q", why)
	}
	w.ExpectNone(w.Net.CPPEnriched())

	w.PutPromotion(promotion) // and replay
	m, err := stage.Revived(dead.Header, dead.Data)
	w.Must(err)
	w.PublishRaw(m)
	w.Expect(w.Net.CPPEnriched())
}

// PPH down, answering too late, busy, or saying nonsense: the event waits, and nothing goes on without enrichment.
func TestPPHInTrouble(t *testing.T) {
	w := open(t)
	w.SetNow(time.Now().Add(time.Hour)) // a bound would be long over: there is none for this
	e, a := w.Activity(attempt, event.InProgress, "x")
	w.Publish(w.Net.CPPActivity(), e, a)
	var asked atomic.Int32
	sick, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	w.Run(func(ctx context.Context) error {
		defer close(done)
		return service.New(service.Config{
			Conn: w.Conn, Name: "sick", Endpoint: "promotion", Subject: w.Net.PPHPromotion(), Log: w.Log,
			Answer: func(ctx context.Context, _ service.Question) (service.Answer, error) {
				switch asked.Add(1) {
				case 1:
					<-ctx.Done() // later than DEC waits
				case 2:
					return service.Answer{}, service.ErrLater
				case 3:
					return service.Answer{Data: []byte("<html>")}, nil
				case 4:
					return service.Answer{Data: []byte("{}")}, nil
				default:
					cancel()
				}
				return service.Answer{}, service.ErrLater
			},
		}).Run(sick)
	})
	<-done
	w.ExpectNone(w.Net.CPPEnriched())
	w.PutPromotion(promotion)
	w.Run(pph.New(w.Base()).Run)
	w.Expect(w.Net.CPPEnriched())
	w.Settle(subjects.DEC)
	w.ExpectNone(w.Net.CPPEnriched())
	w.ExpectNone(w.Net.DeadLetters(subjects.DEC))
}

func TestBadInput(t *testing.T) {
	w := with(t)
	w.SetNow(time.Now().Add(time.Hour))
	for name, c := range map[string]struct {
		spoil func(e *event.Envelope, a *event.CPPActivity)
		want  string
	}{
		"wrong type":     {func(e *event.Envelope, _ *event.CPPActivity) { e.Type = event.TypeEnriched }, "ce-type"},
		"another status": {func(e *event.Envelope, _ *event.CPPActivity) { e.Status = event.RewardAwarded }, "its headers REWARD_AWARDED"},
		"no progress":    {func(_ *event.Envelope, a *event.CPPActivity) { a.RewardProgress = nil }, "rewardProgress"},
		"another attempt": {func(_ *event.Envelope, a *event.CPPActivity) {
			a.AttemptID = flowtest.MustAttempt(1, "X", "2011-W49").Attempt
		}, "its headers of"},
		"unknown status of a reward": {func(_ *event.Envelope, a *event.CPPActivity) { a.RewardProgress[0].Status = "WON" }, "unknown status"},
		"unknown reward":             {func(_ *event.Envelope, a *event.CPPActivity) { a.RewardProgress[0].RewardSchemeID = "tea" }, "no such rewardScheme"},
	} {
		e, a := w.Activity(attempt, event.InProgress, name)
		c.spoil(&e, &a)
		w.Publish(w.Net.CPPActivity(), e, a)
		dead := w.Expect(w.Net.DeadLetters(subjects.DEC))
		if why := dead.Header.Get(stage.DeadError); !strings.Contains(why, c.want) {
			t.Errorf("%s: dead for %q, want %q", name, why, c.want)
		}
	}
	e, _ := w.Activity(attempt, event.InProgress, "x")
	w.Publish(w.Net.CPPActivity(), e, []byte("{"))
	w.Expect(w.Net.DeadLetters(subjects.DEC))
	e.Type = event.TypeEPPMActivity
	w.Publish(w.Net.EPPMActivity(), e, json.RawMessage(`{}`))
	w.Expect(w.Net.DeadLetters(subjects.DEC))
	w.Settle(subjects.DEC)
	w.ExpectNone(w.Net.CPPEnriched())
}

// Each message comes twice, instances share the stage, and one dies: each event comes out, and what comes again is
// the same.
func TestRepeatsAndACrash(t *testing.T) {
	w := with(t)
	crash := w.Run(dec.New(w.Base()).Run)
	const events = 50
	want := map[string]bool{}
	var messages []*nats.Msg
	for n := range events {
		e, a := w.Activity(flowtest.MustAttempt(uint16(n), "STAMPS", "2011-W48"), event.InProgress, "x")
		data, err := event.Data(a)
		w.Must(err)
		messages = append(messages, &nats.Msg{Subject: w.Net.CPPActivity(), Header: e.Headers(), Data: data})
		want[event.NextID(e.ID, event.DEC, 0)] = true
	}
	for range 2 {
		for i, m := range messages {
			w.PublishRaw(m)
			if i == events/2 {
				crash()
			}
		}
	}
	w.Settle(subjects.DEC)
	seen := map[string]string{}
	for n := 0; n < 2*events; n++ { // at least; the crash may have brought some more
		got := w.Expect(w.Net.CPPEnriched())
		if before, ok := seen[got.ID]; ok && before != string(got.Data) {
			t.Errorf("%s came again with %s, was %s", got.ID, got.Data, before)
		}
		if seen[got.ID] = string(got.Data); !want[got.ID] {
			t.Errorf("%s is of no event that was sent", got.ID)
		}
	}
	if len(seen) != events {
		t.Errorf("%d of %d events came out", len(seen), events)
	}
}
