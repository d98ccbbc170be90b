package kv

import (
	"fmt"
	"strings"

	"tillstream/kv/record"
	"tillstream/subjects"
)

// FlowBuckets lists the buckets of a brand whose centre runs the event flow (document 004).
func FlowBuckets(brand subjects.BrandID) []Bucket {
	return []Bucket{Flow(brand), Attempts(brand), Onsite(brand)}
}

// Flow is the bucket of the flow's documents.
func Flow(brand subjects.BrandID) Bucket {
	return Bucket{
		Name:  "flow_" + brand.String(),
		Holds: "progress promotions, message templates, and the flow's settings",
		Keys: []Key{
			{"pph.{promo}", "JSON of a progress promotion (package progress): what PPH knows", "PromoKey"},
			{"csl.{tag}.{language}", "JSON of a message template, where no CMS has it", "TemplateKey"},
			{FlowSettings, "JSON of the flow's settings (package progress)", "FlowSettings"},
		},
		Lost:       "No receipt counts for a progress promotion, and BCG holds messages back, until they are put again. What shoppers have done is kept.",
		RolledBack: "Receipts count for yesterday's promotions, messages have yesterday's words.",
		ByHand:     "Through ops, which checks them.",
	}
}

// FlowSettings is the key of the flow's settings.
const FlowSettings = "settings"

// PromoKey is the key of a progress promotion.
func PromoKey(promo record.PromoCode) string { return "pph." + promo.String() }

// TemplateKey is the key of a template.
func TemplateKey(tag, language string) string { return "csl." + tag + "." + language }

// Attempts is the bucket of what shoppers have done, and of how far their attempts have come.
func Attempts(brand subjects.BrandID) Bucket {
	return Bucket{
		Name:  "attempts_" + brand.String(),
		Holds: "what shoppers have done in progress promotions, how far CPP has read the journal for that, which cycles it has closed, and TIM's state of each attempt",
		Keys: []Key{
			{"cpp.{account}.{promo}", "JSON: what counts of which receipt, in the attempts that are not over", "ProgressKey"},
			{"cycle.{component}.{promo}.{attempt}", "JSON: how far CPP or EPPM has worked through its end", "CycleKey"},
			{CursorKey, "JSON: entry of the journal and place in history", "CursorKey"},
			{"tim.{account}.{promo}.{attempt}", "JSON: how far the attempt has come, and by which event", "AttemptKey"},
		},
		Fades:      true,
		Lost:       "CPP reads the journal again and counts receipts of the last two cycles anew; who opted in must do so again. TIM takes what comes as new: shoppers may see messages of the last two cycles twice.",
		RolledBack: "CPP reads the journal again from there. What was counted is not counted twice; what it says again has the same ids, and TIM lets it pass once more.",
		ByHand:     "Nobody.",
	}
}

// ProgressKey is the key of a shopper's progress in a promotion.
func ProgressKey(account record.AccountID, promo record.PromoCode) string {
	return "cpp." + account.String() + "." + promo.String()
}

// ProgressKeys matches a shopper's progress in all promotions.
func ProgressKeys(account record.AccountID) string { return "cpp." + account.String() + ".*" }

// PromoProgressKeys matches all shoppers' progress in a promotion.
func PromoProgressKeys(promo record.PromoCode) string { return "cpp.*." + promo.String() }

// ProgressOf takes a ProgressKey apart.
func ProgressOf(key string) (account record.AccountID, promo record.PromoCode, err error) {
	parts := strings.Split(key, ".")
	if len(parts) != 3 || parts[0] != "cpp" {
		return account, promo, fmt.Errorf("key %q is none of a shopper's progress", key)
	}
	if account, err = record.ParseAccountID(parts[1]); err == nil {
		promo, err = record.ParsePromoCode(parts[2])
	}
	return account, promo, err
}

// CycleKey is the key of a cycle's end, as one component works it through.
func CycleKey(component string, promo record.PromoCode, attempt record.AttemptID) string {
	return "cycle." + component + "." + promo.String() + "." + attempt.String()
}

// CursorKey is the key of how far CPP has read the journal.
const CursorKey = "cursor"

// AttemptKey is the key of TIM's state of an attempt.
func AttemptKey(a record.Attempt) string {
	return "tim." + a.Account.String() + "." + a.Promo.String() + "." + a.Attempt.String()
}

// Onsite is the bucket of shoppers on site, and of messages for them.
func Onsite(brand subjects.BrandID) Bucket {
	return Bucket{
		Name:  "onsite_" + brand.String(),
		Holds: "which shoppers are where just now, which messages were delivered or are being so, which wait, and which must not be shown any more",
		Keys: []Key{
			{"at.{account}.{store}.{till}", "JSON: since when, and until when without another word", "PresenceKey"},
			{"claim.{id}", "JSON: who delivers a message, or has", "ClaimKey"},
			{"wait.{account}.{id}", "an onsite message that waits for its shopper, headers and data", "WaitKey"},
			{"gone.{account}.{promo}.{attempt}", "JSON: messages of which type and rewards were deleted, and when", "TombstoneKey"},
		},
		Fades:      true,
		Lost:       "Shoppers are off site until their tills speak of them again. Messages that waited are not shown; one under way may be shown twice.",
		RolledBack: "Messages that waited and were shown since are shown again, unless their claims are there.",
		ByHand:     "Nobody.",
	}
}

// PresenceKey is the key of a shopper's presence at a till.
func PresenceKey(account record.AccountID, store subjects.StoreID, till subjects.TillID) string {
	return "at." + account.String() + "." + store.String() + "." + till.String()
}

// ClaimKey is the key of a message's delivery; id is hexadecimal digits.
func ClaimKey(id string) string { return "claim." + id }

// WaitKey is the key of a message that waits; id is hexadecimal digits.
func WaitKey(account record.AccountID, id string) string {
	return "wait." + account.String() + "." + id
}

// TombstoneKey is the key of the mark that a message of an attempt must not be shown any more.
func TombstoneKey(a record.Attempt) string {
	return "gone." + a.Account.String() + "." + a.Promo.String() + "." + a.Attempt.String()
}
