package laws

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"tillstream/kv/record"
)

// Bill is what the lines of a sale cost, by their ids.
type Bill map[string]Line

// Line is what one line of a sale got, or what a return gave back of one.
type Line struct {
	Quantity int64            // thousandths
	Gross    int64            // minor units, as all money here
	Off      map[string]int64 // by promotion; those that are zero may lack
	Paid     int64            // of a sale: money that points paid
	Spent    int64            // points spent on it, or given back
	Earned   int64            // points earned with it, or taken back
	Money    int64            // to pay, or given back
}

// Kept is what a till has written behind a document of its POS.
type Kept struct {
	Sent    record.Hash // of the document as the POS sent it
	Bill    Bill        // of a sale: what it was priced to
	Given   Bill        // of a return or void: what came back
	Differs []string    // why it is flagged
}

// Differs of what is kept flagged.
const (
	differsDigest    = "digest"
	differsHold      = "hold"
	differsElsewhere = "returns_elsewhere"
)

func (k *Kept) differs(what string) bool {
	if k == nil {
		return false
	}
	for _, d := range k.Differs {
		if d == what {
			return true
		}
	}
	return false
}

// written is the last member of a kept document.
type written struct {
	Lines []struct {
		LineID    string      `json:"line_id"`
		Quantity  string      `json:"quantity"`
		Gross     int64       `json:"gross"`
		Off       [][2]int64  `json:"off"`
		Paid      int64       `json:"points_paid"`
		Spent     int64       `json:"points_spent"`
		Earned    int64       `json:"points_earned"`
		Discounts []lineShare `json:"discounts"`
		Taken     int64       `json:"points_taken_back"`
		Given     int64       `json:"points_given_back"`
		Money     int64       `json:"money_back"`
	} `json:"lines"`
	Promotions []struct {
		Promotion string `json:"promotion"`
	} `json:"promotions"`
	Differs []struct {
		What string `json:"what"`
	} `json:"differs"`
}

type lineShare struct {
	Promotion string `json:"promotion"`
	Amount    int64  `json:"amount"`
}

// readKept reads what a till has written behind a document. Nil: nothing, it is as the POS sent it.
func readKept(body []byte) (*Kept, error) {
	const priced, returned = `,"priced":`, `,"returned":`
	member := priced
	at := bytes.LastIndex(body, []byte(member+"{"))
	if at < 0 {
		member = returned
		at = bytes.LastIndex(body, []byte(member+"{"))
	}
	if at < 0 {
		return nil, nil
	}
	sent := append(append([]byte(nil), body[:at]...), '}')
	var w, doc written
	if err := json.Unmarshal(body[at+len(member):len(body)-1], &w); err != nil {
		return nil, fmt.Errorf("read what a till wrote behind a document: %w", err)
	}
	if err := json.Unmarshal(sent, &struct {
		Lines any `json:"lines"`
	}{&doc.Lines}); err != nil {
		return nil, fmt.Errorf("read a document: %w", err)
	}
	k := &Kept{Sent: record.Hash(sha256.Sum256(sent))}
	for _, d := range w.Differs {
		k.Differs = append(k.Differs, d.What)
	}
	if member == returned {
		k.Given = w.given()
		return k, nil
	}
	k.Bill = w.bill(doc)
	return k, nil
}

// bill is what a sale was priced to. Its quantities are the document's.
func (w *written) bill(doc written) Bill {
	b := Bill{}
	for _, l := range w.Lines {
		out := Line{Gross: l.Gross, Off: map[string]int64{}, Paid: l.Paid, Spent: l.Spent, Earned: l.Earned, Money: l.Gross - l.Paid}
		for _, off := range l.Off {
			name := "pos"
			if off[0] >= 0 && off[0] < int64(len(w.Promotions)) {
				name = w.Promotions[off[0]].Promotion
			}
			out.Off[name] += off[1]
			out.Money -= off[1]
		}
		for _, s := range doc.Lines {
			if s.LineID == l.LineID {
				out.Quantity, _ = Thousandths(s.Quantity)
			}
		}
		b[l.LineID] = out
	}
	return b
}

func (w *written) given() Bill {
	b := Bill{}
	for _, l := range w.Lines {
		out := Line{Gross: l.Gross, Off: map[string]int64{}, Spent: l.Given, Earned: l.Taken, Money: l.Money}
		out.Quantity, _ = Thousandths(l.Quantity)
		for _, d := range l.Discounts {
			out.Off[d.Promotion] += d.Amount
		}
		b[l.LineID] = out
	}
	return b
}

// Thousandths reads a quantity.
func Thousandths(text string) (int64, error) {
	whole, part, _ := strings.Cut(text, ".")
	if len(part) > 3 {
		return 0, fmt.Errorf("quantity %q: want at most three decimals", text)
	}
	n, err := strconv.ParseInt(whole+(part + "000")[:3], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("quantity %q: %w", text, err)
	}
	return n, nil
}

// same reports whether two bills say the same of each line.
func (b Bill) same(o Bill) bool {
	if len(b) != len(o) {
		return false
	}
	for id, l := range b {
		if k, ok := o[id]; !ok || !l.same(k) {
			return false
		}
	}
	return true
}

func (l Line) same(o Line) bool {
	for _, pair := range [2][2]Line{{l, o}, {o, l}} {
		for name, amount := range pair[0].Off {
			if pair[1].Off[name] != amount {
				return false
			}
		}
	}
	return l.Quantity == o.Quantity && l.Gross == o.Gross && l.Paid == o.Paid && l.Spent == o.Spent && l.Earned == o.Earned && l.Money == o.Money
}

// share is what a part of a line got: half up of its share at the quantity behind it, less that at the one
// before it. So whoever comes with the last of a line gets the rest, to the minor unit and the point.
func (l Line) share(before, now int64) Line {
	part := func(x int64) int64 {
		at := func(q int64) int64 { return (2*x*q + l.Quantity) / (2 * l.Quantity) }
		return at(before+now) - at(before)
	}
	out := Line{Quantity: now, Gross: part(l.Gross), Off: map[string]int64{}, Spent: part(l.Spent), Earned: part(l.Earned)}
	out.Money = out.Gross - part(l.Paid)
	for name, amount := range l.Off {
		out.Off[name] = part(amount)
		out.Money -= out.Off[name]
	}
	return out
}
