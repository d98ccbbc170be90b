package event_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	ce "github.com/cloudevents/sdk-go/v2/event"
	"pgregory.net/rapid"

	"tillstream/kv/record"
	"tillstream/subjects"
	"tillstream/subjects/event"
)

// when is a moment of the samples, n seconds on.
func when(n int) time.Time {
	return time.Date(2011, 12, 1, 8, 26, n, 1000, time.UTC)
}

func sampleAttempt() record.Attempt {
	promo, _ := record.ParsePromoCode("STAMPS-3")
	attempt, _ := record.ParseAttemptID("2011-W48")
	return record.Attempt{Account: sample().Account, Promo: promo, Attempt: attempt}
}

// sampleEnvelope has all that an envelope can have.
func sampleEnvelope() event.Envelope {
	decision := true
	a := sampleAttempt()
	e := event.Envelope{
		ID: event.FirstID(a, event.RewardAwarded, "rid"), Type: event.TypeCPPActivity,
		Source: event.Source(net.DC, net.Brand, "cpp"), Time: when(0), DC: net.DC, Brand: net.Brand, Attempt: a,
		Status: event.RewardAwarded, Tags: []string{"loyalty", "stamps"}, Receipt: sample().RID,
		Rewards: []event.Reward{{SchemeID: "coffee, hot", Times: 2}, {SchemeID: "cake"}},
		Trace:   "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", Decision: &decision,
	}
	for p := range e.Stamps {
		e.Stamps[p] = when(p)
	}
	return e
}

func samplePayloads() map[string]any {
	a := sampleAttempt()
	progress := []event.RewardProgress{
		{RewardSchemeID: "coffee", ActivityType: "COUPON", Progress: 3, Target: 3, Status: event.RewardAwarded, Times: 2, RewardID: "C0FFEE"},
		{RewardSchemeID: "cake", ActivityType: "FREE_SPINS", Progress: 3, Target: 5, Status: event.InProgress},
	}
	enriched := event.EnrichedActivity{
		AccountID: a.Account, PromoCode: a.Promo, AttemptID: a.Attempt, Status: event.RewardAwarded, Week: 1, OccurredAt: when(0),
		Store: store, Till: till, RID: sample().RID, PromoName: "Three stamps", PromoURL: "https://example.com/stamps",
		Tags: []string{"loyalty", "stamps"}, Brand: net.Brand,
		RewardProgress: []event.EnrichedProgress{{RewardProgress: progress[0], Products: []string{"latte"}, RewardType: "COUPON",
			ProductRewardType: "DRINK", TierDefinition: "SILVER", ExpirationDate: when(9)}},
	}
	return map[string]any{
		"cpp_activity": event.CPPActivity{AccountID: a.Account, PromoCode: a.Promo, AttemptID: a.Attempt, Status: event.RewardAwarded,
			OccurredAt: when(0), Store: store, Till: till, RID: sample().RID, RewardProgress: progress},
		"eppm_activity": event.EPPMActivity{AccountID: a.Account, PromoCode: a.Promo, AttemptID: a.Attempt, Week: 1, OccurredAt: when(0),
			RewardProgress: progress[1:]},
		"enriched": enriched,
		"decided": event.DecidedEvent{EnrichedActivity: enriched, Verdict: event.Decision,
			Decisions: []event.Decided{{RewardSchemeID: "coffee", Verdict: event.Decision}}, Delivery: event.FullScreen, MessageOf: event.MessageRewardAwarded},
		"onsite_message": event.OnsiteMessage{AccountID: a.Account, PromoCode: a.Promo, AttemptID: a.Attempt,
			MessageType: event.MessageRewardAwarded, Delivery: event.Toast, Language: "en", Title: "Hurrah", Text: "A coffee & <a cake>",
			Code: "C0FFEE", CreatedAt: when(0), ExpiresAt: when(9)},
		"msq_delete": event.DeleteMessageInstruction{AccountID: a.Account, PromoCode: a.Promo, AttemptID: a.Attempt,
			MessageType: event.MessageRewardAwarded, Brand: net.Brand, At: when(0)},
		"pph_promotion": event.PPHPromotion{PromoCode: a.Promo, PromoName: "Three stamps", PromoURL: "https://example.com/stamps",
			Tags: []string{"loyalty"}, RewardSchemes: []event.PPHRewardScheme{{RewardSchemeID: "coffee", Products: []string{"latte"},
				RewardType: "COUPON", ProductRewardType: "DRINK", TierDefinition: "SILVER", ExpirationDate: when(9)}}},
	}
}

// golden holds what is written now to a file, which may gain a neighbour, never change.
func golden(t *testing.T, name string, now []byte) []byte {
	t.Helper()
	file := "testdata/" + name
	kept, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) && *update {
		kept, err = now, os.WriteFile(file, now, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(now, kept) {
		t.Errorf("%s: written as\n%s\nwant\n%s", name, now, kept)
	}
	return kept
}

// Consumers outside keep programs against these bytes, and streams have them: they must be read for ever.
func TestPayloadGoldens(t *testing.T) {
	for name, want := range samplePayloads() {
		now, err := event.Data(want)
		if err != nil {
			t.Fatal(err)
		}
		kept := golden(t, name+".v1.json", append(now, '\n'))
		got := reflect.New(reflect.TypeOf(want))
		if err := json.Unmarshal(kept, got.Interface()); err != nil || !reflect.DeepEqual(got.Elem().Interface(), want) {
			t.Errorf("%s: read %+v, %v; want %+v", name, got.Elem(), err, want)
		}
	}
}

func TestEventGolden(t *testing.T) {
	want := sampleEnvelope()
	data, err := event.Data(samplePayloads()["cpp_activity"])
	if err != nil {
		t.Fatal(err)
	}
	header, body := untext(t, golden(t, "flow_event.v1.txt", text(want.Headers(), data)))
	got, body, err := event.Receive(header, body)
	if err != nil || !reflect.DeepEqual(got, want) || !bytes.Equal(body, data) {
		t.Fatalf("read %+v, %v; want %+v", got, err, want)
	}
	a, err := event.Read[event.CPPActivity](&got, event.TypeCPPActivity, body)
	if err != nil || !reflect.DeepEqual(a, samplePayloads()["cpp_activity"]) {
		t.Errorf("read %+v, %v", a, err)
	}
}

func TestWhatAnActivityIsAbout(t *testing.T) {
	p := func(scheme string, status event.Status, times int64, id string) event.RewardProgress {
		return event.RewardProgress{RewardSchemeID: scheme, Status: status, Times: times, RewardID: id}
	}
	for _, c := range []struct {
		status event.Status
		all    []event.RewardProgress
		want   []event.Reward
	}{
		{event.RewardAwarded, []event.RewardProgress{p("coffee", event.RewardAwarded, 1, ""), p("cake", event.RewardAwarded, 2, "C0DE")}, []event.Reward{{SchemeID: "cake", Times: 2}}},
		{event.RewardAwarded, []event.RewardProgress{p("coffee", event.RewardAwarded, 0, ""), p("cake", event.InProgress, 0, "")}, []event.Reward{{SchemeID: "coffee"}}},
		{event.RewardSpent, []event.RewardProgress{p("coffee", event.RewardAwarded, 0, "C0DE"), p("cake", event.RewardSpent, 0, "")}, []event.Reward{{SchemeID: "cake"}}},
		{event.InProgress, []event.RewardProgress{p("coffee", event.InProgress, 0, ""), p("cake", event.InProgress, 3, "")}, []event.Reward{{SchemeID: "coffee"}, {SchemeID: "cake", Times: 3}}},
		{event.InProgress, []event.RewardProgress{p("coffee", event.RewardAwarded, 0, "")}, nil},
	} {
		if got := event.RewardsOf(c.status, c.all); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s of %+v: got %+v, want %+v", c.status, c.all, got, c.want)
		}
	}
}

// Ids settle repeats, also between a node of the last version and one of the next.
func TestIDsStay(t *testing.T) {
	e := sampleEnvelope()
	next := e.Next(event.DEC, event.TypeEnriched, 1, when(1))
	again := e.Next(event.DEC, event.TypeEnriched, 1, when(2))
	if e.ID != "722ec6fae199e7c33de0266e6d70dfad" || next.ID != "1d78acd0254fa11e9ac84587b7a87334" || again.ID != next.ID {
		t.Errorf("ids are %s and %s, then %s", e.ID, next.ID, again.ID)
	}
	seen := map[string]bool{e.ID: true}
	for _, id := range []string{
		next.ID, event.NextID(e.ID, event.DEC, 0), event.NextID(e.ID, event.TIM, 1), event.NextID(next.ID, event.DEC, 1),
		event.FirstID(e.Attempt, event.InProgress, "rid"), event.FirstID(e.Attempt, e.Status, "another rid"),
	} {
		if seen[id] {
			t.Errorf("id %s is there twice", id)
		}
		seen[id] = true
	}
}

// Of an event that is bound to the one it came from, everything is kept that the stage does not say itself.
func TestTheBinderCopies(t *testing.T) {
	e := sampleEnvelope()
	e.Stamps[event.TIM] = time.Time{}
	b := event.Bind("a value", e)
	got := b.From.Next(event.TIM, event.TypeRelevant, 0, when(30))
	want := e
	want.ID, want.Type, want.Source, want.Time = event.NextID(e.ID, event.TIM, 0), event.TypeRelevant, "/eu1/acme/tim", when(30)
	want.Stamps[event.TIM] = when(30)
	if !reflect.DeepEqual(got, want) || !e.Stamps[event.TIM].IsZero() {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// The whole way, and any part of it, is measured from headers alone.
func TestLatencyFromHeaders(t *testing.T) {
	first := sampleEnvelope()
	first.Stamps = event.Stamps{}
	first.Stamps[event.Sold], first.Stamps[event.CPP] = when(0), when(3)
	on := first.Next(event.DEC, event.TypeEnriched, 0, when(4))
	on = on.Next(event.TIM, event.TypeRelevant, 0, when(6))
	on = on.Next(event.OSG, event.TypeOnsiteMessage, 0, when(9))
	e, err := event.ReadEnvelope(on.Headers())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		from, to event.Point
		want     time.Duration
		ok       bool
	}{
		{event.Sold, event.OSG, 9 * time.Second, true}, {event.CPP, event.DEC, time.Second, true},
		{event.DEC, event.TIM, 2 * time.Second, true}, {event.TIM, event.FRED, 0, false}, {event.Posted, event.OSG, 0, false},
	} {
		if got, ok := e.Stamps.Between(c.from, c.to); got != c.want || ok != c.ok {
			t.Errorf("from %v to %v: %v, %t; want %v, %t", c.from, c.to, got, ok, c.want, c.ok)
		}
	}
	for p, want := range map[event.Point]event.Point{event.OSG: event.TIM, event.TIM: event.DEC, event.DEC: event.CPP, event.CPP: event.Sold} {
		if got, ok := e.Stamps.Before(p); got != want || !ok {
			t.Errorf("before %v: %v, %t; want %v", p, got, ok, want)
		}
	}
	if got, ok := e.Stamps.Before(event.Sold); ok {
		t.Errorf("before the first: %v", got)
	}
}

func flowEnvelopes() *rapid.Generator[event.Envelope] {
	token, code := rapid.StringMatching(`[a-z0-9_-]{1,64}`), rapid.StringMatching(`[A-Za-z0-9_-]{1,64}`)
	moment := rapid.Custom(func(t *rapid.T) time.Time {
		return time.UnixMicro(rapid.Int64Range(-62_135_596_799_000_000, 253_402_300_799_999_999).Draw(t, "time")).UTC()
	})
	status := rapid.SampledFrom(event.Statuses())
	return rapid.Custom(func(t *rapid.T) event.Envelope {
		e := event.Envelope{
			ID: strings.TrimSpace(rapid.StringMatching(`[^\pZ\pC].{0,20}`).Draw(t, "id")), Type: rapid.StringMatching(`[a-z][a-z.]{0,20}`).Draw(t, "type"),
			Time: moment.Draw(t, "time"), DC: subjects.MustToken(token.Draw(t, "dc")), Status: status.Draw(t, "status"),
			Attempt: sampleAttempt(),
			Trace:   rapid.StringMatching(`|[0-9a-f-]{1,50}`).Draw(t, "trace"),
			Tags:    rapid.SliceOfN(code, 0, 4).Draw(t, "tags"),
		}
		e.Brand.Token = subjects.MustToken("b" + token.Draw(t, "brand")[1:])
		e.Source = event.Source(e.DC, e.Brand, token.Draw(t, "component"))
		e.Attempt.Promo, _ = record.ParsePromoCode(code.Draw(t, "promo"))
		e.Attempt.Attempt, _ = record.ParseAttemptID(code.Draw(t, "attempt"))
		if rapid.Bool().Draw(t, "receipt") {
			e.Receipt = receipts().Draw(t, "posted").RID
		}
		for range rapid.IntRange(0, 3).Draw(t, "rewards") {
			e.Rewards = append(e.Rewards, event.Reward{
				SchemeID: rapid.StringN(1, 10, -1).Draw(t, "scheme"), Times: rapid.Int64Min(0).Draw(t, "times"),
			})
		}
		for p := range e.Stamps {
			if rapid.Bool().Draw(t, "passed") {
				e.Stamps[p] = moment.Draw(t, "stamp")
			}
		}
		if len(e.Tags) == 0 {
			e.Tags = nil
		}
		return e
	})
}

// What Headers writes is a CloudEvent to everybody: the SDK reads it as the same, and what the SDK writes of it, binary
// or structured, is read here as the same.
func TestEnvelopeIsACloudEvent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := flowEnvelopes().Draw(t, "envelope")
		data := []byte(`{"a":1}`)
		e, err := event.FromHeaders(want.Headers(), data)
		if err != nil {
			t.Fatalf("the SDK: %v\n%s", err, text(want.Headers(), nil))
		}
		if e.ID() != want.ID || e.Type() != want.Type || e.Source() != want.Source || !e.Time().Equal(want.Time) ||
			e.Subject() != want.Attempt.Account.String() || e.DataContentType() != event.ContentJSON ||
			e.Extensions()["promocode"] != want.Attempt.Promo.String() || e.Extensions()["status"] != string(want.Status) {
			t.Fatalf("the SDK reads\n%s\nof %+v", e, want)
		}
		binary, body, err := event.ToHeaders(e)
		if err != nil {
			t.Fatal(err)
		}
		whole, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		for mode, m := range map[string]struct {
			header map[string][]string
			data   []byte
		}{
			"own":        {want.Headers(), data},
			"binary":     {binary, body},
			"structured": {map[string][]string{"content-type": {"Application/CloudEvents+JSON; charset=utf-8"}}, whole},
		} {
			got, body, err := event.Receive(m.header, m.data)
			if err != nil || !reflect.DeepEqual(got, want) || !bytes.Equal(body, data) {
				t.Fatalf("%s: read %+v with %s, %v; want %+v", mode, got, body, err, want)
			}
		}
	})
}

// An event that a producer outside made with the SDK, with data in each of the forms that it has.
func TestStructuredModeFromOutside(t *testing.T) {
	want := sampleEnvelope()
	want.Decision = nil
	e, err := event.FromHeaders(want.Headers(), nil)
	if err != nil {
		t.Fatal(err)
	}
	a := samplePayloads()["cpp_activity"]
	if err := e.SetData(ce.ApplicationJSON, a); err != nil {
		t.Fatal(err)
	}
	for _, base64 := range []bool{false, true} {
		e.DataBase64 = base64
		whole, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		got, data, err := event.Receive(map[string][]string{"Content-Type": {"application/cloudevents+json"}}, whole)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("read %+v, %v; want %+v", got, err, want)
		}
		if back, err := event.Read[event.CPPActivity](&got, event.TypeCPPActivity, data); err != nil || !reflect.DeepEqual(back, a) {
			t.Errorf("base64 %t: read %+v, %v", base64, back, err)
		}
	}
}

func TestReceiveRefuses(t *testing.T) {
	const gone = "\x00"
	for _, c := range []struct{ header, value, want string }{
		{"ce-specversion", "0.3", `want "1.0"`}, {"ce-id", gone, "ce-id is missing"}, {"ce-source", gone, "ce-source is missing"},
		{"ce-type", gone, "ce-type is missing"}, {"ce-time", gone, "ce-time is missing"}, {"ce-time", "soon", "RFC 3339"},
		{"ce-time", "0001-01-01T00:00:00+23:00", "RFC 3339"},
		{"ce-subject", gone, "ce-subject is missing"}, {"ce-subject", strings.Repeat("0", 32), "want no account"},
		{"ce-brand", "a.b", "ce-brand"}, {"ce-brand", gone, "ce-brand is missing"}, {"ce-dc", "*", "ce-dc"},
		{"ce-promocode", "a b", "promo code"}, {"ce-attemptid", gone, "ce-attemptid is missing"},
		{"ce-status", "WON", "unknown status"}, {"ce-status", gone, "ce-status is missing"},
		{"ce-receipt", "x", "ce-receipt"}, {"ce-decat", "x", "ce-decat"}, {"has-decision", "yes", "want true or false"},
		{"ce-rewards", "coffee", "scheme:times"}, {"ce-rewards", ":1", "scheme:times"},
		{"ce-rewards", "coffee:-1", "scheme:times"}, {"ce-rewards", strings.Repeat("a:0,", 40), "at most 32"},
		{"ce-tags", "%", "percent-encoded"}, {"CE-ID", "x", "want one value"},
	} {
		e := sampleEnvelope()
		header := e.Headers()
		if header[c.header] = []string{c.value}; c.value == gone {
			delete(header, c.header)
		}
		if _, _, err := event.Receive(header, nil); !errors.Is(err, event.ErrEvent) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %q: got error %v, want %q", c.header, c.value, err, c.want)
		}
	}
	e := sampleEnvelope()
	if _, _, err := event.Receive(e.Headers(), make([]byte, event.MaxData+1)); !errors.Is(err, event.ErrEvent) {
		t.Errorf("too large: %v", err)
	}
	for _, bad := range []string{"", "{", "[]", "null", `{"specversion":"0.3"}`, `{"specversion":"1.0","id":"1","source":"/x","type":"t","a_b":1}`} {
		if _, _, err := event.Receive(map[string][]string{"Content-Type": {"application/cloudevents+json"}}, []byte(bad)); !errors.Is(err, event.ErrEvent) {
			t.Errorf("structured %s: got error %v", bad, err)
		}
	}
}

func FuzzReceive(f *testing.F) {
	want := sampleEnvelope()
	f.Add(text(want.Headers(), []byte(`{}`)))
	e, err := event.FromHeaders(want.Headers(), []byte(`{}`))
	if err != nil {
		f.Fatal(err)
	}
	whole, err := json.Marshal(e)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(append([]byte("Content-Type: application/cloudevents+json\n\n"), whole...))
	f.Fuzz(func(t *testing.T, b []byte) {
		head, data, _ := bytes.Cut(b, []byte("\n\n"))
		header := map[string][]string{}
		for line := range strings.Lines(string(head)) {
			k, v, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
			header[k] = append(header[k], v)
		}
		got, _, err := event.Receive(header, data)
		if err != nil {
			if !errors.Is(err, event.ErrEvent) {
				t.Fatalf("refused with %v", err)
			}
			return
		}
		// What a stage makes of it is an event to the next, and to everybody.
		on := got.Next(event.TIM, event.TypeRelevant, 0, when(1))
		again, err := event.ReadEnvelope(on.Headers())
		if err != nil || fmt.Sprintf("%+v", again.Attempt) != fmt.Sprintf("%+v", on.Attempt) || again.ID != on.ID || !reflect.DeepEqual(again.Tags, on.Tags) {
			t.Fatalf("accepted %+v, passed on as %+v: %v", got, again, err)
		}
		if _, err := event.FromHeaders(on.Headers(), nil); err != nil {
			t.Fatalf("passed on as %q: %v", on.Headers(), err)
		}
	})
}
