package soak

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"tillstream/deploy/laws"
	"tillstream/kv/record"
)

func sumOf(body []byte) record.Hash { return record.Hash(sha256.Sum256(body)) }

// beside draws a till whose sale comes back at n: n itself, another of its store, one of another store.
func (w *world) beside(n *node, r *rand.Rand) *node {
	tills := w.of(atTill)
	var own, far []*node
	for _, t := range tills {
		if t.target.store == n.target.store {
			own = append(own, t)
		} else {
			far = append(far, t)
		}
	}
	switch x := r.IntN(10); {
	case x < 3:
		return n
	case x < 6 || len(far) == 0:
		return own[r.IntN(len(own))]
	}
	return far[r.IntN(len(far))]
}

// bringBack has a shopper bring something back, to n.
func (w *world) bringBack(ctx context.Context, n *node, r *rand.Rand) {
	d := w.deals.draw(w.beside(n, r), r)
	if d == nil {
		return
	}
	if r.IntN(2) == 0 {
		w.paper(ctx, n, d, r)
	}
	w.bring(ctx, n, d, some(d, r))
}

// twice has the same pieces brought back in two places in one moment.
func (w *world) twice(ctx context.Context, n *node, r *rand.Rand) {
	d := w.deals.draw(w.beside(n, r), r)
	other := w.beside(n, r)
	if d == nil || other == n {
		return
	}
	lines := some(d, r)
	w.counts.act("returns tried at two tills in one moment", 1)
	var wg sync.WaitGroup
	for _, at := range []*node{n, other} {
		wg.Go(func() { w.bring(ctx, at, d, lines) })
	}
	wg.Wait()
}

// some draws what of a sale comes back: all, or pieces of some lines.
func some(d *deal, r *rand.Rand) map[string]int64 {
	lines := map[string]int64{}
	whole := r.IntN(3) == 0
	for _, l := range d.lines {
		switch {
		case whole:
			lines[l.id] = l.pieces
		case r.IntN(2) == 0:
			lines[l.id] = 1 + r.Int64N(l.pieces)
		}
	}
	if len(lines) == 0 {
		lines[d.lines[0].id] = 1
	}
	return lines
}

// paper asks what a sale was and what of it is left, as a POS does before it gives anything back.
func (w *world) paper(ctx context.Context, n *node, d *deal, r *rand.Rand) {
	disk := n.disk.Load()
	_, _, _, changed := w.sent.paper(d.x)
	if d.at == n && r.IntN(8) == 0 { // nobody has its rid, and the paper its number: this till's journal is read
		w.byNumber(ctx, n, d, disk)
	}
	status, said := w.ask(ctx, n, http.MethodGet, "/v1/receipts/"+d.x.RID.String()+"/sale", "", nil)
	var s struct {
		ToPay    int64 `json:"to_pay"`
		Complete bool  `json:"complete"`
		Lines    []struct {
			LineID string `json:"line_id"`
			Left   string `json:"left"`
			ToPay  int64  `json:"to_pay"`
		} `json:"lines"`
	}
	switch {
	case status == 0:
	case status == http.StatusNotFound:
		w.counts.act("sales that nobody could tell of", 1)
	case status != http.StatusOK || json.Unmarshal(said, &s) != nil:
		w.wrongAnswer(n, "answers %d when it is asked what sale %s was: %s", status, d.x.RID, said)
	default:
		w.counts.act("sales told", 1)
		for _, l := range s.Lines {
			left, err := laws.Thousandths(l.Left)
			bill := d.bill[l.LineID]
			if err != nil || left > bill.Quantity || left < bill.Quantity-1000*w.deals.most(d, l.LineID) || !changed && l.ToPay != bill.Money {
				w.wrongAnswer(n, "says of line %s of sale %s: %+v, want %+v and at least %d pieces less", l.LineID, d.x.RID, l, bill, w.deals.most(d, l.LineID))
			}
		}
	}
}

// byNumber wants a till to find what it has kept itself by the number on the paper.
func (w *world) byNumber(ctx context.Context, n *node, d *deal, disk int64) {
	doc, known, was, _ := w.sent.paper(d.x)
	if !known || was != disk {
		return
	}
	status, said := w.ask(ctx, n, http.MethodGet, "/v1/receipts?number="+doc.Number, "", nil)
	if status == 0 || n.disk.Load() != disk {
		return
	}
	w.counts.act("sales found by number", 1)
	if status != http.StatusOK || !strings.Contains(string(said), d.x.RID.String()) {
		w.wrongAnswer(n, "does not find sale %s by number %s: %d %s", d.x.RID, doc.Number, status, said)
	}
}

// bring sends a return of a sale until the till has it, or will not have it.
func (w *world) bring(ctx context.Context, n *node, d *deal, lines map[string]int64) {
	doc := head(record.NewRID(time.Now()))
	doc.Currency, doc.Of = "GBP", &saleOf{d.x.RID.String(), d.x.At.Store.String()}
	doc.Shopper = &who{}
	doc.Shopper.Identifier.Kind, doc.Shopper.Identifier.Value = "card", d.card
	x := &sale{customer: d.card, path: "/v1/returns", deal: d}
	x.Back = map[string]int64{}
	sum := int64(0)
	for _, l := range d.lines {
		if k := lines[l.id]; k > 0 {
			amount := d.bill[l.id].Money * k / l.pieces // what the paper says
			sum += amount
			doc.Lines = append(doc.Lines, documentLine{LineID: l.id, Item: "P0001", Quantity: strconv.FormatInt(k, 10), Unit: "pc", Amount: &amount})
			x.Back[l.id] = 1000 * k
		}
	}
	x.Points = sum / earnFor
	w.send(ctx, n, d, x, &doc, record.KindReturn, w.deals.begin(d, lines))
}

// undo has a sale undone where it was made.
func (w *world) undo(ctx context.Context, n *node, r *rand.Rand) {
	d := w.deals.draw(n, r)
	if d == nil {
		return
	}
	doc := head(record.NewRID(time.Now()))
	if sold, known, _, _ := w.sent.paper(d.x); known {
		doc.BusinessDate = sold.BusinessDate
	}
	x := &sale{customer: d.card, path: "/v1/receipts/" + d.x.RID.String() + "/void", deal: d}
	w.send(ctx, n, d, x, &doc, record.KindVoid, w.deals.begin(d, nil))
}

// send sends a return or a void.
func (w *world) send(ctx context.Context, n *node, d *deal, x *sale, doc *document, kind record.Kind, t *try) {
	body := doc.bytes()
	rid, _ := record.ParseRID(doc.RID)
	x.RID, x.Kind, x.At, x.Account, x.Of, x.Asked, x.Disk = rid, kind, n.place(), w.cards.Account(d.card), d.x.RID, time.Now(), n.disk.Load()
	x.body, x.Body, x.try = body, sumOf(body), t
	w.sent.send(x)
	status, said, _ := w.until(ctx, n, x, body)
	w.heard(n, x, status, said)
}

// heard judges what a till says to a return or void.
func (w *world) heard(n *node, x *sale, status int, said []byte) {
	d, void := x.deal, x.Kind == record.KindVoid
	_, _, disk, _ := w.sent.paper(d.x)
	switch _, name := readProblem(said); {
	case status == 0:
	case isKept(status):
		w.given(n, x, said)
	case status == http.StatusNotFound && void && (disk < 0 || n.disk.Load() != disk):
		w.sent.refuse(x) // the till has lost its disk since, and voids its own sales only
		w.counts.act("voids refused: the till had lost the sale", 1)
	case name == "void-too-late" && void: // midnight has passed
		w.sent.refuse(x)
	case (name == "return-too-much" || name == "receipt-voided") && w.deals.refuse(d, x.try, void):
		w.sent.refuse(x)
		w.counts.act("returns and voids refused: not so much was left", 1)
	default:
		w.sent.refuse(x)
		w.wrongAnswer(n, "answers %d to %s %s of sale %s: %s", status, x.Kind, x.RID, x.Of, said)
	}
}

// given counts what came back, and holds the money to what the lines say.
func (w *world) given(n *node, x *sale, said []byte) {
	var c committed
	if err := json.Unmarshal(said, &c); err != nil {
		w.wrongAnswer(n, "answers to return %s what cannot be read: %v", x.RID, err)
		return
	}
	told := c.told()
	w.sent.told(x, told)
	money := int64(0)
	for _, l := range told.Given {
		money += l.Money
	}
	where := "where it was sold"
	switch sold := x.deal.x.At; {
	case sold == x.At:
	case sold.Store == x.At.Store:
		where = "beside it"
	default:
		where = "in another store"
	}
	switch {
	case x.Kind == record.KindVoid:
		w.counts.act("voids", 1)
	case told.Verified:
		w.counts.act("returns "+where, 1)
		if told.Flagged {
			w.counts.act("returns without the centre's word", 1)
		}
	default:
		w.counts.act("returns before their sale", 1)
		if !told.Flagged || c.Link != "unverified" || told.Spent != 0 || told.Points != x.Points {
			w.wrongAnswer(n, "has return %s without its sale, with %+v", x.RID, *told)
		}
		return
	}
	w.counts.act("points given back", told.Spent)
	if money != told.Money {
		w.wrongAnswer(n, "gives %d back for return %s, its lines say %d", told.Money, x.RID, money)
	}
}

// again sends once more what a till had answered before it lost its disk.
func (w *world) again(ctx context.Context, n *node, x resale) {
	status, said, _ := w.until(ctx, n, x.sale, x.bytes)
	if status == 0 || isKept(status) {
		return
	}
	if x.Kind != record.KindSale {
		w.heard(n, x.sale, status, said)
		return
	}
	_, name := readProblem(said)
	var doc document
	if name != "hold-expired" && name != "quote-changed" && name != "quote-too-old" && name != "key-reused" || json.Unmarshal(x.bytes, &doc) != nil {
		w.wrongAnswer(n, "answers %d to receipt %s, sent again: %s", status, x.RID, said)
		return
	}
	if name == "key-reused" {
		return // it has a quote of before
	}
	doc.Happened = true
	if doc.Spend = nil; x.Spent > 0 {
		doc.Spend = &spend{"exact", x.Spent}
	}
	body := doc.bytes()
	w.sent.change(x.sale, func() { x.Body, x.Fact = sumOf(body), true })
	w.counts.act("receipts sent as facts", 1)
	if status, said, _ = w.until(ctx, n, x.sale, body); status != 0 && !isKept(status) {
		w.wrongAnswer(n, "answers %d to receipt %s, sent again as a fact: %s", status, x.RID, said)
	}
}
