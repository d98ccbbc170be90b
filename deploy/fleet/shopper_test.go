package fleet_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"tillstream/central/gateway"
	"tillstream/deploy/fleet"
	"tillstream/deploy/ops"
	"tillstream/deploy/sales"
	"tillstream/edge/api"
	"tillstream/kv/record"
)

// purchase makes a sale of one line to a card. A whole unit of the amount earns a point.
func purchase(card string, amount int64) sales.Receipt {
	now := time.Now().UTC().Truncate(time.Second)
	rid := record.NewRID(now)
	return sales.Receipt{
		Number: rid.String(), At: now, Customer: card, Currency: "GBP", RID: rid,
		Lines: []sales.Line{{Item: "20001", Description: "RED TIN MUG", Quantity: "1", Amount: amount}},
	}
}

// give posts one receipt to one till, as a POS does, and wants it answered at once and never seen before.
func give(t *testing.T, at *fleet.Till, r sales.Receipt) sales.Receipt {
	t.Helper()
	if a := ask(t, at, r); a.Status != http.StatusCreated {
		t.Fatalf("receipt at till %s: %d %s", at.Name(), a.Status, a.Body)
	}
	return r
}

// caller makes a connection for each question. Nodes here die and start again at their addresses: a connection to a
// node's former life takes a question, and breaks.
var caller = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

// ask posts one receipt to one till.
func ask(t *testing.T, at *fleet.Till, r sales.Receipt) fleet.Answer {
	t.Helper()
	a, err := at.Sell(within(t, 10*time.Second), caller, &r)
	must(t, err)
	return a
}

// look asks a till who a card's holder is.
func look(t *testing.T, at *fleet.Till, card string) (status int, s api.Shopper) {
	t.Helper()
	a, err := fleet.Lookup(within(t, 10*time.Second), caller, at.URL(), card)
	must(t, err)
	if a.Status == http.StatusOK {
		if err := json.Unmarshal(a.Body, &s); err != nil {
			t.Fatalf("look-up at till %s: %v in %s", at.Name(), err, a.Body)
		}
	}
	return a.Status, s
}

// none stands for a number that a till does not give.
const none = -1 << 62

func value(p *int64) int64 {
	if p == nil {
		return none
	}
	return *p
}

// sees asks a till once what a card's holder has: points that may be spent, and points not posted yet.
func sees(t *testing.T, at *fleet.Till, card string, available, pending int64) error {
	t.Helper()
	status, s := look(t, at, card)
	if status != http.StatusOK || s.Points == nil {
		return fmt.Errorf("till %s: %d, known %v, no points; want available %d, pending %d", at.Name(), status, s.Known, available, pending)
	}
	if a, p := value(s.Points.Available), value(s.Points.Pending); a != available || p != pending {
		return fmt.Errorf("till %s: available %d, pending %d, from %s; want %d and %d", at.Name(), a, p, s.Source, available, pending)
	}
	return nil
}

// willSee waits until a till says so.
func willSee(t *testing.T, at *fleet.Till, card string, available, pending int64) {
	t.Helper()
	await(t, "look-up of "+card, func() error { return sees(t, at, card, available, pending) })
}

// willKnow waits until a node knows this by itself, whatever happens to its link.
func willKnow(t *testing.T, f *fleet.Fleet, e *fleet.Edge, card string, balance, pending int64) {
	t.Helper()
	await(t, "know "+card, func() error {
		s, known, err := e.Node().Shopper(f.Cards().Account(card))
		if err != nil || !known || s.AsOf == 0 || s.Balance != balance || s.Pending != pending {
			return fmt.Errorf("%s: known %v, %+v, %v; want balance %d, pending %d", e.Name(), known, s, err, balance, pending)
		}
		return nil
	})
}

// account asks each node of the centre for an account, and wants the same balance of all.
func account(t *testing.T, f *fleet.Fleet, card string, balance, debt int64) (a gateway.Account) {
	t.Helper()
	for _, c := range f.Centre() {
		var err error
		a, err = ops.Client{URLs: []string{c.Node().URL()}}.Account(within(t, 10*time.Second), gateway.AccountQuestion{Card: card})
		if err != nil {
			t.Fatalf("account of %s at node %s: %v", card, c.Name(), err)
		}
		if a.Balance != balance || a.Debt != debt {
			t.Errorf("account of %s at node %s: balance %d debt %d, want %d and %d", card, c.Name(), a.Balance, a.Debt, balance, debt)
		}
	}
	return a
}
