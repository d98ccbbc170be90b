package api

import (
	"bytes"
	"slices"
	"strconv"
	"unicode/utf8"

	"tillstream/edge/pricing"
	"tillstream/edge/programme"
	"tillstream/kv/record"
	"tillstream/subjects"
)

// basket decodes a body, and refuses what is wrong with it whatever it is for. What is as long as the basket goes to
// the desk.
func (r *reader) basket(b []byte, at *desk) (*Basket, error) {
	// The decoder would double the lines' array again and again: three quarters of what it allocates.
	body := &Basket{
		Lines:   slices.Grow(at.lines, min(bytes.Count(b, []byte(`"line_id"`)), record.MaxLines)),
		Coupons: at.coupons,
	}
	if err := r.decode(b, body); err != nil {
		return nil, err
	}
	at.lines, at.coupons = body.Lines, body.Coupons
	if len(body.Lines) > record.MaxLines {
		return nil, errTooMany
	}
	if field := body.paymentCard(r.own); field != "" {
		return nil, &cardError{field}
	}
	return body, nil
}

func (r *reader) decode(b []byte, v any) error {
	if len(b) > record.MaxBody {
		return errTooLarge
	}
	return decode(b, v)
}

// plainSum is lines that no promotion counts for, and their sum.
type plainSum struct {
	lines []pricing.Line
	pricing.Sum
}

// addUp checks lines and adds them up, as far as nothing depends on what the chain has set.
func addUp(kind record.Kind, currency string, lines []Line) (plainSum, error) {
	return sumUp(kind, currency, lines, pricing.Base(currency), func(*Line) programme.Item { return programme.Item{} })
}

// pricePlain prices lines without promotions, by the points policy and the items of a revision.
func pricePlain(kind record.Kind, currency string, lines []Line, r *programme.Revision) (plainSum, error) {
	return sumUp(kind, currency, lines, r.Pricing(currency).Plain(), func(l *Line) programme.Item { return l.itemOf(r) })
}

func sumUp(kind record.Kind, currency string, lines []Line, rules pricing.Plain, item func(*Line) programme.Item) (p plainSum, err error) {
	if len(lines) == 0 {
		return p, invalid("/lines", "want at least one line")
	}
	p.lines = make([]pricing.Line, len(lines))
	for i := range lines {
		if name, reason := lines[i].wrong(); reason != "" {
			return p, invalid("/lines/"+strconv.Itoa(i)+"/"+name, reason)
		}
		it := item(&lines[i])
		p.lines[i] = lines[i].priced(&it)
	}
	p.Sum, err = pricing.Price(kind, currency, p.lines, rules)
	if err == nil && p.lessOwn(lines) {
		p.Sum, err = pricing.Price(kind, currency, p.lines, rules)
	}
	return p, err
}

// lessOwn takes the POS's own discounts off what lines cost, and reports whether there are any. A line is never below
// zero by them.
func (p *plainSum) lessOwn(lines []Line) (some bool) {
	for i := range lines {
		gross := p.Lines[i].Gross
		if d := lines[i].ManualDiscount; d != nil && d.Amount > 0 && gross > 0 {
			net := gross - min(d.Amount, gross)
			p.lines[i].Amount, some = &net, true
		}
	}
	return some
}

// someEarnNothing reports whether points were left out for an item.
func (p *plainSum) someEarnNothing() bool {
	return slices.ContainsFunc(p.lines, func(l pricing.Line) bool { return l.Facts.NoPoints })
}

// wrong names the field that is wrong with a line, and why; pricing checks the numbers.
func (l *Line) wrong() (field, reason string) {
	switch {
	case l.LineID == "" || !isText(l.LineID, maxLineID):
		return "line_id", "want 1 to 36 printable characters"
	case l.Item == "" || !isText(l.Item, maxText):
		return "item", "want 1 to 64 printable characters"
	case len(l.Description) > maxDescription && utf8.RuneCountInString(l.Description) > maxDescription:
		return "description", "want at most 200 characters"
	case !isText(l.Category, maxDescription):
		return "category", "want at most 200 printable characters"
	case !isText(l.TaxCode, maxText):
		return "tax_code", "want at most 64 printable characters"
	case l.UnitPrice == nil && l.Amount == nil:
		return "unit_price", "is needed where there is no amount"
	}
	switch l.Entry {
	case "", "scanned", "keyed", "scale":
	default:
		return "entry", "want scanned, keyed or scale"
	}
	if d := l.ManualDiscount; d != nil {
		if d.Amount < 0 || d.Amount > pricing.MaxMoney {
			return "manual_discount/amount", "want 0 to 1000000000000"
		}
		if !isText(d.Reason, maxText) {
			return "manual_discount/reason", "want at most 64 printable characters"
		}
	}
	return "", ""
}

func checkTenders(tenders []Tender) error {
	if len(tenders) > maxTenders {
		return invalid("/tenders", "want at most 100")
	}
	for i := range tenders {
		t, at := &tenders[i], "/tenders/"+strconv.Itoa(i)
		if err := oneOf(at+"/kind", t.Kind, "cash", "card", "voucher", "points", "other"); err != nil {
			return err
		}
		if t.Amount == nil || *t.Amount > pricing.MaxMoney || *t.Amount < -pricing.MaxMoney {
			return invalid(at+"/amount", "want a whole number up to 1000000000000 either way")
		}
		if !isText(t.Reference, maxText) {
			return invalid(at+"/reference", "want at most 64 printable characters")
		}
	}
	return nil
}

// checkRest checks what is neither head nor line nor tender.
func (b *Basket) checkRest() error {
	if err := oneOf("/channel", b.Channel, "", "till", "self_checkout", "self_scan", "app", "web", "call_centre"); err != nil {
		return err
	}
	if b.TaxIncluded != nil && !*b.TaxIncluded {
		return invalid("/tax_included", "prices without tax are not taken yet")
	}
	if err := checkCoupons("/coupons", b.Coupons); err != nil {
		return err
	}
	if p := b.PointsToSpend; p != nil {
		if err := oneOf("/points_to_spend/mode", p.Mode, "none", "exact", "useful", "all"); err != nil {
			return err
		}
		if p.Points < 0 || p.Points > record.MaxPoints || p.Points > 0 && p.Mode != "exact" || p.Points == 0 && p.Mode == "exact" {
			return invalid("/points_to_spend/points", "want 1 to 1000000000000 with the mode exact, and none with another")
		}
	}
	if c := b.Confirmed; c != nil {
		if c.Age < 0 || c.Age > 130 {
			return invalid("/confirmed/age", "want 0 to 130")
		}
		if err := oneOf("/confirmed/method", c.Method, "", "id_seen", "known", "looks_older"); err != nil {
			return err
		}
		if _, err := subjects.ParseToken(c.By); c.By != "" && err != nil {
			return invalid("/confirmed/by", notToken)
		}
	}
	if b.Hold != "" {
		if _, err := record.ParseRID(b.Hold); err != nil {
			return invalid("/hold", "want a UUID of version 7")
		}
	}
	if b.Offline != nil {
		if _, err := readTime(b.Offline.Since); err != nil {
			return invalid("/offline/since", "want a time as RFC 3339 has it, with its offset")
		}
		if !isText(b.Offline.Reason, maxText) {
			return invalid("/offline/reason", "want at most 64 printable characters")
		}
	}
	if !isText(b.ManagerCode, maxText) {
		return invalid("/manager_code", "want at most 64 printable characters")
	}
	return checkTenders(b.Tenders)
}

func checkCoupons(field string, coupons []CouponCode) error {
	if len(coupons) > maxCoupons {
		return invalid(field, "want at most 20")
	}
	for i := range coupons {
		at := field + "/" + strconv.Itoa(i)
		if !isCode(coupons[i].Code) {
			return invalid(at+"/code", "want 1 to 64 printable ASCII characters without blanks")
		}
		if err := oneOf(at+"/entry", coupons[i].Entry, "", "scanned", "keyed", "tapped"); err != nil {
			return err
		}
	}
	return nil
}

// paymentCard gives the first field that holds the number of a payment card, or "".
func (b *Basket) paymentCard(own []string) string {
	d := b.head()
	if field := d.paymentCard(own); field != "" {
		return field
	}
	for _, f := range [...]struct{ field, text string }{{"/currency", b.Currency}, {"/channel", b.Channel}, {"/hold", b.Hold}, {"/manager_code", b.ManagerCode}} {
		if holdsPaymentCard(f.text, false, own) {
			return f.field
		}
	}
	for i := range b.Lines {
		if name := b.Lines[i].paymentCard(own); name != "" {
			return "/lines/" + strconv.Itoa(i) + "/" + name
		}
	}
	if field := couponCard("/coupons", b.Coupons, own); field != "" {
		return field
	}
	if b.Confirmed != nil && holdsPaymentCard(b.Confirmed.By, false, own) {
		return "/confirmed/by"
	}
	if b.Offline != nil && holdsPaymentCard(b.Offline.Reason, false, own) {
		return "/offline/reason"
	}
	return tenderCard(b.Tenders, own)
}

func couponCard(field string, coupons []CouponCode, own []string) string {
	for i := range coupons {
		if holdsPaymentCard(coupons[i].Code, true, own) {
			return field + "/" + strconv.Itoa(i) + "/code"
		}
	}
	return ""
}

func tenderCard(tenders []Tender, own []string) string {
	for i := range tenders {
		for _, f := range [...]struct{ name, text string }{{"kind", tenders[i].Kind}, {"reference", tenders[i].Reference}} {
			if holdsPaymentCard(f.text, false, own) {
				return "/tenders/" + strconv.Itoa(i) + "/" + f.name
			}
		}
	}
	return ""
}

func (l *Line) paymentCard(own []string) string {
	switch {
	case holdsPaymentCard(l.Item, true, own):
		return "item"
	case holdsPaymentCard(l.Description, false, own):
		return "description"
	case holdsPaymentCard(l.LineID, false, own):
		return "line_id"
	case holdsPaymentCard(l.Quantity, false, own):
		return "quantity"
	case holdsPaymentCard(l.Unit, false, own):
		return "unit"
	case holdsPaymentCard(l.Category, false, own):
		return "category"
	case holdsPaymentCard(l.TaxCode, false, own):
		return "tax_code"
	case l.ManualDiscount != nil && holdsPaymentCard(l.ManualDiscount.Reason, false, own):
		return "manual_discount/reason"
	}
	return ""
}
