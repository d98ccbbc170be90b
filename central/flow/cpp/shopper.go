package cpp

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"tillstream/central/flow"
	"tillstream/kv"
	"tillstream/kv/progress"
	"tillstream/kv/record"
)

// ErrPromotion means that there is no such promotion to take part in.
var ErrPromotion = errors.New("no promotion that one can opt in to now")

// OptIn lets a shopper take part in a promotion for which that has to be asked, from now on. Asked again it changes
// nothing.
func (c *CPP) OptIn(ctx context.Context, account record.AccountID, promo record.PromoCode) error {
	p, ok := c.b.Docs.Promotion(promo)
	if !ok {
		return fmt.Errorf("opt in to promotion %s: %w", promo, ErrPromotion)
	}
	settings := c.b.Docs.Settings()
	cal, now := settings.Calendar(), c.b.Now()
	if !p.OptIn {
		return fmt.Errorf("opt in to promotion %s: %w: everybody takes part in it", promo, ErrPromotion)
	}
	if !cal.Runs(p, now) {
		return fmt.Errorf("opt in to promotion %s: %w: it does not run now", promo, ErrPromotion)
	}
	return c.standings.Change(ctx, account, p, func(st *progress.Standing) (flow.Outcome, error) {
		if st.Opted {
			return flow.Nothing, nil
		}
		st.Opted, st.Since, st.First, st.Out = true, now.UnixMilli(), cal.AttemptAt(now), progress.Outbox{}
		return flow.Changed, nil
	})
}

// Shopper is where a shopper stands in a promotion, for ops.
type Shopper struct {
	Promo    record.PromoCode  `json:"promoCode"`
	Standing progress.Standing `json:"standing"`
	// Codes of the rewards that were given, by attempt, in the order of its Awards.
	Codes map[string][]string `json:"rewardIds"`
}

// Shopper lists a shopper's progress in all promotions of which a record is kept.
func (c *CPP) Shopper(ctx context.Context, account record.AccountID) ([]Shopper, error) {
	bucket, err := c.standings.Bucket(ctx)
	if err != nil {
		return nil, err
	}
	all := []Shopper{}
	err = bucket.Scan(ctx, kv.ProgressKeys(account), func(r kv.Record) error {
		_, promo, err := kv.ProgressOf(r.Key)
		if err != nil {
			return err
		}
		st, err := progress.ReadStanding(r.Value)
		if err != nil {
			return err
		}
		s := Shopper{Promo: promo, Standing: st, Codes: map[string][]string{}}
		for _, y := range st.Cycles {
			of := record.Attempt{Account: account, Promo: promo, Attempt: y.Attempt}
			for _, a := range y.Awards {
				s.Codes[y.Attempt.String()] = append(s.Codes[y.Attempt.String()], c.standings.RewardCode(of, a))
			}
		}
		all = append(all, s)
		return nil
	})
	slices.SortFunc(all, func(a, b Shopper) int { return strings.Compare(a.Promo.String(), b.Promo.String()) })
	return all, err
}
