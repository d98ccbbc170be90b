package progress_test

import (
	"strings"
	"testing"
	"time"

	"tillstream/kv/progress"
	"tillstream/kv/record"
)

func attempt(t *testing.T, s string) record.AttemptID {
	t.Helper()
	id, err := record.ParseAttemptID(s)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// Both sides of Monday 00:00, in zones on both sides of the day, over changes of clocks and of years: a receipt on
// the wrong side counts for the wrong week.
func TestAttemptsBeginOnMondayInTheBrandsZone(t *testing.T) {
	for _, c := range []struct{ zone, at, want string }{
		{"UTC", "2011-12-04T23:59:59.999Z", "2011-W48"},
		{"UTC", "2011-12-05T00:00:00Z", "2011-W49"},
		{"Asia/Tokyo", "2011-12-04T14:59:59Z", "2011-W48"},
		{"Asia/Tokyo", "2011-12-04T15:00:00Z", "2011-W49"},
		{"America/New_York", "2011-12-05T04:59:59Z", "2011-W48"},
		{"Europe/London", "2011-03-27T22:59:59Z", "2011-W12"}, // clocks went forward that day
		{"Europe/London", "2011-03-27T23:00:00Z", "2011-W13"},
		{"UTC", "2012-01-01T12:00:00Z", "2011-W52"}, // a Sunday
		{"UTC", "2010-01-03T12:00:00Z", "2009-W53"},
	} {
		cal, err := progress.NewCalendar(c.zone)
		if err != nil {
			t.Fatal(err)
		}
		at, err := time.Parse(time.RFC3339Nano, c.at)
		if err != nil {
			t.Fatal(err)
		}
		if got := cal.AttemptAt(at); got.String() != c.want {
			t.Errorf("%s in %s is in %s, want %s", c.at, c.zone, got, c.want)
		}
		start, end, err := cal.Attempt(attempt(t, c.want))
		if err != nil || at.Before(start) || !at.Before(end) {
			t.Errorf("%s lasts from %v to %v, %v: %s is not in it", c.want, start, end, err, c.at)
		}
	}
}

func TestWeeksAreCountedOverYearsAndClockChanges(t *testing.T) {
	cal, err := progress.NewCalendar("Europe/London")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		from, to string
		want     int
	}{{"2011-W48", "2011-W48", 0}, {"2011-W12", "2011-W13", 1}, {"2009-W53", "2010-W01", 1}, {"2011-W44", "2011-W43", -1}} {
		if got, err := cal.Weeks(attempt(t, c.from), attempt(t, c.to)); err != nil || got != c.want {
			t.Errorf("from %s to %s: %d weeks, %v; want %d", c.from, c.to, got, err, c.want)
		}
	}
	for _, bad := range []string{"2011-W54", "2011-W00", "2010-W53", "week-1", "2011-W4", "2011-W489"} {
		if _, _, err := cal.Attempt(attempt(t, bad)); err == nil {
			t.Errorf("%s is taken for a week", bad)
		}
	}
}

const good = `
promo_code: STAMPS-3
revision: 1
name: Three stamps
url: https://example.com/stamps
tags: [loyalty, stamps]
count: {kind: receipts, currency: GBP, min_spend: 1000}
reward_schemes:
  - {reward_scheme_id: coffee, activity_type: COUPON, target: 3, products: [coffee], reward_type: COUPON, valid_days: 14}
`

func TestReadPromotion(t *testing.T) {
	p, err := progress.ReadPromotion([]byte(good))
	if err != nil {
		t.Fatal(err)
	}
	if p.Code.String() != "STAMPS-3" || p.Rewards[0].Target != 3 || p.Count.MinSpend != 1000 {
		t.Errorf("read %+v", p)
	}
	for change, want := range map[string]string{
		"promo_code: STAMPS-3/promo_code: 'a b'":    "promo code",
		"revision: 1/revision: 0":                   "revision",
		"kind: receipts/kind: money":                "count/kind",
		"target: 3/target: 0":                       "reward_schemes/0/target",
		"valid_days: 14/valid_days: 0":              "expiration_date or valid_days",
		"[loyalty, stamps]/['*']":                   "tags/0",
		"currency: GBP/currency: XXQ":               "count/currency",
		"name: Three stamps/nam: Three stamps":      "nam",
		"revision: 1/revision: 1\nfrom: 1-1-2011":   "from",
		"activity_type: COUPON/activity_type: 'x '": "activity_type",
	} {
		from, to, _ := strings.Cut(change, "/")
		if _, err := progress.ReadPromotion([]byte(strings.Replace(good, from, to, 1))); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want an error that names %s", change, err, want)
		}
	}
}

func TestReadSettings(t *testing.T) {
	s, err := progress.ReadSettings([]byte("revision: 1\nzone: Europe/London\nmonday_rule: false\n"))
	if err != nil {
		t.Fatal(err)
	}
	if s.MondayRule || !s.DeleteInstruction || s.MessageHours != 168 || len(s.DESActivityTypes) != 3 {
		t.Errorf("read %+v, want what is not named as by default", s)
	}
	for _, c := range [][2]string{
		{"zone: Mars", "zone"}, {"des_delivery: {REWARD_AWARDED: popup}", "des_delivery"}, {"message_hours: 0", "message_hours"},
		{"fred_statuses: [WON]", "fred_statuses"}, {"tim_filter_tag: []", "tim_filter_tag"}, {"cms: ftp://x", "cms"}, {"tim: 1", "tim"},
	} {
		if _, err := progress.ReadSettings([]byte(c[0])); err == nil || !strings.Contains(err.Error(), c[1]) {
			t.Errorf("%s: %v, want an error that names %s", c[0], err, c[1])
		}
	}
}

// A brand must be able to have no preference for a type of message.
func TestDeliveriesThatSettingsNameAreAll(t *testing.T) {
	for document, want := range map[string]int{"zone: UTC": 2, "des_delivery: {}": 0, "des_delivery: {PROGRESS: toast}": 1} {
		s, err := progress.ReadSettings([]byte(document))
		if err != nil || len(s.DESDelivery) != want {
			t.Errorf("%s: got %v, %v, want %d", document, s.DESDelivery, err, want)
		}
	}
}

// What lies in the bucket is read for ever.
func TestGoldenStanding(t *testing.T) {
	const old = `{"opted":true,"since":1764072000000,"first":"2026-W48","cycles":[{"attempt":"2026-W48","receipts":[` +
		`{"r":"019ac1b2-0000-7000-8000-000000000001","n":2,"c":[0],"b":["019ac1b2-0000-7000-8000-000000000002"]}],"names":["food/dairy"],` +
		`"awards":[{"s":"coffee","t":1,"x":true}],"closed":true}],"out":{"cause":"019ac1b2-0000-7000-8000-000000000001",` +
		`"rid":"019ac1b2-0000-7000-8000-000000000001","store":"0042","till":"t1","sold":1764072000000,"posted":1764072000001,"made":1764072000002000,` +
		`"said":[{"attempt":"2026-W48","status":"REWARD_AWARDED","week":2,"progress":[{"rewardSchemeId":"coffee","activityType":"COUPON",` +
		`"progress":3,"target":3,"status":"REWARD_AWARDED","times":1}],"awards":[{"s":"coffee","t":1}]}]}}`
	s, err := progress.ReadStanding([]byte(old))
	if err != nil {
		t.Fatal(err)
	}
	if b, err := s.Bytes(); err != nil || string(b) != old {
		t.Errorf("written again it is\n%s\nwant\n%s\n%v", b, old, err)
	}
	if _, n := s.Find(s.Out.RID); n == nil || s.Cycle(s.First) == nil || s.Cycle(s.First).Sum() != 3 {
		t.Errorf("read %+v", s)
	}
	for _, none := range []string{"", "{}"} {
		if s, err := progress.ReadStanding([]byte(none)); err != nil || len(s.Cycles) != 0 {
			t.Errorf("of a new shopper: %+v, %v", s, err)
		}
	}
}

// How often rewards are earned, and what their cards show.
func TestEarnedAndShown(t *testing.T) {
	p := progress.Promotion{Rewards: []progress.RewardScheme{{ID: "coffee", Target: 3}, {ID: "cake", Target: 5}}}
	for _, c := range []struct {
		again        bool
		sum          int64
		coffee, cake int64 // earned
		shown        [2]int64
	}{
		{false, 0, 0, 0, [2]int64{0, 0}}, {false, 2, 0, 0, [2]int64{2, 2}}, {false, 4, 1, 0, [2]int64{3, 4}}, {false, 99, 1, 1, [2]int64{3, 5}},
		{true, 0, 0, 0, [2]int64{0, 0}}, {true, 4, 1, 0, [2]int64{3, 4}}, {true, 5, 1, 1, [2]int64{3, 5}}, {true, 6, 1, 1, [2]int64{1, 1}},
		{true, 8, 2, 1, [2]int64{3, 3}}, {true, 10, 2, 2, [2]int64{3, 5}}, {true, 1e9, 100, 100, [2]int64{3, 5}},
	} {
		p.Repeatable = c.again
		y := progress.Cycle{Receipts: []progress.Counted{{N: c.sum}}}
		fresh := p.Give(&y)
		if y.Times("coffee") != c.coffee || y.Times("cake") != c.cake || int64(len(fresh)) != c.coffee+c.cake || len(p.Give(&y)) != 0 {
			t.Errorf("repeatable %v, at %d: given %v", c.again, c.sum, fresh)
		}
		if g := p.Progress(&y); g[0].Progress != c.shown[0] || g[1].Progress != c.shown[1] {
			t.Errorf("repeatable %v, at %d: shows %+v", c.again, c.sum, g)
		}
	}
}
