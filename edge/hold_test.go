package edge_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"tillstream/kv/record"
)

// holdOf is a question for a hold of the card's points, for a basket of its own, and its key.
func holdOf(points int) (id string, body []byte) {
	id = record.NewRID(time.Now()).String()
	return id, fmt.Appendf(nil, `{"rid":%q,"shopper":{"identifier":{"kind":"card","value":%q}},"points":%d}`, record.NewRID(time.Now()), card, points)
}

// A till's question about a hold goes to the centre through its store, and what the centre says comes back.
func TestHoldThroughTheStore(t *testing.T) {
	t.Parallel()
	cfg, tills := storeWith(t, "01")
	centre := gateway(t, &cfg)
	sub, err := centre.Subscribe(cfg.Net().POSHold(cfg.Store), func(m *nats.Msg) {
		q, err := record.ReadHoldQuestion(m.Data)
		if err != nil || q.Points != 300 {
			t.Errorf("asked %+v, %v", q, err)
		}
		placed := record.HoldAnswer{State: record.HoldPlaced, Points: q.Points, Expires: time.Now().Add(time.Hour).UnixMilli()}
		if err := m.Respond(placed.Append(nil)); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Unsubscribe()
	_, at := startStore(t, cfg, tills)
	id, body := holdOf(300)
	var status int
	var answer map[string]any
	await(t, "the centre's word", func() bool {
		status, answer = at[0].do("POST", "/v1/holds", id, body)
		return status != http.StatusServiceUnavailable
	})
	if status != http.StatusCreated || answer["state"] != "placed" {
		t.Errorf("got %d %v", status, answer)
	}
}
