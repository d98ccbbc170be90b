package event

import (
	"encoding/json"
	"fmt"
	"slices"

	"tillstream/kv/record"
)

// Variable is a place in a message's template that each message fills in its own way. A template writes it in
// braces: {promoName}.
type Variable string

// Variables of a template. What an event does not tell is not given, and a template that wants it cannot be shown.
const (
	VarPromoName Variable = "promoName" // of the promotion
	VarPromoCode Variable = "promoCode"
	VarPromoURL  Variable = "promoUrl"
	VarAttempt   Variable = "attempt" // such as 2011-W48
	VarWeek      Variable = "week"    // of the shopper's attempts, from 1; of unqualification in week one only

	// Of the reward that the message is about.
	VarReward    Variable = "reward"    // its productRewardType, else its rewardType
	VarTier      Variable = "tier"      // its tierDefinition
	VarProducts  Variable = "products"  // separated by ", "
	VarProgress  Variable = "progress"  // how far the shopper has come: a number, or an amount such as "22.50 EUR"
	VarTarget    Variable = "target"    // how far it is to the reward, likewise
	VarRemaining Variable = "remaining" // what is left of that, likewise; 0 or more
	VarTimes     Variable = "times"     // how often it was earned in this attempt, where that can be more than once
	VarExpires   Variable = "expires"   // last day on which it can be spent, yyyy-mm-dd
	VarCode      Variable = "code"      // of the coupon that was awarded; of REWARD_AWARDED only
)

// Variables gives every variable.
func Variables() []Variable {
	return []Variable{VarPromoName, VarPromoCode, VarPromoURL, VarAttempt, VarWeek, VarReward, VarTier, VarProducts,
		VarProgress, VarTarget, VarRemaining, VarTimes, VarExpires, VarCode}
}

// Known reports whether v is one of Variables.
func (v Variable) Known() bool { return slices.Contains(Variables(), v) }

// Known reports whether m is one of MessageTypes.
func (m MessageType) Known() bool { return slices.Contains(MessageTypes(), m) }

// ContentQuestion is what BCG asks CSL: the words of a message.
type ContentQuestion struct {
	MessageType MessageType         `json:"messageType"`
	PromoCode   record.PromoCode    `json:"promoCode"`
	Values      map[Variable]string `json:"values"` // as the event has them; not given: not in it
}

// Content is CSL's answer.
type Content struct {
	Language string `json:"language"` // of the template
	Title    string `json:"title,omitempty"`
	Text     string `json:"text"` // plain; what a value had of markup is not markup any more
}

// ReadContentQuestion reads what CSL is asked.
func ReadContentQuestion(data []byte) (ContentQuestion, error) {
	var q ContentQuestion
	if err := json.Unmarshal(data, &q); err != nil {
		return q, fmt.Errorf("%w: question for content: %w", ErrEvent, err)
	}
	if !q.MessageType.Known() || q.PromoCode.IsZero() {
		return q, fmt.Errorf("%w: question for content: want a promoCode and a messageType of %v, got %q and %q", ErrEvent,
			MessageTypes(), q.PromoCode, clip(string(q.MessageType)))
	}
	return q, nil
}

// ReadContent reads CSL's answer.
func ReadContent(data []byte) (Content, error) {
	var c Content
	if err := json.Unmarshal(data, &c); err != nil {
		return c, fmt.Errorf("%w: content: %w", ErrEvent, err)
	}
	if c.Text == "" {
		return c, fmt.Errorf("%w: content: text is missing", ErrEvent)
	}
	return c, nil
}
