package fleet_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"tillstream/deploy/fleet"
	"tillstream/edge/api"
	"tillstream/kv/record"
)

// Points cannot be set aside yet, by the centre's own word or because it is cut off: either way the POS
// reads at once that the sale goes on without them.
func TestHoldIsRefusedClearly(t *testing.T) {
	f := open(t, fleet.Config{Stores: 1, Tills: 1})
	till := f.Store(0).Till(0)
	place := func() api.Problem {
		t.Helper()
		id := record.NewRID(time.Now()).String()
		body := `{"rid":"` + record.NewRID(time.Now()).String() + `","shopper":{"identifier":{"kind":"card","value":"2000017"}},"points":100}`
		req, err := http.NewRequestWithContext(within(t, 10*time.Second), http.MethodPost, till.URL()+"/v1/holds", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Authorization", "Bearer "+fleet.Token())
		req.Header.Set(api.HeaderKey, id)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		var p api.Problem
		if err := json.NewDecoder(res.Body).Decode(&p); err != nil {
			t.Fatal(err)
		}
		return p
	}
	check := func(when string) {
		t.Helper()
		if p := place(); p.Type != "/problems/hold-unavailable" || p.Action != "continue_without" || !strings.Contains(p.CashierText, "the sale goes on") {
			t.Errorf("%s: got %+v", when, p)
		}
	}
	check("connected")
	f.Store(0).Cut()
	check("cut off")
	f.Store(0).Heal()
}
