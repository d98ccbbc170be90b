package ops_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"tillstream/central/flow/flowtest"
	"tillstream/central/gateway"
	"tillstream/central/stage"
	"tillstream/kv/record"
	"tillstream/kv/seal"
	"tillstream/subjects"
	"tillstream/subjects/event"
)

// flowSite is the flow's streams, a DEC that can be made to reject, and the admin API over them.
type flowSite struct {
	*flowtest.World
	rejects atomic.Bool
	run     func(args ...string) (string, error)
}

func openFlow(t *testing.T) *flowSite {
	t.Helper()
	s := &flowSite{World: flowtest.Open(t)}
	base := s.Base()
	cards, err := seal.NewCards([]byte("0123456789abcdef0123456789abcdef"))
	s.Must(err)
	admin, err := gateway.OpenAdmin(gateway.AdminConfig{
		Listen: "127.0.0.1:0", Metrics: http.NotFoundHandler(), JS: base.JS, Net: s.Net, Cards: cards, Log: s.Log,
		Flow: &gateway.FlowConfig{
			Node: subjects.NodeID{Token: subjects.MustToken("c1")}, Docs: s.Docs, Metrics: base.Registry.(prometheus.Gatherer),
			CheckTemplate: func([]byte) error { return nil },
			OptIn:         func(context.Context, record.AccountID, record.PromoCode) error { return nil },
			Progress: func(_ context.Context, a record.AccountID) (any, error) {
				return map[string]string{"stamps": "2 of 3"}, nil
			},
		},
	})
	s.Must(err)
	s.Run(admin.Run)
	s.Run(stage.New(stage.Config{
		Stage: subjects.DEC, Point: event.DEC, Net: s.Net, JS: base.JS, Metrics: base.Stages, Log: s.Log,
		Handle: func(_ context.Context, in *stage.Input) ([]stage.Output, error) {
			if s.rejects.Load() {
				return nil, stage.Reject(errors.New("promotion STAMPS: rewardScheme coffee is not known"))
			}
			return []stage.Output{{Subject: s.Net.CPPEnriched(), Envelope: in.Next(event.DEC, event.TypeEnriched, 0, s.Now()), Data: in.Data}}, nil
		},
	}).Run)
	s.run = func(args ...string) (string, error) {
		return tool(t, append([]string{"--centre", admin.URL()}, args...)...)
	}
	return s
}

func (s *flowSite) ok(args ...string) string {
	s.T.Helper()
	out, err := s.run(args...)
	if err != nil {
		s.T.Fatalf("%q: %v", args, err)
	}
	return out
}

func (s *flowSite) sold(n uint16) (record.RID, string) {
	s.T.Helper()
	rid := record.NewRID(s.Now())
	e, data := s.Activity(flowtest.MustAttempt(n, "STAMPS", "2026-W48"), event.RewardAwarded, rid.String())
	e.Receipt = rid
	s.Publish(s.Net.CPPActivity(), e, data)
	return rid, e.ID
}

// At three in the morning: what has become of this receipt, why not, and on it goes.
func TestDeadLettersByNight(t *testing.T) {
	t.Parallel()
	s := openFlow(t)
	prints(t, s.ok("dlq", "ls"), "no dead letters")
	s.rejects.Store(true)
	rid, id := s.sold(1)
	s.sold(2)
	s.sold(3)
	for range 3 {
		s.Expect(s.Net.DeadLetters(subjects.DEC))
	}
	prints(t, s.ok("trace", rid.String()), "STAMPS 2026-W48 REWARD_AWARDED, account a0", "receipt "+rid.String(), s.Net.CPPActivity(),
		"dead letter", "at DEC: dead letter", "rewardScheme coffee is not known", "cpp", " events looked at, from ")
	prints(t, s.ok("dlq", "ls", "--stage", "dec", "--limit", "2"), "LETTER", "WHY", "promotion STAMPS: rewardScheme coffee", "and more: go on with --after ")
	var letter gateway.DeadLetters
	decode(t, s.ok("--json", "dlq", "ls"), &letter)
	first := ""
	for _, l := range letter.Letters {
		if l.Event == id {
			first = fmt.Sprint(l.Sequence)
		}
	}
	prints(t, s.ok("dlq", "show", first), "why      promotion STAMPS", "ce-id: "+id, `"accountId":`, "after 1 tries", "came on  "+s.Net.CPPActivity())

	s.rejects.Store(false)
	prints(t, s.ok("dlq", "replay", first), "letter "+first+" is replayed on "+s.Net.CPPActivity())
	if got := s.Expect(s.Net.CPPEnriched()); got.Receipt != rid {
		t.Errorf("DEC made %+v", got)
	}
	s.Settle(subjects.DEC)
	prints(t, s.ok("trace", id), "came again", "handled", s.Net.CPPEnriched(), "tim", "waits", "dec  ", "in all", " ms\n", "at TIM: waits")
	prints(t, s.ok("dlq", "replay", "--stage", "dec", "--error", "coffee is not known", "--limit", "1"), "1 letters are replayed", "say it again")
	left := ""
	decode(t, s.ok("--json", "dlq", "ls"), &letter)
	for _, l := range letter.Letters {
		left = fmt.Sprint(l.Sequence)
	}
	prints(t, s.ok("dlq", "discard", left), "letter "+left+" is discarded")
	prints(t, s.ok("dlq", "ls"), "no dead letters")

	for _, args := range [][]string{
		{"dlq", "replay"}, {"dlq", "replay", "1", "--stage", "dec"}, {"dlq", "replay", "--stage", "dec"}, {"dlq", "replay", "--error", "x"},
	} {
		_, err := s.run(args...)
		fails(t, err, "Give either numbers, or --stage STAGE and --error TEXT")
	}
	_, err := s.run("dlq", "replay", left)
	fails(t, err, "404 not-found", "replayed or discarded")
	_, err = s.run("dlq", "ls", "--stage", "osg")
	fails(t, err, "want one of [dec tim fred bcg msq]")
	_, err = s.run("trace", record.NewRID(s.Now()).String())
	fails(t, err, "404 not-found", "no progress promotion counts it")
	_, err = s.run("trace", "none", "--since", "6h")
	fails(t, err, "404 not-found", "look further back")
}

func TestFlowStagesByHand(t *testing.T) {
	t.Parallel()
	s := openFlow(t)
	prints(t, s.ok("flow", "pause", "dec", "--for", "5m"), "stage dec is paused until ", "ops flow resume dec ends it before")
	s.sold(1)
	prints(t, s.ok("flow", "--once", "--every", "1ms"), "PAUSED UNTIL", "tim ", "c1  1 events kept")
	prints(t, s.ok("flow", "resume", "dec"), "stage dec goes on")
	s.Expect(s.Net.CPPEnriched())
	_, err := s.run("flow", "pause", "osg")
	fails(t, err, "404 not-found", "want one of")
	_, err = s.run("flow", "pause", "dec", "--for", "48h")
	fails(t, err, "400 invalid-field", "1s to 24h")

	prints(t, s.ok("flow", "settings", "show"), `"zone": "UTC"`, `"monday_rule": true`)
	prints(t, s.ok("flow", "settings", "put", file(t, "revision: 1\nzone: Europe/London\n")), "flow settings is put: revision 1")
	prints(t, s.ok("flow", "settings", "show"), `"zone": "Europe/London"`)
	_, err = s.run("flow", "settings", "put", file(t, "revision: 1\nzone: UTC\n"))
	fails(t, err, "409 conflict", "want a higher revision")
	_, err = s.run("flow", "settings", "put", file(t, "zone: Mars\n"))
	fails(t, err, "400 invalid-field", "IANA")

	prints(t, s.ok("flow", "templates", "put", "loyalty", "en", file(t, `{"text": "Well done"}`)), "template loyalty in en is put")
	prints(t, s.ok("flow", "templates", "ls"), "loyalty", "en")
	prints(t, s.ok("flow", "templates", "show", "loyalty", "en"), `"text": "Well done"`)
	_, err = s.run("flow", "templates", "show", "loyalty", "de")
	fails(t, err, "404 not-found", "template loyalty in de")
}

func TestProgressPromotions(t *testing.T) {
	t.Parallel()
	s := openFlow(t)
	promotion := file(t, `{promo_code: STAMPS, revision: 1, name: "Three stamps", tags: [loyalty], opt_in: true, count: {kind: receipts},
  reward_schemes: [{reward_scheme_id: coffee, activity_type: COUPON, target: 3, valid_days: 14}]}`)
	_, err := s.run("progress", "put", file(t, "promo_code: STAMPS\n"))
	fails(t, err, "400 invalid-field", "reward_schemes")
	yaml := file(t, "promo_code: STAMPS\nrevision: 1\nname: Three stamps\ntags: [loyalty]\nopt_in: true\ncount: {kind: receipts}\n"+
		"reward_schemes: [{reward_scheme_id: coffee, activity_type: COUPON, target: 3, valid_days: 14}]\n")
	_, err = s.run("progress", "put", promotion) // it begins as JSON and is none
	fails(t, err, "400 invalid-field")
	prints(t, s.ok("progress", "put", yaml), "progress promotion STAMPS is put: revision 1")
	prints(t, s.ok("progress", "put", yaml), "was so already")
	prints(t, s.ok("progress", "ls"), "STAMPS", "Three stamps", "receipts", "yes")
	prints(t, s.ok("progress", "show", "STAMPS"), `"reward_scheme_id": "coffee"`)
	prints(t, s.ok("progress", "opt-in", "STAMPS", "4711"), "takes part in STAMPS")
	prints(t, s.ok("progress", "of", "4711"), `"stamps": "2 of 3"`)
	_, err = s.run("progress", "opt-in", "NONE", "--account", "000000000000000000000000000000aa")
	fails(t, err, "404 not-found", "progress promotion NONE")
	for _, args := range [][]string{{"progress", "of"}, {"progress", "opt-in", "STAMPS"}, {"progress", "of", "4711", "--account", "000000000000000000000000000000aa"}} {
		_, err = s.run(args...)
		fails(t, err, "either CARD or --account HEX")
	}
}
