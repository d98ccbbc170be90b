package fleet_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tillstream/deploy/fleet"
	"tillstream/edge/api"
	"tillstream/kv/record"
)

// A basket that is suspended at one till is resumed at another of the store, once, although the store is cut off
// from the centre; cut off from the store, a till has what it suspended itself.
func TestSuspendedBasketGoesToAnotherTill(t *testing.T) {
	f := open(t, fleet.Config{Nodes: 1, Stores: 1, Tills: 2})
	one, two := f.Store(0).Till(0), f.Store(0).Till(1)
	do := func(till *fleet.Till, method, path, match string, body []byte) (int, string, []byte) {
		t.Helper()
		req, err := http.NewRequestWithContext(within(t, 10*time.Second), method, till.URL()+path, bytes.NewReader(body))
		must(t, err)
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Authorization", "Bearer "+fleet.Token())
		if match != "" {
			req.Header.Set("If-Match", match)
		}
		res, err := caller.Do(req)
		must(t, err)
		defer res.Body.Close() //nolint:errcheck // read to its end
		b, err := io.ReadAll(res.Body)
		must(t, err)
		return res.StatusCode, res.Header.Get("ETag"), b
	}
	basket := func() ([]byte, string) {
		price := int64(1000)
		rid := record.NewRID(time.Now()).String()
		b, err := json.Marshal(api.Basket{RID: rid, Currency: "EUR", Lines: []api.Line{{LineID: "1", Item: "x", Quantity: "1", UnitPrice: &price}}})
		must(t, err)
		return b, "/v1/baskets/" + rid
	}
	f.Store(0).Cut()
	body, at := basket()
	if status, _, b := do(one, http.MethodPut, at, "", body); status != http.StatusCreated {
		t.Fatalf("suspend: %d %s", status, b)
	}
	status, etag, b := do(two, http.MethodGet, at, "", nil)
	if status != http.StatusOK || !bytes.Equal(b, body) {
		t.Fatalf("read at the other till: %d %s", status, b)
	}
	var took atomic.Int32
	var wg sync.WaitGroup
	for _, till := range []*fleet.Till{one, two} {
		wg.Go(func() {
			switch status, _, b := do(till, http.MethodDelete, at, etag, nil); status {
			case http.StatusOK:
				took.Add(1)
			case http.StatusPreconditionFailed:
			default:
				t.Errorf("resume: %d %s", status, b)
			}
		})
	}
	wg.Wait()
	if took.Load() != 1 {
		t.Errorf("%d tills have resumed the basket, want 1", took.Load())
	}

	// The store's disk has it, also after a restart of the store.
	waiting, there := basket()
	do(one, http.MethodPut, there, "", waiting)
	must(t, f.Store(0).Restart())
	await(t, "the store to answer its tills again", func() error {
		status, _, b := do(two, http.MethodGet, there, "", nil)
		if status != http.StatusOK {
			return &wrong{status, b}
		}
		return nil
	})
	two.Cut()
	own, here := basket()
	if status, _, b := do(two, http.MethodPut, here, "", own); status != http.StatusCreated {
		t.Errorf("suspend while cut off from the store: %d %s", status, b)
	}
	if status, _, b := do(two, http.MethodDelete, there, "", nil); status != http.StatusServiceUnavailable {
		t.Errorf("resume what lies at the store, cut off: %d %s", status, b)
	}
	if status, _, b := do(two, http.MethodDelete, here, "", nil); status != http.StatusOK || !bytes.Equal(b, own) {
		t.Errorf("resume what lies here: %d %s", status, b)
	}
	two.Heal()
	f.Store(0).Heal()
}

// wrong is an answer that was not wanted.
type wrong struct {
	status int
	body   []byte
}

func (w *wrong) Error() string { return http.StatusText(w.status) + ": " + string(w.body) }
