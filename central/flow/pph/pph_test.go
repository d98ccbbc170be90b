package pph_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"tillstream/central/flow/flowtest"
	"tillstream/central/flow/pph"
	"tillstream/subjects/event"
	"tillstream/subjects/service"
)

const promotion = `
promo_code: STAMPS-3
revision: 1
name: Three stamps
url: https://example.com/stamps
tags: [loyalty, stamps]
count: {kind: receipts}
reward_schemes:
  - {reward_scheme_id: coffee, activity_type: COUPON, target: 3, products: [latte, mocha], reward_type: COUPON,
     product_reward_type: DRINK, tier_definition: SILVER, valid_days: 14}
  - {reward_scheme_id: cake, activity_type: FREE_SPINS, target: 5, expiration_date: 2012-01-15}
`

func TestAnswers(t *testing.T) {
	t.Parallel()
	w := flowtest.Open(t)
	w.SetNow(time.Date(2011, 12, 7, 12, 0, 0, 0, time.UTC)) // in week 49
	w.PutSettings("zone: Europe/Paris")
	w.PutPromotion(promotion)
	w.Run(pph.New(w.Base()).Run)

	ask := func(code, attempt string) (event.PPHPromotion, error) {
		q := service.Question{Subject: w.Net.PPHPromotion(), Data: []byte(code)}
		if attempt != "" {
			q.Header = nats.Header{event.AttemptHeader: {attempt}}
		}
		for {
			a, err := service.AskWith(t.Context(), w.Conn, q)
			if errors.Is(err, nats.ErrNoResponders) { // it is about to listen
				continue
			}
			var p event.PPHPromotion
			if err == nil {
				err = json.Unmarshal(a.Data, &p)
			}
			return p, err
		}
	}
	p, err := ask("STAMPS-3", "2011-W48")
	w.Must(err)
	if p.PromoCode.String() != "STAMPS-3" || p.PromoName != "Three stamps" || p.PromoURL != "https://example.com/stamps" ||
		strings.Join(p.Tags, " ") != "loyalty stamps" || len(p.RewardSchemes) != 2 {
		t.Errorf("got %+v", p)
	}
	coffee, _ := p.Scheme("coffee")
	cake, _ := p.Scheme("cake")
	if strings.Join(coffee.Products, " ") != "latte mocha" || coffee.RewardType != "COUPON" ||
		coffee.ProductRewardType != "DRINK" || coffee.TierDefinition != "SILVER" || cake.Products == nil {
		t.Errorf("got %+v and %+v", coffee, cake)
	}
	for what, c := range map[string]struct {
		got  time.Time
		want string // at midnight in Paris
	}{
		"days after its attempt": {coffee.ExpirationDate, "2011-12-19T00:00:00+01:00"},
		"a day":                  {cake.ExpirationDate, "2012-01-15T00:00:00+01:00"},
	} {
		if want, _ := time.Parse(time.RFC3339, c.want); !c.got.Equal(want) {
			t.Errorf("%s: expires at %v, want %v", what, c.got, want)
		}
	}
	if p, err = ask("STAMPS-3", ""); err != nil || p.RewardSchemes[0].ExpirationDate.Sub(coffee.ExpirationDate) != 7*24*time.Hour {
		t.Errorf("without an attempt: %+v, %v; want that of the week after", p, err)
	}
	for _, c := range [][3]string{
		{"OTHER", "2011-W48", "promotion OTHER is unknown"}, {"a b", "", "promo code"},
		{"STAMPS-3", "first", "want a week"}, {"STAMPS-3", "a b", "attempt"},
	} {
		_, err := ask(c[0], c[1])
		if refusal, ok := errors.AsType[*service.Refusal](err); !ok || !strings.Contains(refusal.Error(), c[2]) {
			t.Errorf("%s %s: got %v, want a refusal: %s", c[0], c[1], err, c[2])
		}
	}
}
