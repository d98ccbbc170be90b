package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"tillstream/deploy/fleet"
	"tillstream/deploy/sales"
)

// quotes is what a run with --quotes knows of its receipts and hears of them.
type quotes struct {
	offers *sales.Offers
	costs  []sales.Cost   // per receipt: what an independent count says
	took   []atomic.Int64 // per receipt: nanoseconds that its quote took; zero: none
	again  atomic.Int64   // quotes asked for once more, because the till said that the first one has changed
	resent atomic.Int64   // quoted receipts sent once more, because the till did not answer
	flags  atomic.Int64   // receipts that a till has kept with a flag
	wrong  atomic.Int64   // differences from the count

	mu    sync.Mutex
	given map[string]*OfferFigures // guarded by mu: by promotion
}

func newQuotes(receipts []sales.Receipt, goods []sales.Good) *quotes {
	q := &quotes{offers: sales.NewOffers(goods), took: make([]atomic.Int64, len(receipts)), given: map[string]*OfferFigures{}}
	q.costs = make([]sales.Cost, len(receipts))
	for i := range receipts {
		q.costs[i] = q.offers.Cost(&receipts[i])
	}
	for _, id := range []string{sales.TenthOffLunchBags, sales.JumboBagFree, sales.FiveOffFifty} {
		q.given[id] = new(OfferFigures)
	}
	return q
}

// quote is what a POS reads of a till's quote.
type quote struct {
	Digest   string `json:"digest"`
	Revision uint32 `json:"revision"`
	Engine   string `json:"engine"`
	Context  string `json:"context"`
	Totals   struct {
		ToPay int64 `json:"to_pay"`
	} `json:"totals"`
	Points struct {
		ToEarn int64 `json:"to_earn"`
	} `json:"points"`
	Promotions []struct {
		Promotion string `json:"promotion"`
		Amount    int64  `json:"amount"`
	} `json:"promotions"`
	Committable bool `json:"committable"`
}

// off is what each promotion takes off.
func (q *quote) off() map[string]int64 {
	off := map[string]int64{}
	for _, p := range q.Promotions {
		off[p.Promotion] += p.Amount
	}
	return off
}

// most is how often a POS asks for a quote of one receipt. Each further one is a till that said 409.
const most = 10

// sellQuoted sells a receipt as a POS does that shows the shopper what it costs: quote, then receipt. A till
// that dies in between, or a quote that it does not know again, costs another quote, never another rid.
func (d *drive) sellQuoted(ctx context.Context, pos *fleet.POS, t *fleet.Till, k int, basket []byte) []byte {
	r := &d.receipts[k]
	for range most {
		start := time.Now()
		a, ok := d.ask(ctx, t, k, func() (fleet.Answer, error) { return pos.Quote(ctx, basket) })
		if !ok {
			return basket
		}
		var q quote
		if err := json.Unmarshal(a.Body, &q); a.Status != http.StatusOK || err != nil || !q.Committable {
			d.refuse(k, t, a)
			return basket
		}
		d.quotes.took[k].Store(max(int64(time.Since(start)), 1))
		d.quotes.match(d, k, q.Totals.ToPay, q.Points.ToEarn, "quoted")
		if off := q.off(); !maps.Equal(off, d.quotes.costs[k].Off) {
			d.differs(k, "is quoted with %v off, the independent count is %v", off, d.quotes.costs[k].Off)
		}
		if a, ok = d.commit(ctx, pos, t, k, q.receipt(basket)); !ok {
			return basket
		}
		if a.Status == http.StatusConflict {
			d.quotes.again.Add(1)
			continue
		}
		if a.Kept() {
			d.quotes.give(d.quotes.costs[k].Off)
		}
		d.hear(k, t, a)
		return basket
	}
	d.silent.Add(1)
	d.say(fmt.Sprintf("receipt %s: till %s quotes it %d times and takes none of them", r.Number, t.Name(), most))
	return basket
}

// commit sends a quoted receipt, the same bytes until the till answers. A till that has another body under the
// rid has sold the receipt in another run, when its quote was another: then the POS asks what became of it.
func (d *drive) commit(ctx context.Context, pos *fleet.POS, t *fleet.Till, k int, body []byte) (fleet.Answer, bool) {
	r := &d.receipts[k]
	d.start(k)
	tries := 0
	a, ok := d.ask(ctx, t, k, func() (fleet.Answer, error) {
		if tries++; tries == 2 {
			d.quotes.resent.Add(1)
		}
		return pos.Post(ctx, false, r.RID, body)
	})
	if !ok || a.Status != http.StatusUnprocessableEntity {
		return a, ok
	}
	refused := fleet.Answer{Status: a.Status, Body: append([]byte(nil), a.Body...)}
	if a, ok = d.ask(ctx, t, k, func() (fleet.Answer, error) { return pos.Find(ctx, r.RID) }); ok && !a.Kept() {
		return refused, ok
	}
	return a, ok
}

// receipt is the basket with what the quote said and how it was paid.
func (q *quote) receipt(basket []byte) []byte {
	b := make([]byte, 0, len(basket)+len(q.Context)+256)
	b = append(b, basket[:len(basket)-1]...)
	b = append(append(append(b, `,"quote":{"digest":"`...), q.Digest...), `","revision":`...) // base64, and a number
	b = strconv.AppendUint(b, uint64(q.Revision), 10)
	b = append(append(append(b, `,"engine":"`...), q.Engine...), `","context":"`...)
	b = append(append(b, q.Context...), `"},"tenders":[{"kind":"cash","amount":`...)
	return append(strconv.AppendInt(b, q.Totals.ToPay, 10), `}]}`...)
}

// committed holds a till's answer to a receipt or return against the count.
func (q *quotes) committed(d *drive, k int, body []byte) {
	var c struct {
		Flagged bool  `json:"flagged"`
		Total   int64 `json:"total"`
		Totals  *struct {
			ToPay int64 `json:"to_pay"`
		} `json:"totals"`
		Points struct {
			Earned    int64 `json:"earned"`
			TakenBack int64 `json:"taken_back"`
		} `json:"points"`
	}
	if err := json.Unmarshal(body, &c); err != nil {
		d.differs(k, "is answered with what cannot be read: %v", err)
		return
	}
	if c.Flagged {
		q.flags.Add(1)
	}
	if c.Totals != nil && !d.receipts[k].Return {
		c.Total = c.Totals.ToPay
	}
	q.match(d, k, c.Total, c.Points.Earned+c.Points.TakenBack, "kept")
}

// match wants a receipt to cost and to earn what the count says.
func (q *quotes) match(d *drive, k int, pays, points int64, how string) {
	if want := &q.costs[k]; pays != want.ToPay || points != want.Points {
		d.differs(k, "is %s at %d with %d points, the independent count is %d with %d", how, pays, points, want.ToPay, want.Points)
	}
}

func (d *drive) differs(k int, format string, args ...any) {
	d.quotes.wrong.Add(1)
	d.say("receipt " + d.receipts[k].Number + " " + fmt.Sprintf(format, args...))
}

func (q *quotes) give(off map[string]int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for id, amount := range off {
		q.given[id].Receipts++
		q.given[id].Amount += amount
	}
}

// OfferFigures are what one promotion gave.
type OfferFigures struct {
	Receipts int   `json:"receipts"`
	Amount   int64 `json:"amount"` // minor units
}

// QuoteFigures are what --json writes of a run with --quotes.
type QuoteFigures struct {
	Quoted     int                      `json:"receipts_quoted"`
	Plain      int                      `json:"receipts_without_quote"` // sales that no quote can take: corrections
	Promotions map[string]*OfferFigures `json:"promotions"`
	Saved      int64                    `json:"saved"` // by all promotions, minor units
	QuoteP50   int64                    `json:"quote_p50_us"`
	QuoteP99   int64                    `json:"quote_p99_us"`
	Again      int64                    `json:"quotes_changed"` // 409: quoted again
	Resent     int64                    `json:"receipts_resent"`
	Flagged    int64                    `json:"receipts_flagged"`
	Differ     int64                    `json:"differences"` // from the independent count
}

// figures are given when nothing is under way.
func (q *quotes) figures(d *drive) *QuoteFigures {
	g := &QuoteFigures{
		Promotions: q.given, Again: q.again.Load(), Resent: q.resent.Load(), Flagged: q.flags.Load(), Differ: q.wrong.Load(),
	}
	for k := range d.receipts {
		switch {
		case q.took[k].Load() != 0:
			g.Quoted++
		case !d.receipts[k].Return:
			g.Plain++
		}
	}
	for _, o := range q.given {
		g.Saved += o.Amount
	}
	p50, p99 := percentiles(q.took)
	g.QuoteP50, g.QuoteP99 = p50.Microseconds(), p99.Microseconds()
	return g
}

func (g *QuoteFigures) print(out io.Writer) {
	fmt.Fprintf(out, "%d receipts quoted, p50 %d us, p99 %d us; %d sales that no quote can take; %d quotes changed (409), %d receipts sent again, %d flagged\n",
		g.Quoted, g.QuoteP50, g.QuoteP99, g.Plain, g.Again, g.Resent, g.Flagged)
	for _, id := range slices.Sorted(maps.Keys(g.Promotions)) {
		o := g.Promotions[id]
		fmt.Fprintf(out, "%s gave %s on %d receipts\n", id, money(o.Amount), o.Receipts)
	}
	fmt.Fprintf(out, "shoppers saved %s; %d differences from the independent count\n", money(g.Saved), g.Differ)
}

// money writes hundredths.
func money(amount int64) string { return fmt.Sprintf("%d.%02d", amount/100, amount%100) }
