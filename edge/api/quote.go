package api

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"time"

	"tillstream/edge/pricing"
	"tillstream/edge/programme"
	"tillstream/kv/record"
)

// clockSlack is how far a POS's clock may be from the node's before the cashier is told.
const clockSlack = 5 * time.Minute

// couponActive is the engine's word for a coupon that can be used.
const couponActive = "active"

// offer is a basket with all that it is priced by, and what came of it.
type offer struct {
	basket  *Basket
	account record.AccountID
	facts   facts
	rules   *programme.Revision // that it was priced by
	items   []programme.Item    // of the basket's lines, in its order; from rules
	quote   *pricing.Quote
	digest  string
	desk    *desk // it is made at; nothing of it is good any more when the desk is given back
}

// quoteBasket prices a basket. Nothing of it is kept, and nothing on the way waits for a network.
func (a *API) quoteBasket(_ context.Context, q question) (answer, error) {
	at := a.desks.take()
	o, training, err := a.readToQuote(q, at)
	if err != nil {
		return answer{}, err
	}
	if rid, err := record.ParseRID(o.basket.RID); err == nil && !training {
		a.site.basket(rid, o.account)
	}
	if err := a.gather(o, training); err != nil {
		return answer{}, err
	}
	if err := a.price(o, o.rules); err != nil {
		return answer{}, err
	}
	sheet := a.sheets.take()
	*sheet = appendQuote((*sheet)[:0], a.tellQuote(o))
	a.desks.give(at)
	return answer{status: http.StatusOK, body: json.RawMessage(*sheet), sheet: sheet}, nil
}

// readToQuote reads a basket that is to be quoted, and finds the rules for it.
func (a *API) readToQuote(q question, at *desk) (o *offer, training bool, err error) {
	body, err := a.read.basket(q.body, at)
	if err != nil {
		return nil, false, err
	}
	if training, err = trains(q.caller, body.Training); err != nil {
		return nil, false, err
	}
	o = &offer{basket: body, desk: at}
	d := body.head()
	if o.rules, err = a.read.quotedBy(&d); err != nil {
		return nil, false, err
	}
	var h record.Header
	if err := a.read.readWho(d, &h); err != nil {
		return nil, false, err
	}
	o.account = h.Account
	if body.At != "" {
		if _, err := readTime(body.At); err != nil {
			return nil, false, err
		}
	}
	return o, training, body.checkRest()
}

// gather finds the facts that a basket is priced by: what is known here and now.
func (a *API) gather(o *offer, training bool) error {
	now := a.cfg.Now()
	o.facts = facts{made: now.UnixMilli(), at: now.UnixMilli(), training: training}
	f := &o.facts
	if !training && !o.basket.Happened && (o.basket.spends() || len(o.basket.Coupons) > 0) {
		f.cut = a.cut()
	}
	if o.basket.At != "" {
		f.at, _ = readTime(o.basket.At) // it has been read before
	}
	for i := range o.basket.Tenders {
		f.tenders = append(f.tenders, o.basket.Tenders[i].Kind)
	}
	if !o.account.IsZero() {
		s, ok := a.cached(o.account)
		f.known = ok && s.AsOf > 0
		f.stale = !f.known || a.stale()
		if f.known {
			rid, _ := record.ParseRID(o.basket.RID) // it has been read before
			f.available, f.asOf = a.spendable(o.account, &s)+a.holds.mine(rid, o.account), s.AsOf
		}
		if a.cfg.Facts.Shopper != nil {
			f.shopper, _ = a.cfg.Facts.Shopper(o.account)
		}
	}
	return a.gatherCoupons(o)
}

func (a *API) gatherCoupons(o *offer) error {
	if len(o.basket.Coupons) == 0 {
		return nil
	}
	rid, err := record.ParseRID(o.basket.RID)
	if err != nil {
		return invalid("/rid", "want a UUID of version 7")
	}
	if err := a.mayGuess(rid, "/coupons", o.basket.ManagerCode); err != nil {
		for range o.basket.Coupons { // a sale that has happened is priced all the same, by none of them
			o.facts.coupons = append(o.facts.coupons, CouponFacts{State: couponUnknown})
		}
		return err
	}
	o.facts.left = maxGuesses
	o.facts.coupons = o.desk.facts[:0]
	for i := range o.basket.Coupons {
		c := a.coupon(o.basket.Coupons[i].Code, o.account)
		if c.State == couponUnknown {
			o.facts.left = max(a.guesses.wrong(rid, o.basket.Coupons[i].Code, a.cfg.Now()), 0)
		}
		if o.facts.cut && c.SingleUse && c.State == couponUsable {
			c.State = couponOffline
		}
		o.facts.coupons = append(o.facts.coupons, c)
	}
	o.desk.facts = o.facts.coupons
	return nil
}

// price prices an offer by its facts under a revision.
func (a *API) price(o *offer, r *programme.Revision) (err error) {
	b := o.basket
	if len(b.Lines) == 0 {
		return invalid("/lines", "want at least one line")
	}
	at, in := o.desk, &o.desk.basket
	at.items = slices.Grow(at.items[:0], len(b.Lines))[:len(b.Lines)]
	*in = pricing.Basket{
		Store: r.Store().String(), StoreSets: r.StoreSets(), Channel: b.Channel,
		At: time.UnixMilli(o.facts.at), Zone: r.Zone(), Currency: b.Currency,
		Lines: in.Lines[:0], Coupons: in.Coupons[:0], Tenders: o.facts.tenders, Limits: o.facts.shopper.Limits,
	}
	o.rules, o.items = r, at.items
	o.facts.revision = r.Number()
	if in.Channel == "" {
		in.Channel = "till"
	}
	for i := range b.Lines {
		if name, reason := b.Lines[i].wrong(); reason != "" {
			return invalid("/lines/"+strconv.Itoa(i)+"/"+name, reason)
		}
		o.items[i] = b.Lines[i].itemOf(r)
		in.Lines = append(in.Lines, b.Lines[i].priced(&o.items[i]))
	}
	if !o.account.IsZero() {
		s := &o.facts.shopper
		in.Shopper = &pricing.Shopper{
			ID: o.account.String(), Segments: s.Segments, Tier: s.Tier, Available: max(o.facts.available, 0),
			Birthday: s.Birthday, FirstPurchase: s.FirstPurchase,
		}
		if id := b.Shopper.Identifier; id.Kind == "card" {
			in.Shopper.Card = id.Value
		}
	}
	for i := range b.Coupons {
		c := pricing.Coupon{Code: b.Coupons[i].Code, Pool: o.facts.coupons[i].Pool, State: o.facts.coupons[i].State}
		if c.State == couponUsable {
			c.State = couponActive
		}
		in.Coupons = append(in.Coupons, c)
	}
	if b.PointsToSpend != nil && !o.facts.cut {
		in.Spend = pricing.Spend{Mode: b.PointsToSpend.Mode, Points: b.PointsToSpend.Points}
	}
	if o.quote, err = r.Pricing(b.Currency).QuoteOn(&at.paper, in); err != nil {
		return err
	}
	o.digest = digest(in, o)
	return nil
}

// itemOf gives what the item master says of a line's item, or what the POS says where the master is silent.
func (l *Line) itemOf(r *programme.Revision) programme.Item {
	it := r.Item(l.Item)
	if !it.Known {
		it.Category = l.Category
	}
	return it
}

// priced is a line as the engine takes it.
func (l *Line) priced(item *programme.Item) pricing.Line {
	p := pricing.Line{
		LineID: l.LineID, Item: cmp.Or(item.Code, l.Item), Description: l.Description, Quantity: l.Quantity, Unit: l.Unit,
		Amount: l.Amount, PriceOverride: l.PriceOverride, Facts: item.Item,
	}
	if l.Unit == "" && item.Known && item.Unit != record.UnitPiece {
		p.Unit = item.Unit.String()
	}
	if l.UnitPrice != nil {
		p.UnitPrice = *l.UnitPrice
	}
	if d := l.ManualDiscount; d != nil {
		p.ManualDiscount = &pricing.ManualDiscount{Amount: d.Amount, Reason: d.Reason}
	}
	return p
}

// digest names what was priced and what came of it. Two that are equal have the same lines, prices,
// discounts and points, in whatever order the lines came.
func digest(in *pricing.Basket, o *offer) string {
	const sheet = 1024
	sum := sha256.New()
	b := make([]byte, 0, sheet+256)
	text := func(s string) {
		if len(b) > sheet { // hashed as it comes: all of it would be 20 KB to be collected
			sum.Write(b)
			b = b[:0]
		}
		b = append(binary.AppendUvarint(b, uint64(len(s))), s...)
	}
	number := func(v int64) { b = binary.AppendVarint(b, v) }
	text(o.basket.RID)
	text(o.quote.Engine)
	number(int64(o.quote.Revision))
	number(o.facts.at)
	text(in.Store)
	text(in.Channel)
	text(in.Currency)
	b = append(b, o.account[:]...)
	text(in.Spend.Mode)
	number(in.Spend.Points)
	codes := make([]string, len(in.Coupons))
	for i := range in.Coupons {
		codes[i] = in.Coupons[i].Code + " " + in.Coupons[i].State
	}
	slices.Sort(codes)
	number(int64(len(codes)))
	for _, c := range codes {
		text(c)
	}
	for _, i := range o.basket.order() {
		l := &in.Lines[i]
		text(l.LineID)
		text(l.Item)
		text(l.Quantity)
		text(l.Unit)
		number(l.UnitPrice)
	}
	for i := range o.quote.Lines {
		l := &o.quote.Lines[i]
		text(l.LineID)
		for _, v := range [...]int64{l.Gross, l.Net, l.PointsPaid, l.ToPay, l.PointsSpent, l.PointsEarned, int64(len(l.Discounts))} {
			number(v)
		}
		for _, d := range l.Discounts {
			text(d.Promotion)
			number(d.Amount)
		}
	}
	for i := range o.quote.Promotions {
		p := &o.quote.Promotions[i]
		text(p.Promotion)
		text(p.Coupon)
		number(p.Revision)
		number(p.Amount)
		number(p.Applications)
	}
	number(o.quote.Points.Earned)
	number(o.quote.Points.Spent)
	sum.Write(b)
	return base64.RawURLEncoding.EncodeToString(sum.Sum(b[:0]))
}

// ageNeeded gives the highest age that the basket's items require, and the lines that require any.
func (o *offer) ageNeeded() (age int, lines []string) {
	for i := range o.items {
		if m := o.items[i].MinAge; m > 0 {
			age = max(age, m)
			lines = append(lines, o.basket.Lines[i].LineID)
		}
	}
	return age, lines
}

// ageCheck is the check that the cashier has to make, nil if none.
func (o *offer) ageCheck() *AgeCheck {
	age, lines := o.ageNeeded()
	if age == 0 {
		return nil
	}
	c := &AgeCheck{Required: age, Lines: lines, State: "waiting"}
	switch {
	case o.basket.Confirmed == nil:
	case o.basket.Confirmed.Age >= age:
		c.State = "confirmed"
	default:
		c.State = "refused"
	}
	return c
}

// takes gives the points and the single-use coupons that are in the quote.
func (o *offer) takes() (points int64, codes []string) {
	for i := range o.quote.Promotions {
		code := o.quote.Promotions[i].Coupon
		for k := range o.basket.Coupons {
			if code != "" && o.basket.Coupons[k].Code == code && o.facts.coupons[k].SingleUse {
				codes = append(codes, code)
			}
		}
	}
	return o.quote.Points.Spent, codes
}

// needsHold reports whether points or single-use coupons are in the quote.
func (o *offer) needsHold() bool {
	points, codes := o.takes()
	return points > 0 || len(codes) > 0
}
