package progress

import (
	"errors"
	"fmt"
	"time"

	"tillstream/kv/record"
)

// Promotion is a progress promotion. A change is another revision; attempts under way go on by it.
type Promotion struct {
	Code     record.PromoCode `json:"promo_code"`
	Revision int64            `json:"revision"` // 1 or more
	Name     string           `json:"name"`     // document 004: promoName
	URL      string           `json:"url"`      // promoUrl
	Tags     []string         `json:"tags"`     // what TIM goes by; 1 to 16
	From     Date             `json:"from"`     // first day of the first cycle's week or later; empty: no bound
	Until    Date             `json:"until"`    // first day that is not in it any more; empty: no bound
	// OptIn: only who has asked for it takes part, from that moment on. Otherwise everybody does, from their first
	// receipt that counts.
	OptIn bool `json:"opt_in"`
	// Repeatable: what was done counts on after the reward with the largest target, for more of it in the same attempt.
	Repeatable bool           `json:"repeatable"`
	Count      Count          `json:"count"`
	Rewards    []RewardScheme `json:"reward_schemes"` // 1 to 32, of ascending targets
}

// Kinds of Count.
const (
	CountReceipts   = "receipts"   // a stamp for each receipt
	CountPieces     = "pieces"     // whole pieces of the goods
	CountSpend      = "spend"      // minor units paid for the goods
	CountCategories = "categories" // different ones of Categories
)

// Count says what counts. A line counts if it is of the goods and is not excluded from loyalty.
type Count struct {
	Kind       string   `json:"kind"`
	Currency   string   `json:"currency"`   // ISO 4217; receipts in another one do not count. Required for spend and min_spend
	MinSpend   int64    `json:"min_spend"`  // minor units that a receipt must have for the goods to count; zero: any
	Items      []string `json:"items"`      // item codes
	Categories []string `json:"categories"` // category paths, with all below. Neither items nor categories: all goods
}

// RewardScheme is one reward of a promotion. Its last five are the documented ones with which DEC enriches.
type RewardScheme struct {
	ID                string   `json:"reward_scheme_id"`
	ActivityType      string   `json:"activity_type"` // kind of reward: FREE_SPINS, FREE_BET, GAMING_BONUS, COUPON, POINTS, FREE_PRODUCT, CASHBACK
	Target            int64    `json:"target"`        // 1 to 1e12, in what the promotion counts
	Products          []string `json:"products"`
	RewardType        string   `json:"reward_type"`
	ProductRewardType string   `json:"product_reward_type"`
	TierDefinition    string   `json:"tier_definition"`
	// The reward can be spent until ExpirationDate, or until so many days after its attempt ends. One of the two.
	ExpirationDate Date `json:"expiration_date"`
	ValidDays      int  `json:"valid_days"`
}

// Expiration gives the moment at which a reward of an attempt is no longer worth anything.
func (r *RewardScheme) Expiration(c *Calendar, attempt record.AttemptID) (time.Time, error) {
	if r.ExpirationDate != "" {
		return c.start(r.ExpirationDate), nil
	}
	_, end, err := c.Attempt(attempt)
	if err != nil {
		return time.Time{}, err
	}
	return end.AddDate(0, 0, r.ValidDays), nil
}

// Scheme finds a reward by its id.
func (p *Promotion) Scheme(id string) (*RewardScheme, bool) {
	for i := range p.Rewards {
		if p.Rewards[i].ID == id {
			return &p.Rewards[i], true
		}
	}
	return nil, false
}

// ReadPromotion reads and checks a progress promotion, JSON or YAML.
func ReadPromotion(document []byte) (Promotion, error) {
	var p Promotion
	if err := read("progress promotion", document, &p); err != nil {
		return p, err
	}
	if err := p.check(); err != nil {
		return p, fmt.Errorf("progress promotion %s: %w", p.Code, err)
	}
	return p, nil
}

// Limits of a promotion.
const (
	MaxRewards = 32
	MaxTags    = 16
	maxTarget  = 1_000_000_000_000
	maxList    = 1000
)

func (p *Promotion) check() error {
	var errs []error
	need := func(ok bool, text string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(text, args...))
		}
	}
	need(!p.Code.IsZero(), "promo_code: is missing")
	need(p.Revision >= 1, "revision: want 1 or more")
	need(p.Name != "", "name: is missing")
	need(len(p.Tags) >= 1 && len(p.Tags) <= MaxTags, "tags: want 1 to %d", MaxTags)
	for i, tag := range p.Tags {
		need(isTag(tag), "tags/%d: want 1 to 64 of A-Z, a-z, 0-9, '_' and '-', got %q", i, tag)
	}
	errs = append(errs, p.From.check("from"), p.Until.check("until"), p.Count.check())
	need(p.From == "" || p.Until == "" || p.From < p.Until, "until: want a day after from")
	need(len(p.Rewards) >= 1 && len(p.Rewards) <= MaxRewards, "reward_schemes: want 1 to %d", MaxRewards)
	ids := map[string]bool{}
	for i := range p.Rewards {
		r, at := &p.Rewards[i], fmt.Sprintf("reward_schemes/%d", i)
		need(r.ID != "" && !ids[r.ID], "%s/reward_scheme_id: missing or there twice", at)
		ids[r.ID] = true
		need(isTag(r.ActivityType), "%s/activity_type: want a word such as COUPON", at)
		need(r.Target >= 1 && r.Target <= maxTarget, "%s/target: want 1 to %d", at, int64(maxTarget))
		need(i == 0 || r.Target > p.Rewards[i-1].Target, "%s/target: want more than the one before", at)
		need(r.ValidDays >= 0 && r.ValidDays <= 3650, "%s/valid_days: want 0 to 3650", at)
		need((r.ExpirationDate != "") != (r.ValidDays > 0), "%s: want expiration_date or valid_days", at)
		errs = append(errs, r.ExpirationDate.check(at+"/expiration_date"))
	}
	return errors.Join(errs...)
}

func (c *Count) check() error {
	var errs []error
	switch c.Kind {
	case CountReceipts, CountPieces, CountSpend:
	case CountCategories:
		if len(c.Categories) == 0 {
			errs = append(errs, errors.New("count/categories: want those to count"))
		}
	default:
		errs = append(errs, fmt.Errorf("count/kind: got %q, want %s, %s, %s or %s", c.Kind, CountReceipts, CountPieces, CountSpend, CountCategories))
	}
	if c.MinSpend < 0 || c.MinSpend > maxTarget {
		errs = append(errs, fmt.Errorf("count/min_spend: want 0 to %d", int64(maxTarget)))
	}
	if c.Kind == CountSpend || c.MinSpend > 0 || c.Currency != "" {
		if _, ok := record.Exponent(c.Currency); !ok {
			errs = append(errs, errors.New("count/currency: want the ISO 4217 code of a currency in use, such as EUR"))
		}
	}
	if len(c.Items) > maxList || len(c.Categories) > maxList {
		errs = append(errs, fmt.Errorf("count: want at most %d items and categories", maxList))
	}
	return errors.Join(errs...)
}

func isTag(s string) bool {
	_, err := record.ParsePromoCode(s) // the same letters
	return err == nil
}
