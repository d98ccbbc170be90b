package edge_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"tillstream/kv/record"
)

// A till's question about a hold goes to the centre through its store, and what the centre says comes back.
func TestHoldThroughTheStore(t *testing.T) {
	t.Parallel()
	cfg := alone(t, "")
	cfg.Accept = "127.0.0.1:0"
	tillCfg := alone(t, "01")
	tillCfg.CardKey = cfg.CardKey
	join(t, &tillCfg, &cfg)
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
	s := start(t, cfg)
	tillCfg.Upstream = []string{"nats-leaf://" + s.LeafAddr()}
	n := start(t, tillCfg)
	await(t, "the links", func() bool { return s.Linked() && n.Linked() })
	id := record.NewRID(time.Now()).String()
	body := `{"rid":"` + record.NewRID(time.Now()).String() + `","shopper":{"identifier":{"kind":"card","value":"` + card + `"}},"points":300}`
	var status int
	var answer map[string]any
	await(t, "the centre's word", func() bool {
		status, answer = n.do("POST", "/v1/holds", id, []byte(body))
		return status != http.StatusServiceUnavailable
	})
	if status != http.StatusCreated || answer["state"] != "placed" {
		t.Errorf("got %d %v", status, answer)
	}
}
