package api

import (
	"strconv"
	"strings"
	"sync"

	"tillstream/edge/pricing"
)

// A quote's answer is written by hand: 52 KB of a full basket took encoding/json 43 % of what a quote took, a third
// of that in MarshalJSON of the promotions' shares. Other answers are small, and stay with
// encoding/json, whose bytes these are too.

// sheets are paper that questions and answers of quotes lie on. New ones would be most of what is to be collected.
type sheets struct{ pool sync.Pool }

func (s *sheets) take() *[]byte {
	if sheet, ok := s.pool.Get().(*[]byte); ok {
		return sheet
	}
	return new([]byte)
}

// give takes a sheet back of which nobody reads any more; nil: there was none.
func (s *sheets) give(sheet *[]byte) {
	if sheet != nil {
		s.pool.Put(sheet)
	}
}

// pen writes JSON. A member's comma is written unless it is the first of its object.
type pen struct{ b []byte }

func (p *pen) key(name string) {
	if n := len(p.b); n > 0 && p.b[n-1] != '{' {
		p.b = append(p.b, ',')
	}
	p.b = append(append(append(p.b, '"'), name...), '"', ':')
}

// item begins an item of an array.
func (p *pen) item(i int) {
	if i > 0 {
		p.b = append(p.b, ',')
	}
}

// open begins an array; one of nil is null.
func (p *pen) open(name string, null bool) (there bool) {
	if p.key(name); null {
		p.b = append(p.b, "null"...)
		return false
	}
	p.b = append(p.b, '[')
	return true
}

func (p *pen) put(c byte) { p.b = append(p.b, c) }

// value writes anything, by reflection.
func (p *pen) value(v any) { p.b = append(p.b, mustEncode(v)...) }

// plain are the bytes that stand for themselves in a text.
var plain = func() (t [256]bool) {
	for c := ' '; c < 0x80; c++ {
		t[c] = !strings.ContainsRune(`"\<>&`, c)
	}
	return t
}()

// appendString appends a text. What is not plain goes the long way.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if !plain[s[i]] {
			p := pen{b}
			p.value(s)
			return p.b
		}
	}
	return append(append(append(b, '"'), s...), '"')
}

func (p *pen) text(name, s string) {
	p.key(name)
	p.b = appendString(p.b, s)
}

func (p *pen) number(name string, n int64) {
	p.key(name)
	p.b = strconv.AppendInt(p.b, n, 10)
}

func (p *pen) flag(name string, on bool) {
	p.key(name)
	p.b = strconv.AppendBool(p.b, on)
}

// textIf, numberIf and flagIf leave a zero out.
func (p *pen) textIf(name, s string) {
	if s != "" {
		p.text(name, s)
	}
}

func (p *pen) numberIf(name string, n int64) {
	if n != 0 {
		p.number(name, n)
	}
}

func (p *pen) flagIf(name string, on bool) {
	if on {
		p.flag(name, on)
	}
}

func (p *pen) valueIf(name string, there bool, v any) {
	if there {
		p.key(name)
		p.value(v)
	}
}

// appendQuote appends a quote's answer to b.
func appendQuote(b []byte, q *Quote) []byte {
	p := pen{append(b, '{')}
	p.valueIf("age_check", q.AgeCheck != nil, q.AgeCheck)
	p.valueIf("as_of", q.AsOf != nil, q.AsOf)
	p.text("at", q.At)
	p.valueIf("blocked_by", len(q.BlockedBy) > 0, q.BlockedBy)
	p.flag("committable", q.Committable)
	p.text("context", q.Context)
	if len(q.Coupons) > 0 && p.open("coupons", false) {
		for i := range q.Coupons {
			p.item(i)
			p.coupon(&q.Coupons[i])
		}
		p.put(']')
	}
	p.text("currency", q.Currency)
	p.text("digest", q.Digest)
	p.text("engine", q.Engine)
	p.flag("hold_needed", q.HoldNeeded)
	if p.open("lines", q.Lines == nil) {
		for i := range q.Lines {
			p.item(i)
			p.line(&q.Lines[i])
		}
		p.put(']')
	}
	p.points(&q.Points)
	if p.open("promotions", q.Promotions == nil) {
		for i := range q.Promotions {
			p.item(i)
			p.applied(&q.Promotions[i])
		}
		p.put(']')
	}
	p.number("revision", int64(q.Revision))
	p.text("rid", q.RID)
	p.text("source", q.Source)
	p.flag("stale", q.Stale)
	p.valueIf("texts", q.Texts != nil, q.Texts)
	p.totals(&q.Totals)
	p.flagIf("training", q.Training)
	p.valueIf("warnings", len(q.Warnings) > 0, q.Warnings)
	if p.open("why_not", q.WhyNot == nil) {
		for i := range q.WhyNot {
			p.item(i)
			p.whyNot(&q.WhyNot[i])
		}
		p.put(']')
	}
	p.put('}')
	return p.b
}

func (p *pen) coupon(c *Coupon) {
	p.put('{')
	p.text("code_masked", c.CodeMasked)
	p.numberIf("guesses_left", int64(c.GuessesLeft))
	p.textIf("pool", c.Pool)
	p.textIf("promotion", c.Promotion)
	p.text("state", c.State)
	p.text("text", c.Text)
	p.textIf("valid_from", c.ValidFrom)
	p.textIf("valid_until", c.ValidUntil)
	p.put('}')
}

// line writes a line. Lines, their discounts and the promotions' shares are nine tenths of an answer: here names
// are written with what is around them.
func (p *pen) line(l *pricing.QuoteLine) {
	b := appendString(append(p.b, `{"line_id":`...), l.LineID)
	b = appendString(append(b, `,"quantity":`...), l.Quantity)
	b = strconv.AppendBool(append(b, `,"by_piece":`...), l.Pieces)
	b = strconv.AppendInt(append(b, `,"gross":`...), l.Gross, 10)
	b = append(b, `,"discounts":`...)
	if l.Discounts == nil {
		b = append(b, "null"...)
	} else {
		b = append(b, '[')
		for i := range l.Discounts {
			if i > 0 {
				b = append(b, ',')
			}
			d := &l.Discounts[i]
			b = appendString(append(b, `{"promotion":`...), d.Promotion)
			b = append(strconv.AppendInt(append(b, `,"amount":`...), d.Amount, 10), '}')
		}
		b = append(b, ']')
	}
	b = strconv.AppendInt(append(b, `,"net":`...), l.Net, 10)
	b = strconv.AppendInt(append(b, `,"points_paid":`...), l.PointsPaid, 10)
	b = strconv.AppendInt(append(b, `,"to_pay":`...), l.ToPay, 10)
	b = strconv.AppendInt(append(b, `,"points_spent":`...), l.PointsSpent, 10)
	b = strconv.AppendInt(append(b, `,"points_earned":`...), l.PointsEarned, 10)
	p.b = append(b, '}')
}

func (p *pen) applied(a *pricing.Applied) {
	b := appendString(append(p.b, `{"promotion":`...), a.Promotion)
	b = strconv.AppendInt(append(b, `,"revision":`...), a.Revision, 10)
	b = appendString(append(b, `,"text":`...), a.Text)
	b = strconv.AppendInt(append(b, `,"amount":`...), a.Amount, 10)
	b = strconv.AppendInt(append(b, `,"applications":`...), a.Applications, 10)
	b = append(b, `,"lines":{`...)
	for i := range a.Lines {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendString(b, a.Lines[i].LineID), ':')
		b = strconv.AppendInt(b, a.Lines[i].Amount, 10)
	}
	p.b = append(b, '}')
	if c := a.Capped; c != nil {
		p.key("capped")
		p.put('{')
		p.text("by", c.By)
		p.number("wanted", c.Wanted)
		p.put('}')
	}
	if n := a.Next; n != nil {
		p.key("next")
		p.put('{')
		p.text("code", string(n.Code))
		p.number("missing", n.Missing)
		p.text("text", n.Text)
		p.put('}')
	}
	p.textIf("coupon", a.Coupon)
	p.put('}')
}

func (p *pen) whyNot(w *pricing.WhyNot) {
	p.put('{')
	p.text("promotion", w.Promotion)
	p.number("revision", w.Revision)
	p.text("text", w.Text)
	p.text("code", string(w.Code))
	if m := w.Missing; m != nil && m.Quantity != "" {
		p.text("missing", m.Quantity)
	} else if m != nil {
		p.number("missing", m.Money)
	}
	p.textIf("set", w.Set)
	p.textIf("pool", w.Pool)
	p.valueIf("schedule", len(w.Schedule) > 0, w.Schedule)
	p.textIf("from", w.From)
	p.textIf("until", w.Until)
	p.textIf("limit", w.Limit)
	p.textIf("period", w.Period)
	p.textIf("resets_at", w.ResetsAt)
	p.valueIf("by", len(w.By) > 0, w.By)
	p.numberIf("would_give", w.WouldGive)
	p.numberIf("given", w.Given)
	p.text("cashier_text", w.CashierText)
	p.flag("upsell", w.Upsell)
	p.put('}')
}

func (p *pen) points(q *QuotedPoints) {
	p.key("points")
	p.put('{')
	if q.BalanceAfterPending != nil {
		p.number("balance_after_pending", *q.BalanceAfterPending)
	}
	if q.BalanceBefore != nil {
		p.number("balance_before", *q.BalanceBefore)
	}
	if len(q.EarnedBy) > 0 && p.open("earned_by", false) {
		for i := range q.EarnedBy {
			e := &q.EarnedBy[i]
			p.item(i)
			p.put('{')
			p.text("rule", e.Rule)
			p.numberIf("revision", e.Revision)
			p.textIf("text", e.Text)
			p.number("points", e.Points)
			p.put('}')
		}
		p.put(']')
	}
	p.textIf("spend_reason", q.SpendReason)
	p.number("to_earn", q.ToEarn)
	p.number("to_spend", q.ToSpend)
	p.put('}')
}

func (p *pen) totals(t *pricing.Totals) {
	p.key("totals")
	p.put('{')
	p.number("gross", t.Gross)
	p.number("discount", t.Discount)
	p.number("net", t.Net)
	p.number("points_paid", t.PointsPaid)
	p.number("to_pay", t.ToPay)
	p.put('}')
}
