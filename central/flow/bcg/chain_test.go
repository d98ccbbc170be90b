package bcg_test

import (
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"

	"tillstream/central/flow/bcg"
	"tillstream/central/flow/csl"
	"tillstream/central/flow/des"
	"tillstream/central/flow/flowtest"
	"tillstream/central/flow/fred"
	"tillstream/subjects/event"
)

// Two brands of different flavours, each from FRED to the queue: tables, deliveries, the Monday rule and the words
// are the brand's own.
func TestTwoFlavours(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, settings, template string
		award                    string
		want, where              string
		delivery                 event.Delivery
	}{{
		"as documented", "zone: UTC", `text: "{promoName}: {reward}"`, "FREE_SPINS",
		"Ten stamps: COFFEE", "msq", event.FullScreen,
	}, {
		"retail", "des_activity_types: [COUPON]\ndes_delivery: {REWARD_AWARDED: toast}\nmonday_rule: false",
		`text: "{reward}!"`, "COUPON", "COFFEE!", "osg", event.Toast,
	}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := &desk{World: flowtest.Open(t), osg: make(chan asked, 8), msq: make(chan asked, 8)}
			d.SetNow(thursday)
			d.PutPromotion(stamps)
			d.PutSettings(c.settings)
			d.Must(csl.Put(t.Context(), d.Docs, "REWARD_AWARDED.STAMPS", "en", []byte(c.template)))
			for subject, came := range map[string]chan asked{d.Net.OSGDeliver(): d.osg, d.Net.MSQPut(): d.msq} {
				_, err := d.Conn.Subscribe(subject, func(m *nats.Msg) {
					came <- asked{m.Header, m.Data}
					d.Must(m.RespondMsg(&nats.Msg{Header: nats.Header{"status": {"200"}}}))
				})
				d.Must(err)
			}
			d.Must(d.Conn.Flush())
			b := d.Base()
			d.registry = b.Registry.(*prometheus.Registry)
			d.Run(des.New(d.Base()).Run)
			d.Run(csl.New(d.Base()).Run)
			d.Run(fred.New(d.Base()).Run)
			d.Run(bcg.New(b).Run)

			for i, typ := range []string{"POINTS", c.award} { // of the first nothing comes
				e, v := d.decided(uint16(i), "2011-W47", event.RewardAwarded) // of the week before
				e.Type, e.Decision, e.Stamps[event.FRED] = event.TypeRelevant, nil, e.Stamps[event.DES]
				a := v.EnrichedActivity
				a.PromoName, a.RewardProgress[0].ActivityType, a.RewardProgress[0].ProductRewardType = "Ten stamps", typ, "COFFEE"
				d.Publish(d.Net.Relevant(), e, a)
				d.Publish(d.Net.Relevant(), e, a)
			}
			came := map[string]chan asked{"osg": d.osg, "msq": d.msq}[c.where]
			first, m := d.message(d.came(came))
			second, _ := d.message(d.came(came))
			if m.Text != c.want || m.Delivery != c.delivery || first.ID != second.ID {
				t.Errorf("got %+v, as %s and %s", m, first.ID, second.ID)
			}
			for _, p := range []event.Point{event.CPP, event.DES, event.FRED, event.BCG} {
				if first.Stamps[p].IsZero() {
					t.Errorf("it has no stamp of %s", p)
				}
			}
			d.none(d.osg, "OSG")
			d.none(d.msq, "MSQ")
		})
	}
}
