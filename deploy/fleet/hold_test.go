package fleet_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"tillstream/deploy/fleet"
	"tillstream/edge/api"
	"tillstream/kv/record"
)

// A till that has never sold anything has no record by which the books know it, and one that is cut off cannot ask
// them: either way the POS reads at once that points are safe and the sale goes on without them.
func TestHoldIsRefusedClearly(t *testing.T) {
	f := open(t, fleet.Config{Stores: 1, Tills: 1})
	s, till := &spender{t, "2000017"}, f.Store(0).Till(0)
	check := func(when string) {
		t.Helper()
		var p api.Problem
		s.ask(till, "/v1/holds", record.NewRID(time.Now()).String(),
			&api.HoldRequest{RID: record.NewRID(time.Now()).String(), Shopper: s.basket(1, 0).Shopper, Points: 100}, &p)
		if p.Type != "/problems/hold-unavailable" || p.Action != "continue_without" || !strings.Contains(p.CashierText, "the sale goes on") {
			t.Errorf("%s: got %+v", when, p)
		}
	}
	check("connected")
	f.Store(0).Cut()
	check("cut off")
	f.Store(0).Heal()
}

// A coupon of a basket without a card is held for that basket, so that no other till takes it, until it is given up.
func TestNobodysCouponIsHeldOnce(t *testing.T) {
	f := open(t, fleet.Config{Nodes: 1, Stores: 1, Tills: 2})
	s, one, two := &spender{t, "2000031"}, f.Store(0).Till(0), f.Store(0).Till(1)
	for _, till := range f.Tills() {
		s.buy(till, 1, 0) // the books know a till by its records
	}
	must(t, f.Settle(within(t, patience)))
	key, rid := record.NewRID(time.Now()).String(), record.NewRID(time.Now()).String()
	hold := func(till *fleet.Till, key, rid string) (status int, said json.RawMessage) {
		status = s.ask(till, "/v1/holds", key, &api.HoldRequest{RID: rid, Coupons: []api.CouponCode{{Code: "AUTUMN1"}}}, &said)
		return status, said
	}
	await(t, "the hold", func() error { // 150 ms may be too few for the centre
		if status, said := hold(one, key, rid); status != http.StatusCreated && status != http.StatusOK {
			return fmt.Errorf("%d %s", status, said)
		}
		return nil
	})
	other := record.NewRID(time.Now()).String()
	await(t, "the word that it is held", func() error {
		if status, said := hold(two, other, other); status != http.StatusConflict {
			return fmt.Errorf("%d %s", status, said)
		}
		return nil
	})
	if _, err := f.CheckBooks(within(t, patience)); err != nil {
		t.Error(err)
	}
}
