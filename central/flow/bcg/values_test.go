package bcg_test

import (
	"maps"
	"testing"
	"time"

	"tillstream/subjects/event"
)

const spend = `{"promo_code": "STAMPS", "revision": 2, "name": "Spend 30", "tags": ["loyalty"],
	"count": {"kind": "spend", "currency": "EUR"},
	"reward_schemes": [{"reward_scheme_id": "coffee", "activity_type": "COUPON", "target": 3000, "valid_days": 7}]}`

// progress makes one of several rewards.
func progress(id string, n, target int64, s event.Status) event.EnrichedProgress {
	return event.EnrichedProgress{RewardProgress: event.RewardProgress{
		RewardSchemeID: id, ActivityType: "COUPON", Progress: n, Target: target, Status: s, RewardID: "C-" + id,
	}, RewardType: id}
}

// What CSL is told is what the shopper reads.
func TestWhatAMessageTells(t *testing.T) {
	d := open(t)
	d.PutSettings("zone: Europe/London")
	for i, c := range []struct {
		name      string
		promotion string
		rewards   []event.Reward // in its headers
		status    event.Status
		week      int
		decided   []string
		progress  []event.EnrichedProgress
		want      map[event.Variable]string
	}{{
		name: "the greatest that was awarded", status: event.RewardAwarded, decided: []string{"tea", "cake", "none"},
		progress: []event.EnrichedProgress{
			progress("tea", 5, 3, event.RewardAwarded), progress("cake", 5, 5, event.RewardAwarded),
			progress("pie", 5, 5, event.RewardAwarded), progress("none", 5, 9, event.InProgress),
		},
		want: map[event.Variable]string{"reward": "cake", "progress": "5", "target": "5", "remaining": "0", "code": "C-cake"},
	}, {
		name: "that which was awarded now", status: event.RewardAwarded, decided: []string{"tea", "cake"}, rewards: []event.Reward{{SchemeID: "tea"}},
		progress: []event.EnrichedProgress{progress("tea", 5, 3, event.RewardAwarded), progress("cake", 5, 5, event.RewardAwarded)},
		want:     map[event.Variable]string{"reward": "tea", "progress": "5", "target": "3", "remaining": "0", "code": "C-tea"},
	}, {
		name: "the nearest that was not", status: event.Unqualified, week: 1, decided: []string{"tea", "cake", "pie"},
		progress: []event.EnrichedProgress{
			progress("tea", 4, 3, event.RewardAwarded), progress("cake", 4, 5, event.Unqualified), progress("pie", 4, 9, event.Unqualified),
		},
		want: map[event.Variable]string{"reward": "cake", "progress": "4", "target": "5", "remaining": "1", "week": "1"},
	}, {
		name: "all that an event tells, in money", promotion: spend, status: event.RewardAwarded, decided: []string{"tea"},
		progress: []event.EnrichedProgress{{
			RewardProgress: event.RewardProgress{RewardSchemeID: "tea", ActivityType: "COUPON", Progress: 5, Target: 123456, Times: 2,
				Status: event.RewardAwarded, RewardID: `"><script>`},
			RewardType: "COUPON", ProductRewardType: "FREE_TEA", TierDefinition: "Gold", Products: []string{"tea", "mint"},
			ExpirationDate: time.Date(2012, 6, 3, 23, 0, 0, 0, time.UTC), // midnight in London: worth nothing on the 4th
		}},
		want: map[event.Variable]string{"reward": "FREE_TEA", "progress": "0.05 EUR", "target": "1234.56 EUR",
			"remaining": "1234.51 EUR", "times": "2", "tier": "Gold", "products": "tea, mint", "expires": "2012-06-03"},
	}} {
		if c.promotion != "" {
			d.PutPromotion(c.promotion)
		}
		e, v := d.decided(uint16(i), "2011-W48", c.status)
		v.RewardProgress, v.Week, v.Decisions = c.progress, c.week, nil
		for _, id := range c.decided {
			v.Decisions = append(v.Decisions, event.Decided{RewardSchemeID: id, Verdict: event.Decision})
		}
		v.Decisions = append(v.Decisions, event.Decided{RewardSchemeID: "pie", Verdict: event.NoDecision})
		e.Rewards = c.rewards
		d.publish(e, v)
		q, err := event.ReadContentQuestion(d.came(d.csl).data)
		d.Must(err)
		for name, value := range map[event.Variable]string{"promoName": "Stamps", "promoCode": "STAMPS",
			"promoUrl": "https://example.com/stamps", "attempt": "2011-W48"} {
			c.want[name] = value
		}
		if !maps.Equal(q.Values, c.want) || q.MessageType != v.MessageOf || q.PromoCode != v.PromoCode {
			t.Errorf("%s: got %v\nwant %v", c.name, q.Values, c.want)
		}
		if _, m := d.message(d.came(d.osg)); m.Code != c.want["code"] {
			t.Errorf("%s: got code %q", c.name, m.Code)
		}
	}
}
