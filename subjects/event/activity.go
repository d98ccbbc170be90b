package event

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"tillstream/kv/record"
	"tillstream/subjects"
)

// Types of the flow's events. A change that an old consumer could not read gets another version.
const (
	TypeCPPActivity     = "tillstream.cpp.activity.v1"
	TypeEPPMActivity    = "tillstream.eppm.activity.v1"
	TypeEnriched        = "tillstream.cpp.enriched.v1"
	TypeRelevant        = "tillstream.relevant.v1"
	TypeUnqualification = "tillstream.unqualification.v1"
	TypeDecided         = "tillstream.decided.v1"
	TypeOnsiteMessage   = "tillstream.onsite.message.v1"
	TypeDeleteMessage   = "tillstream.msq.delete.v1"
)

// MaxData bounds an event's data, in bytes.
const MaxData = 1 << 20

// CPPActivity says how far a shopper has come in one attempt at a progress promotion (document 004 §1).
type CPPActivity struct {
	AccountID      record.AccountID `json:"accountId"`
	PromoCode      record.PromoCode `json:"promoCode"`
	AttemptID      record.AttemptID `json:"attemptId"`
	Status         Status           `json:"status"`
	OccurredAt     time.Time        `json:"occurredAt"` // the centre's time
	Store          subjects.StoreID `json:"store,omitzero"`
	Till           subjects.TillID  `json:"till,omitzero"`
	RID            record.RID       `json:"rid,omitzero"` // of the receipt that brought it about
	RewardProgress []RewardProgress `json:"rewardProgress"`
}

// RewardProgress is how far the shopper has come towards one reward of the promotion.
type RewardProgress struct {
	RewardSchemeID string `json:"rewardSchemeId"` // of PPH's rewardScheme
	ActivityType   string `json:"activityType"`   // kind of reward: FREE_SPINS, FREE_BET, GAMING_BONUS; of retail COUPON, POINTS, FREE_PRODUCT, CASHBACK
	Progress       int64  `json:"progress"`       // pieces, minor units of money, or categories; 0 or more
	Target         int64  `json:"target"`         // 1 or more
	Status         Status `json:"status"`
	Times          int64  `json:"times,omitempty"`    // how often it was earned in this attempt, if it can be more than once
	RewardID       string `json:"rewardId,omitempty"` // of what was awarded: the coupon's code, where it is one
}

// EPPMActivity says that a shopper did not qualify in the first cycle (document 004 §3).
type EPPMActivity struct {
	AccountID      record.AccountID `json:"accountId"`
	PromoCode      record.PromoCode `json:"promoCode"`
	AttemptID      record.AttemptID `json:"attemptId"`
	Week           int              `json:"week"` // of the shopper's attempts, from 1
	OccurredAt     time.Time        `json:"occurredAt"`
	RewardProgress []RewardProgress `json:"rewardProgress"`
}

// EnrichedActivity is an activity with what PPH knows of its promotion.
type EnrichedActivity struct {
	AccountID      record.AccountID   `json:"accountId"`
	PromoCode      record.PromoCode   `json:"promoCode"`
	AttemptID      record.AttemptID   `json:"attemptId"`
	Status         Status             `json:"status"`
	Week           int                `json:"week,omitempty"` // unqualification: of the shopper's attempts, from 1
	OccurredAt     time.Time          `json:"occurredAt"`
	Store          subjects.StoreID   `json:"store,omitzero"`
	Till           subjects.TillID    `json:"till,omitzero"`
	RID            record.RID         `json:"rid,omitzero"`
	PromoName      string             `json:"promoName"`
	PromoURL       string             `json:"promoUrl"`
	Tags           []string           `json:"tags"`
	Brand          subjects.BrandID   `json:"brand"`
	RewardProgress []EnrichedProgress `json:"rewardProgress"`
}

// EnrichedProgress is a RewardProgress with what PPH knows of its rewardScheme. All five are static.
type EnrichedProgress struct {
	RewardProgress
	Products          []string  `json:"products"`
	RewardType        string    `json:"rewardType"`
	ProductRewardType string    `json:"productRewardType"`
	TierDefinition    string    `json:"tierDefinition"`
	ExpirationDate    time.Time `json:"expirationDate"`
}

// Verdict is what DES says of an event, and of each progress in it (document 004).
type Verdict string

// Verdicts.
const (
	Decision   Verdict = "DECISION"
	NoDecision Verdict = "NO_DECISION"
)

// DecidedEvent is DES's answer. Decision is that of the whole: DECISION if any progress has one.
type DecidedEvent struct {
	EnrichedActivity
	Verdict   Verdict     `json:"decision"`
	Decisions []Decided   `json:"decisions"`
	Delivery  Delivery    `json:"delivery,omitempty"` // none: BCG drops it
	MessageOf MessageType `json:"messageType,omitempty"`
}

// Decided is DES's word on one progress.
type Decided struct {
	RewardSchemeID string  `json:"rewardSchemeId"`
	Verdict        Verdict `json:"decision"`
}

// OnsiteMessage is what a shopper's screen shows. Its id in the envelope is what makes it one message.
type OnsiteMessage struct {
	AccountID   record.AccountID `json:"accountId"`
	PromoCode   record.PromoCode `json:"promoCode"`
	AttemptID   record.AttemptID `json:"attemptId"`
	MessageType MessageType      `json:"messageType"`
	Delivery    Delivery         `json:"delivery"`
	Language    string           `json:"language,omitempty"` // BCP 47
	Title       string           `json:"title,omitempty"`
	Text        string           `json:"text"`           // plain, never HTML
	Code        string           `json:"code,omitempty"` // of a coupon, for a barcode
	CreatedAt   time.Time        `json:"createdAt"`
	ExpiresAt   time.Time        `json:"expiresAt"`
}

// DeleteMessageInstruction tells MSQ that the shopper has spent a reward and needs no message of it (document 004 §2).
type DeleteMessageInstruction struct {
	AccountID   record.AccountID `json:"accountId"`
	PromoCode   record.PromoCode `json:"promoCode"`
	AttemptID   record.AttemptID `json:"attemptId"`
	MessageType MessageType      `json:"messageType"`
	Brand       subjects.BrandID `json:"brand"`
	At          time.Time        `json:"at"`
}

// Attempt names the activity's attempt.
func (a *CPPActivity) Attempt() record.Attempt {
	return record.Attempt{Account: a.AccountID, Promo: a.PromoCode, Attempt: a.AttemptID}
}

// Attempt names the activity's attempt.
func (a *EPPMActivity) Attempt() record.Attempt {
	return record.Attempt{Account: a.AccountID, Promo: a.PromoCode, Attempt: a.AttemptID}
}

// payload is what a type of the flow says of itself when it is read.
type payload interface {
	check() error
	attempt() record.Attempt
}

// Read reads an event's data as the type that it should be. It refuses data that says another account, promotion
// or attempt than the envelope; fields that it does not know are left out.
func Read[T any, P interface {
	*T
	payload
}](e *Envelope, typ string, data []byte) (T, error) {
	var v T
	if e.Type != typ {
		return v, fmt.Errorf("%w: header ce-type is %q, want %q", ErrEvent, clip(e.Type), typ)
	}
	if len(data) > MaxData {
		return v, fmt.Errorf("%w: data of %d bytes, want at most %d", ErrEvent, len(data), MaxData)
	}
	if err := json.Unmarshal(data, &v); err != nil {
		return v, fmt.Errorf("%w: data of %s: %w", ErrEvent, typ, err)
	}
	p := P(&v)
	if got := p.attempt(); got != e.Attempt {
		return v, fmt.Errorf("%w: data is of attempt %s, its headers of %s", ErrEvent, got, e.Attempt)
	}
	if err := p.check(); err != nil {
		return v, fmt.Errorf("%w: data of %s: %w", ErrEvent, typ, err)
	}
	return v, nil
}

// Data writes an event's data.
func Data(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("write an event's data: %w", err)
	}
	return b, nil
}

func (a *CPPActivity) attempt() record.Attempt  { return a.Attempt() }
func (a *EPPMActivity) attempt() record.Attempt { return a.Attempt() }
func (a *EnrichedActivity) attempt() record.Attempt {
	return record.Attempt{Account: a.AccountID, Promo: a.PromoCode, Attempt: a.AttemptID}
}
func (m *OnsiteMessage) attempt() record.Attempt {
	return record.Attempt{Account: m.AccountID, Promo: m.PromoCode, Attempt: m.AttemptID}
}
func (d *DeleteMessageInstruction) attempt() record.Attempt {
	return record.Attempt{Account: d.AccountID, Promo: d.PromoCode, Attempt: d.AttemptID}
}

func (a *CPPActivity) check() error {
	if !a.Status.Known() {
		return fmt.Errorf("status: %w %q", ErrStatus, clip(string(a.Status)))
	}
	return checkProgress(a.RewardProgress)
}

func (a *EPPMActivity) check() error {
	if a.Week < 1 {
		return errors.New("week: want 1 or more")
	}
	return checkProgress(a.RewardProgress)
}

// maxProgress bounds how many rewards a promotion has.
const maxProgress = 32

func checkProgress(all []RewardProgress) error {
	if len(all) == 0 || len(all) > maxProgress {
		return fmt.Errorf("rewardProgress: want 1 to %d, got %d", maxProgress, len(all))
	}
	for i := range all {
		p := &all[i]
		switch {
		case p.RewardSchemeID == "":
			return fmt.Errorf("rewardProgress/%d/rewardSchemeId: is missing", i)
		case p.ActivityType == "":
			return fmt.Errorf("rewardProgress/%d/activityType: is missing", i)
		case p.Progress < 0 || p.Target < 1:
			return fmt.Errorf("rewardProgress/%d: want progress of 0 or more and a target of 1 or more", i)
		case !p.Status.Known():
			return fmt.Errorf("rewardProgress/%d/status: %w %q", i, ErrStatus, clip(string(p.Status)))
		}
	}
	return nil
}

func (a *EnrichedActivity) check() error {
	if !a.Status.Known() {
		return fmt.Errorf("status: %w %q", ErrStatus, clip(string(a.Status)))
	}
	if a.Brand.IsZero() {
		return errors.New("brand: is missing")
	}
	if len(a.RewardProgress) == 0 || len(a.RewardProgress) > maxProgress {
		return fmt.Errorf("rewardProgress: want 1 to %d, got %d", maxProgress, len(a.RewardProgress))
	}
	return nil
}

func (d *DecidedEvent) check() error {
	if d.Verdict != Decision && d.Verdict != NoDecision {
		return fmt.Errorf("decision: got %q, want %s or %s", clip(string(d.Verdict)), Decision, NoDecision)
	}
	return d.EnrichedActivity.check()
}

func (m *OnsiteMessage) check() error {
	if m.Delivery != Toast && m.Delivery != FullScreen {
		return fmt.Errorf("delivery: got %q, want %s or %s", clip(string(m.Delivery)), Toast, FullScreen)
	}
	if m.Text == "" {
		return errors.New("text: is missing")
	}
	return nil
}

func (d *DeleteMessageInstruction) check() error {
	if d.MessageType == "" {
		return errors.New("messageType: is missing")
	}
	return nil
}
