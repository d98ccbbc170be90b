package soak

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"time"

	"tillstream/deploy/laws"
	"tillstream/kv/record"
)

// quote is what a till says that a basket costs.
type quote struct {
	quoted
	Lines []struct {
		LineID    string  `json:"line_id"`
		Gross     int64   `json:"gross"`
		Discounts []share `json:"discounts"`
		Paid      int64   `json:"points_paid"`
		ToPay     int64   `json:"to_pay"`
		Spent     int64   `json:"points_spent"`
		Earned    int64   `json:"points_earned"`
	} `json:"lines"`
	Totals struct {
		ToPay int64 `json:"to_pay"`
	} `json:"totals"`
	Points struct {
		ToEarn  int64  `json:"to_earn"`
		ToSpend int64  `json:"to_spend"`
		Reason  string `json:"spend_reason"`
	} `json:"points"`
	HoldNeeded bool `json:"hold_needed"`
}

// The reasons that the API's document has for fewer points than were asked for. A till that has lost its
// programme with its disk has none, and its revision is the first.
var reasons = []string{"balance", "max_share", "min_spend", "block", "offline_not_allowed"}

// quotesMost is how often a POS asks what one basket costs. Each further one is an answer that said to.
const quotesMost = 12

// purchase is a basket on its way to a receipt.
type purchase struct {
	w    *world
	n    *node
	r    *rand.Rand
	d    *deal
	doc  document
	q    quote
	hold *laws.Hold // nil: nothing is set aside
}

// buy has a shopper buy something, with points if there are any.
func (w *world) buy(ctx, last context.Context, n *node, r *rand.Rand) {
	p := &purchase{w: w, n: n, r: r, d: &deal{at: n, card: card(r)}, doc: head(record.NewRID(time.Now()))}
	p.doc.Currency, p.doc.Number = "GBP", "S"+strconv.Itoa(r.IntN(100000))
	p.doc.Shopper = &who{}
	p.doc.Shopper.Identifier.Kind, p.doc.Shopper.Identifier.Value = "card", p.d.card
	for i := range 1 + r.IntN(5) {
		l := item{strconv.Itoa(i + 1), 1 + r.Int64N(4), 50 + r.Int64N(2500)}
		p.d.lines = append(p.d.lines, l)
		p.doc.Lines = append(p.doc.Lines, documentLine{
			LineID: l.id, Item: fmt.Sprintf("P%04d", r.IntN(1000)), Quantity: strconv.FormatInt(l.pieces, 10), Unit: "pc", Price: l.price,
		})
	}
	switch x := r.IntN(20); {
	case x < 6:
	case x < 15:
		p.doc.Spend = &spend{"exact", 1 + r.Int64N(60)}
	case x < 17:
		p.doc.Spend = &spend{Mode: "all"}
	default:
		p.doc.Spend = &spend{Mode: "useful"}
	}
	if !p.quote(ctx) || !p.setAside(ctx) || p.leave(ctx) {
		return
	}
	p.pay(last)
}

// quote asks what the basket costs.
func (p *purchase) quote(ctx context.Context) bool {
	status, said := p.w.ask(ctx, p.n, http.MethodPost, "/v1/quotes", "", p.doc.bytes())
	if status == 0 {
		return false
	}
	p.q = quote{}
	if err := json.Unmarshal(said, &p.q); err != nil || status != http.StatusOK {
		p.w.wrongAnswer(p.n, "answers %d to a basket: %s", status, said)
		return false
	}
	return p.check()
}

// check holds a quote to what its numbers must be.
func (p *purchase) check() bool {
	q := &p.q
	var pay, paid, spent, earned int64
	wrong := len(q.Lines) != len(p.d.lines)
	for _, l := range q.Lines {
		i := slices.IndexFunc(p.d.lines, func(i item) bool { return i.id == l.LineID })
		net := l.Gross
		for _, d := range l.Discounts {
			net -= d.Amount
		}
		wrong = wrong || i < 0 || l.Gross != p.d.lines[i].pieces*p.d.lines[i].price || net < 0 || l.ToPay != net-l.Paid || l.ToPay < 0
		pay, paid, spent, earned = pay+l.ToPay, paid+l.Paid, spent+l.Spent, earned+l.Earned
	}
	asked := int64(0)
	if s := p.doc.Spend; s != nil {
		if asked = s.Points; s.Mode != "exact" {
			asked = q.Points.ToSpend
		}
	}
	wrong = wrong || pay != q.Totals.ToPay || spent != q.Points.ToSpend || earned != q.Points.ToEarn || earned != pay/earnFor ||
		q.Points.ToSpend > asked || paid > spent*pointPays || paid <= (spent-1)*pointPays && spent > 0 || q.HoldNeeded != (spent > 0)
	if wrong {
		p.w.wrongAnswer(p.n, "quotes %+v for %+v, spending %+v", *q, p.d.lines, p.doc.Spend)
		return false
	}
	if q.Points.ToSpend < asked {
		if q.Revision != 1 && !slices.Contains(reasons, q.Points.Reason) {
			p.w.wrongAnswer(p.n, "gives %d of %d points and the reason %q", q.Points.ToSpend, asked, q.Points.Reason)
		}
		if q.Points.ToSpend == 0 && q.Points.Reason == "offline_not_allowed" {
			p.w.counts.act("points refused while cut off", 1)
		}
	}
	return true
}

// without quotes the basket again, without points.
func (p *purchase) without(ctx context.Context) bool {
	p.doc.Spend, p.hold = nil, nil
	return p.quote(ctx)
}

// setAside has the points of the quote held. Whatever keeps anybody from doing that, the sale goes on.
func (p *purchase) setAside(ctx context.Context) bool {
	if p.q.Points.ToSpend == 0 {
		return true
	}
	c := p.w.counts
	id := record.NewRID(time.Now())
	body, _ := json.Marshal(map[string]any{"rid": p.doc.RID, "shopper": p.doc.Shopper, "points": p.q.Points.ToSpend}) // as above
	status, said, err := p.n.put(ctx, p.w.cfg.Deadline, http.MethodPost, "/v1/holds", id.String(), body)
	if err != nil { // it may stand: asked once, and then left to itself
		status, said, err = p.n.put(ctx, p.w.cfg.Deadline, http.MethodGet, "/v1/holds/"+id.String(), "", nil)
	}
	var h struct {
		State  string `json:"state"`
		Points int64  `json:"points"`
	}
	switch _, name := readProblem(said); {
	case ctx.Err() != nil:
		return false
	case err != nil || status == http.StatusNotFound:
		c.act("holds without an answer", 1)
	case isKept(status) && json.Unmarshal(said, &h) == nil && h.State == "placed" && h.Points == p.q.Points.ToSpend:
		rid, _ := record.ParseRID(p.doc.RID)
		p.hold = &laws.Hold{ID: id, RID: rid, Account: p.w.cards.Account(p.d.card), Points: h.Points, At: p.n.place()}
		p.w.sent.hold(p.hold)
		c.act("holds placed", 1)
		return true
	case status == http.StatusConflict && name == "hold-refused":
		c.act("holds refused: the points were elsewhere", 1)
	case status == http.StatusServiceUnavailable:
		c.act("holds not to be had just now", 1)
	default:
		p.w.wrongAnswer(p.n, "answers %d to a hold: %s", status, said)
	}
	return p.without(ctx)
}

// leave has some shoppers think better of it, with what is set aside or after giving it back, and others take
// their time.
func (p *purchase) leave(ctx context.Context) bool {
	if p.hold == nil {
		return false
	}
	switch x := p.r.IntN(100); {
	case x < 8:
		p.w.counts.act("holds left to die", 1)
		return true
	case x < 16:
		status, said, err := p.n.put(ctx, p.w.cfg.Deadline, http.MethodDelete, "/v1/holds/"+p.hold.ID.String(), "", nil)
		var h struct {
			State string `json:"state"`
		}
		if err == nil && status == http.StatusOK && json.Unmarshal(said, &h) == nil && h.State != "placed" && h.State != "used" {
			p.w.sent.freed(p.hold)
			p.w.counts.act("holds released", 1)
		}
		return true
	case x < 26:
		return !sleep(ctx, time.Duration(p.r.Int64N(int64(p.w.dawdle))))
	}
	return false
}

// pay sends the receipt until the till has it, with another quote if the till wants one.
func (p *purchase) pay(ctx context.Context) {
	w, n := p.w, p.n
	rid, _ := record.ParseRID(p.doc.RID)
	x := &sale{customer: p.d.card, path: "/v1/receipts", deal: p.d}
	x.RID, x.Kind, x.At, x.Account, x.Asked, x.Disk = rid, record.KindSale, n.place(), w.cards.Account(p.d.card), time.Now(), n.disk.Load()
	p.d.x = x
	for range quotesMost {
		p.write(x)
		if x.before == nil {
			w.sent.send(x)
		}
		status, said, times := w.until(ctx, n, x, x.body)
		switch pr, name := readProblem(said); {
		case status == 0:
			return
		case isKept(status):
			p.done(x, said)
			return
		case name == "hold-expired" || name == "hold-needed" || name == "quote-changed" || name == "quote-too-old":
			w.counts.act("receipts answered "+name, 1)
			if !p.other(ctx, pr.Quote, name, times > 1) {
				return
			}
		case name == "key-reused": // it was kept, with a quote of before
			if status, _ = w.ask(ctx, n, http.MethodGet, "/v1/receipts/"+p.doc.RID, "", nil); status == http.StatusOK {
				w.sent.answered(x, time.Now(), time.Now(), -1)
				w.sent.change(x, func() { x.Disk = -1 })
				p.keep(x)
				return
			}
		default:
			w.wrongAnswer(n, "answers %d to receipt %s: %s", status, x.RID, said)
			return
		}
	}
	w.wrongAnswer(n, "quotes receipt %s %d times and takes none of them", x.RID, quotesMost)
}

// write writes the receipt as it is to be sent.
func (p *purchase) write(x *sale) {
	p.doc.Quote, p.doc.Hold = &quoted{p.q.Digest, p.q.Revision, p.q.Engine, p.q.Context}, ""
	p.doc.Tenders = []tender{{"cash", p.q.Totals.ToPay}}
	if p.hold != nil {
		p.doc.Hold = p.hold.ID.String()
	}
	body := p.doc.bytes()
	p.w.sent.change(x, func() {
		x.body, x.Body, x.Bill, x.Points, x.Spent, x.Hold, x.Fact = body, sumOf(body), p.bill(), p.q.Points.ToEarn, p.q.Points.ToSpend, record.RID{}, p.doc.Happened
		if p.hold != nil {
			x.Hold = p.hold.ID
		}
	})
}

// other makes another receipt of what a till does not take: what was paid already is a fact, or else the shopper
// is shown what it costs now.
func (p *purchase) other(ctx context.Context, now *quote, name string, sent bool) bool {
	if sent || p.r.IntN(2) == 0 {
		p.doc.Happened = true
		if p.doc.Spend = nil; p.q.Points.ToSpend > 0 { // a fact is so many
			p.doc.Spend = &spend{"exact", p.q.Points.ToSpend}
		}
		p.w.counts.act("receipts sent as facts", 1)
		return true
	}
	if name == "hold-expired" || name == "hold-needed" || now == nil {
		return p.without(ctx)
	}
	held := p.q.Points.ToSpend
	p.q = *now
	if !p.check() {
		return false
	}
	if p.q.Points.ToSpend != held {
		return p.without(ctx)
	}
	return true
}

// done holds what a till says of the receipt to what it had quoted.
func (p *purchase) done(x *sale, said []byte) {
	var c committed
	if err := json.Unmarshal(said, &c); err != nil {
		p.w.wrongAnswer(p.n, "answers to receipt %s what cannot be read: %v", x.RID, err)
		return
	}
	told := c.told()
	p.w.sent.told(x, told)
	if told.Spent != p.q.Points.ToSpend || !told.Flagged && (told.Points != p.q.Points.ToEarn || told.Money != p.q.Totals.ToPay) || told.Flagged && !p.doc.Happened {
		p.w.wrongAnswer(p.n, "has receipt %s with %+v, and had quoted %+v", x.RID, *told, p.q)
	}
	p.keep(x)
}

func (p *purchase) keep(x *sale) {
	p.d.bill = x.Bill
	p.w.counts.act("sales with a quote", 1)
	if x.Spent > 0 {
		p.w.counts.act("sales paid with points", 1)
		p.w.counts.act("points spent", x.Spent)
	}
	p.w.deals.sold(p.d)
}

// bill is what the quote says that each line costs.
func (p *purchase) bill() laws.Bill {
	b := laws.Bill{}
	for i, l := range p.q.Lines {
		out := laws.Line{Gross: l.Gross, Off: map[string]int64{}, Paid: l.Paid, Spent: l.Spent, Earned: l.Earned, Money: l.ToPay}
		for _, d := range l.Discounts {
			out.Off[d.Promotion] += d.Amount
		}
		out.Quantity, _ = laws.Thousandths(p.doc.Lines[i].Quantity) // both are by line id
		b[l.LineID] = out
	}
	return b
}
