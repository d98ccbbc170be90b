package bcg

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"tillstream/kv/progress"
	"tillstream/kv/record"
	"tillstream/subjects/event"
)

// maxAhead is how far what an event tells of may lie after the event itself.
const maxAhead = 10 * time.Minute

// draft makes an event's message without its words, and gives the reward of which it speaks. It refuses an event
// that contradicts itself.
func draft(d *event.DecidedEvent, e *event.Envelope, s progress.Settings) (m event.OnsiteMessage, reward *event.EnrichedProgress, err error) {
	wrong := func(text string, args ...any) (event.OnsiteMessage, *event.EnrichedProgress, error) {
		return m, nil, fmt.Errorf("%w: data of %s: %w", event.ErrEvent, event.TypeDecided, fmt.Errorf(text, args...))
	}
	reward = about(d, e.Rewards)
	switch {
	case reward == nil || d.Verdict != event.Decision:
		return wrong("decision: there is none, but its header %s brought it here", event.HasDecision)
	case d.OccurredAt.IsZero() || d.OccurredAt.After(e.Time.Add(maxAhead)):
		return wrong("occurredAt: want a time, at most %v after the event's own, got %v", maxAhead, d.OccurredAt)
	case d.Delivery == event.NoDelivery: // dropped, whatever its type
	case d.Delivery != event.Toast && d.Delivery != event.FullScreen:
		return wrong("delivery: unknown way %.40q", string(d.Delivery))
	case !d.MessageOf.Known():
		return wrong("messageType: unknown type %.40q, want one of %v", string(d.MessageOf), event.MessageTypes())
	}
	m = event.OnsiteMessage{
		AccountID: d.AccountID, PromoCode: d.PromoCode, AttemptID: d.AttemptID,
		MessageType: d.MessageOf, Delivery: d.Delivery,
		CreatedAt: d.OccurredAt, ExpiresAt: d.OccurredAt.Add(time.Duration(s.MessageHours) * time.Hour),
	}
	if e := reward.ExpirationDate; !e.IsZero() && e.Before(m.ExpiresAt) {
		m.ExpiresAt = e
	}
	return m, reward, nil
}

// about gives the reward of which an event's message speaks, see the package's documentation; nil: no reward has a
// decision.
func about(d *event.DecidedEvent, rewards []event.Reward) (reward *event.EnrichedProgress) {
	decided, named := map[string]bool{}, map[string]bool{}
	for _, r := range rewards {
		named[r.SchemeID] = true
	}
	for _, v := range d.Decisions {
		if v.Verdict == event.Decision {
			decided[v.RewardSchemeID] = true
		}
	}
	awards, found := d.MessageOf == event.MessageRewardAwarded, false
	for i := range d.RewardProgress {
		p := &d.RewardProgress[i]
		// An activity shows all its rewards, those that were awarded before too; its headers name those that are news.
		switch awarded := p.Status == event.RewardAwarded && (len(named) == 0 || named[p.RewardSchemeID]); {
		case !decided[p.RewardSchemeID]:
		case awarded && awards:
			reward, found = p, true
		case !awarded && !awards && !found:
			reward, found = p, true
		case !found:
			reward = p
		}
	}
	return reward
}

// values gives what the variables of a template are for an event. What it does not tell is not in it.
func values(d *event.DecidedEvent, p *event.EnrichedProgress, count *progress.Count, cal *progress.Calendar) map[event.Variable]string {
	v := map[event.Variable]string{
		event.VarPromoName: d.PromoName,
		event.VarPromoCode: d.PromoCode.String(),
		event.VarPromoURL:  d.PromoURL,
		event.VarAttempt:   d.AttemptID.String(),
		event.VarReward:    p.ProductRewardType,
		event.VarTier:      p.TierDefinition,
		event.VarProducts:  strings.Join(p.Products, ", "),
		event.VarProgress:  amount(p.Progress, count),
		event.VarTarget:    amount(p.Target, count),
		event.VarRemaining: amount(max(p.Target-p.Progress, 0), count),
		event.VarCode:      couponCode(d, p),
	}
	if p.ProductRewardType == "" {
		v[event.VarReward] = p.RewardType
	}
	if d.MessageOf == event.MessageUnqualification && d.Week > 0 {
		v[event.VarWeek] = strconv.Itoa(d.Week)
	}
	if p.Times > 0 {
		v[event.VarTimes] = strconv.FormatInt(p.Times, 10)
	}
	if !p.ExpirationDate.IsZero() { // its first moment without worth: the last with it may be of the day before
		v[event.VarExpires] = string(cal.Day(p.ExpirationDate.Add(-1)))
	}
	for name, value := range v {
		if value == "" {
			delete(v, name)
		}
	}
	return v
}

// amount writes what a promotion counts: pieces, or money in its currency.
func amount(n int64, count *progress.Count) string {
	digits := strconv.FormatInt(n, 10)
	if count.Kind != progress.CountSpend {
		return digits
	}
	if decimals, _ := record.Exponent(count.Currency); decimals > 0 { // a promotion that counts money has a currency
		digits = fmt.Sprintf("%0*d", decimals+1, n)
		digits = digits[:len(digits)-decimals] + "." + digits[len(digits)-decimals:]
	}
	return digits + " " + count.Currency
}

// maxCode is the greatest length of a coupon's code, in bytes.
const maxCode = 64

// couponCode gives the code that a message of a reward shows, as text and as a barcode; empty: none. What was awarded
// may have an id that is no code of a coupon; one that no scanner could read, or that a page might take for HTML, is none.
func couponCode(d *event.DecidedEvent, p *event.EnrichedProgress) string {
	if d.MessageOf != event.MessageRewardAwarded || len(p.RewardID) > maxCode {
		return ""
	}
	for i := range len(p.RewardID) {
		if c := p.RewardID[i]; c <= ' ' || c > '~' || strings.IndexByte(`<>&"'`, c) >= 0 {
			return ""
		}
	}
	return p.RewardID
}
