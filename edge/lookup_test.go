package edge_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"tillstream/edge"
	"tillstream/edge/leaf"
	"tillstream/kv/record"
	"tillstream/kv/seal"
)

// A shopper who is new at a store buys at one till and shows the card at another. The store knows that
// receipt only, so it asks the centre what they had before; and if the centre is silent, it tells what it
// knows.
func TestStoreKnowsOnlyWhatWasJustSold(t *testing.T) {
	t.Parallel()
	cfg, tills := storeWith(t, "01", "02")
	centre := gateway(t, &cfg)
	_, at := startStore(t, cfg, tills)
	a, b := at[0], at[1]
	a.sell(1)
	await(t, "the sale at the other till", func() bool { return b.pending() == 10 })
	if status, answer := b.look(); status != http.StatusOK || answer["source"] != "store" {
		t.Errorf("the centre is silent: got %d %v, want it from the store", status, answer)
	}

	cards, err := seal.OpenCards(cfg.CardKey)
	if err != nil {
		t.Fatal(err)
	}
	sub, err := centre.Subscribe(cfg.Net().POSLookup(cfg.Store), func(m *nats.Msg) {
		if id := cards.Account(card); string(m.Data) != string(id[:]) {
			t.Errorf("asked for %x, want %s", m.Data, id)
		}
		shopper := record.Shopper{Balance: 500, AsOf: time.Now().UnixMilli()}
		if err := m.Respond(shopper.Append(nil)); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Unsubscribe()
	await(t, "the centre's word", func() bool {
		_, answer := b.look()
		points, _ := answer["points"].(map[string]any)
		return answer["source"] == "central" && points["available"] == 500.0
	})
}

// gateway starts a hub that a store may join, as the centre is for its leafs, and connects to it.
func gateway(t *testing.T, store *edge.Config) *nats.Conn {
	t.Helper()
	seed, public := user(t)
	u := leaf.User{Nkey: public}
	u.Publish, u.Subscribe = store.Net().StorePermissions(store.Store)
	u.Publish = append(u.Publish, "_INBOX.>") // the real hub asks stores from an account of its own: subjects.StoreAnswers
	hub, err := leaf.Open(leaf.Config{Name: "centre", Accept: "127.0.0.1:0", Downstream: []leaf.User{u}, Log: logger(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = hub.Close() })
	nc, err := hub.Connect("_INBOX_centre")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	store.Upstream, store.UpstreamSeed = []string{"nats-leaf://" + hub.LeafAddr()}, write(t, seed)
	return nc
}
