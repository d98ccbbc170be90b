package event

import (
	"time"

	"tillstream/kv/record"
)

// PPHPromotion is PPH's answer to a promoCode: what DEC enriches activities with (document 004 §1).
type PPHPromotion struct {
	PromoCode     record.PromoCode  `json:"promoCode"`
	PromoName     string            `json:"promoName"`
	PromoURL      string            `json:"promoUrl"`
	Tags          []string          `json:"tags"`
	RewardSchemes []PPHRewardScheme `json:"rewardSchemes"`
}

// PPHRewardScheme is one reward of it, with the five documented fields.
type PPHRewardScheme struct {
	RewardSchemeID    string    `json:"rewardSchemeId"`
	Products          []string  `json:"products"`
	RewardType        string    `json:"rewardType"`
	ProductRewardType string    `json:"productRewardType"`
	TierDefinition    string    `json:"tierDefinition"`
	ExpirationDate    time.Time `json:"expirationDate"` // of a reward of the attempt that was asked for
}

// AttemptHeader names the attempt in a question to PPH, beside the promoCode in its data: a reward may expire so many
// days after its attempt.
const AttemptHeader = headerAttempt

// Scheme finds a reward by its id.
func (p *PPHPromotion) Scheme(id string) (*PPHRewardScheme, bool) {
	for i := range p.RewardSchemes {
		if p.RewardSchemes[i].RewardSchemeID == id {
			return &p.RewardSchemes[i], true
		}
	}
	return nil, false
}
