package soak

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"tillstream/deploy/laws"
	"tillstream/kv/record"
)

// What shoppers do beside buying: pay with points, bring goods back, have a sale undone. Few cards are used at all
// tills, so the same points are wanted at several of them.
const (
	shoppers   = 30  // cards
	actShare   = 5   // one of so many questions is such an act
	actsAtOnce = 6   // at a till
	remember   = 200 // sales of a till of which something may come back
	triesMost  = 6   // returns and voids of one sale

	dawdle = 6 * time.Second
)

// deals are the sales of which something may come back.
type deals struct {
	mu  sync.Mutex
	all map[*node][]*deal // guarded by mu; by the till that sold
}

// deal is a sale with a quote as its shopper has it on paper.
type deal struct {
	x     *sale
	at    *node
	card  string
	lines []item
	bill  laws.Bill

	tries []*try // guarded by deals.mu; what was begun to be given back, in vain or not
}

// item is a line: pieces at a price.
type item struct {
	id     string
	pieces int64
	price  int64
}

// try is a return or void that a till was asked for.
type try struct {
	lines map[string]int64 // pieces; nil: all that is left
	over  bool             // the till has refused it
}

// shop has a till's shoppers do something every so often, as drive has them buy.
func (w *world) shop(ctx, last context.Context, n *node, every time.Duration) {
	next := make(chan uint64)
	for range actsAtOnce {
		w.wg.Go(func() {
			for number := range next {
				w.act(ctx, last, n, rand.New(rand.NewPCG(w.cfg.Seed, number)))
			}
		})
	}
	w.wg.Go(func() {
		defer close(next)
		tick := time.NewTicker(every)
		defer tick.Stop()
		number := uint64(n.target.store*1000+n.target.till+1) << 32
		for {
			number++
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
			select {
			case next <- number:
			case <-ctx.Done():
				return
			}
		}
	})
}

// act has one shopper do something.
func (w *world) act(ctx, last context.Context, n *node, r *rand.Rand) {
	switch x := r.IntN(100); {
	case x < 55:
		w.buy(ctx, last, n, r)
	case x < 63:
		w.undo(last, n, r)
	case x < 68:
		w.twice(last, n, r)
	default:
		w.bringBack(last, n, r)
	}
}

// sold notes a sale of which something may come back.
func (d *deals) sold(x *deal) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.all == nil {
		d.all = map[*node][]*deal{}
	}
	list := append(d.all[x.at], x)
	d.all[x.at] = list[max(0, len(list)-remember):]
}

// draw gives a sale of a till; the newest as often as all others. Nil: there is none.
func (d *deals) draw(at *node, r *rand.Rand) *deal {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := d.all[at]
	if len(list) == 0 {
		return nil
	}
	x := list[len(list)-1]
	if r.IntN(2) == 0 {
		x = list[r.IntN(len(list))]
	}
	if len(x.tries) >= triesMost {
		return nil
	}
	return x
}

// begin notes what is about to be asked for.
func (d *deals) begin(x *deal, lines map[string]int64) *try {
	d.mu.Lock()
	defer d.mu.Unlock()
	t := &try{lines: lines}
	x.tries = append(x.tries, t)
	return t
}

// refuse notes that a till will not have it, and reports whether others may be why: they have taken all of the sale,
// or so much of a line that what was asked for is not left.
func (d *deals) refuse(x *deal, t *try, void bool) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	t.over = true
	all := true
	for _, l := range x.lines {
		taken := int64(0)
		for _, o := range x.tries {
			switch {
			case o == t || o.over:
			case o.lines == nil:
				return true
			default:
				taken += o.lines[l.id]
			}
		}
		if !void && taken+t.lines[l.id] > l.pieces {
			return true
		}
		all = all && taken >= l.pieces
	}
	return all
}

// most is how much of a line may have come back.
func (d *deals) most(x *deal, line string) (pieces int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, o := range x.tries {
		if o.lines == nil {
			return 1 << 40
		}
		pieces += o.lines[line]
	}
	return pieces
}

// document is what a POS sends about goods: a basket, a receipt, a return or a void.
type document struct {
	RID          string         `json:"rid"`
	Number       string         `json:"receipt_number,omitempty"`
	Of           *saleOf        `json:"of,omitempty"`
	Currency     string         `json:"currency,omitempty"`
	At           string         `json:"at,omitempty"`
	BusinessDate string         `json:"business_date,omitempty"`
	Shopper      *who           `json:"shopper,omitempty"`
	Lines        []documentLine `json:"lines,omitempty"`
	Spend        *spend         `json:"points_to_spend,omitempty"`
	Hold         string         `json:"hold,omitempty"`
	Quote        *quoted        `json:"quote,omitempty"`
	Tenders      []tender       `json:"tenders,omitempty"`
	Happened     bool           `json:"happened,omitempty"`
}

type saleOf struct {
	RID   string `json:"rid"`
	Store string `json:"store,omitempty"`
}

type who struct {
	Identifier struct {
		Kind  string `json:"kind"`
		Value string `json:"value"`
	} `json:"identifier"`
}

type documentLine struct {
	LineID   string `json:"line_id"`
	Item     string `json:"item,omitempty"`
	Quantity string `json:"quantity"`
	Unit     string `json:"unit,omitempty"`
	Price    int64  `json:"unit_price,omitempty"`
	Amount   *int64 `json:"amount,omitempty"`
}

type spend struct {
	Mode   string `json:"mode"`
	Points int64  `json:"points,omitempty"`
}

type quoted struct {
	Digest   string `json:"digest"`
	Revision uint32 `json:"revision"`
	Engine   string `json:"engine"`
	Context  string `json:"context"`
}

type tender struct {
	Kind   string `json:"kind"`
	Amount int64  `json:"amount"`
}

// problem is what a till says is wrong.
type problem struct {
	Type   string `json:"type"`
	Detail string `json:"detail"`
	Quote  *quote `json:"quote"`
}

// committed is what a till says of what it keeps.
type committed struct {
	Flagged bool   `json:"flagged"`
	Link    string `json:"link"`
	Total   int64  `json:"total"`
	Totals  *struct {
		ToPay int64 `json:"to_pay"`
	} `json:"totals"`
	Points struct {
		Earned    int64 `json:"earned"`
		Spent     int64 `json:"spent"`
		TakenBack int64 `json:"taken_back"`
		GivenBack int64 `json:"given_back"`
	} `json:"points"`
	Lines []struct {
		LineID    string  `json:"line_id"`
		Quantity  string  `json:"quantity"`
		Gross     int64   `json:"gross"`
		Discounts []share `json:"discounts"`
		Taken     int64   `json:"points_taken_back"`
		Given     int64   `json:"points_given_back"`
		Money     int64   `json:"money_back"`
	} `json:"lines"`
}

type share struct {
	Promotion string `json:"promotion"`
	Amount    int64  `json:"amount"`
}

// told is what the laws want to know of it.
func (c *committed) told() *laws.Told {
	t := &laws.Told{
		Points: c.Points.Earned + c.Points.TakenBack, Spent: c.Points.Spent + c.Points.GivenBack, Money: c.Total,
		Flagged: c.Flagged, Verified: c.Link == "verified",
	}
	if c.Totals != nil {
		t.Money = c.Totals.ToPay
	}
	if len(c.Lines) > 0 {
		t.Given = laws.Bill{}
	}
	for _, l := range c.Lines {
		out := laws.Line{Gross: l.Gross, Off: map[string]int64{}, Earned: l.Taken, Spent: l.Given, Money: l.Money}
		out.Quantity, _ = laws.Thousandths(l.Quantity)
		for _, d := range l.Discounts {
			out.Off[d.Promotion] += d.Amount
		}
		t.Given[l.LineID] = out
	}
	return t
}

// head makes a document of now.
func head(rid record.RID) document {
	now := time.Now()
	return document{RID: rid.String(), At: now.Format(time.RFC3339), BusinessDate: now.Format(time.DateOnly)}
}

func (d *document) bytes() []byte {
	b, _ := json.Marshal(d) // strings and numbers
	return b
}

// ask asks a till for what keeps nothing until it answers, as often as need be. Zero: nobody waits any more.
func (w *world) ask(ctx context.Context, n *node, method, path, key string, body []byte) (status int, said []byte) {
	for o := (owing{}); ; {
		began := o.ask(n)
		status, said, err := n.put(ctx, w.cfg.Deadline, method, path, key, body)
		owed := o.owed(n) && o.over(w.cfg.Deadline)
		switch {
		case err == nil && !later(status):
			return status, said
		case err == nil && owed:
			w.counts.refuse(fmt.Sprintf("till %s, up and left alone, answers %d to %s %s: %s", n.place(), status, method, path, said))
		case err != nil && owed && ctx.Err() == nil:
			w.counts.late(fmt.Sprintf("till %s, up and left alone, to %s %s at %s: %v", n.place(), method, path, began.Format("15:04:05.000"), err))
		}
		if !sleep(ctx, tryAgain) {
			return 0, nil
		}
	}
}

// readProblem reads what is wrong, without the slashes before its name.
func readProblem(said []byte) (p problem, name string) {
	_ = json.Unmarshal(said, &p) // one that cannot be read has no name
	if len(p.Type) > len("/problems/") {
		name = p.Type[len("/problems/"):]
	}
	return p, name
}

// card is a shopper's.
func card(r *rand.Rand) string { return strconv.Itoa(70001 + r.IntN(shoppers)) }

func (w *world) wrongAnswer(n *node, format string, args ...any) {
	w.counts.refuse(fmt.Sprintf("till %s ", n.place()) + fmt.Sprintf(format, args...))
}
