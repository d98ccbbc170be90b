package edge_test

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"tillstream/kv/record"
)

// back is a return of a quantity of line 1 of a sale.
func back(of, quantity string) (rid string, body []byte) {
	rid = record.NewRID(time.Now()).String()
	return rid, fmt.Appendf(nil, `{"rid":%q,"of":{"rid":%q},"at":"2026-11-20T12:30:00+01:00","business_date":"2026-11-20","currency":"EUR",
		"lines":[{"line_id":"1","quantity":%q}]}`, rid, of, quantity)
}

// A sale of another till of the store is found in the store's journal while the centre is silent, also after
// the store has started again; what was given back of it at one till the other knows. When the centre
// answers, so is another store's.
func TestReturnOfAnotherTillsSale(t *testing.T) {
	t.Parallel()
	cfg, tills := storeWith(t, "01", "02")
	centre := gateway(t, &cfg)
	s, at := startStore(t, cfg, tills)
	a, b := at[0], at[1]
	sold := a.sell(1)[0]
	await(t, "the sale at the other till", func() bool { return b.pending() == 10 })

	rid, body := back(sold, "1")
	status, answer := b.do("POST", "/v1/returns", rid, body)
	points, _ := answer["points"].(map[string]any)
	if status != http.StatusCreated || answer["link"] != "verified" || answer["flagged"] != true || answer["total"] != 1050.0 || points["taken_back"] != 10.0 {
		t.Fatalf("got %d %v: want it from the store, and flagged, for the centre is silent", status, answer)
	}
	await(t, "the return at the store", func() bool { return a.pending() == 0 })
	rid, body = back(sold, "1")
	if status, answer := a.do("POST", "/v1/returns", rid, body); status != http.StatusUnprocessableEntity || answer["left"] != "0" {
		t.Errorf("at the till that sold it: %d %v", status, answer)
	}

	// The store's index is made again from its journal.
	s = s.restart()
	b.cfg.Upstream = []string{"nats-leaf://" + s.LeafAddr()}
	b = b.restart()
	await(t, "the links again", func() bool { return s.Linked() && b.Linked() })
	rid, body = back(sold, "1")
	if status, answer := b.do("POST", "/v1/returns", rid, body); status != http.StatusUnprocessableEntity {
		t.Errorf("after a restart of the store: %d %v", status, answer)
	}

	// Another store's sale, of which two of three pieces have come back elsewhere.
	sale, given := elsewhere()
	sub, err := centre.Subscribe(cfg.Net().POSSale(cfg.Store), func(m *nats.Msg) {
		var said record.SaleAnswer
		if string(m.Data) == string(sale.RID[:]) {
			said.Records = []record.Receipt{sale, given}
		}
		if err := m.Respond(said.Append(nil)); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Unsubscribe()
	rid, body = back(sale.RID.String(), "2")
	await(t, "the centre's word", func() bool {
		status, answer = b.do("POST", "/v1/returns", rid, body)
		return status != http.StatusBadRequest // no price to go by, while nobody has the sale
	})
	if status != http.StatusUnprocessableEntity || answer["left"] != "1" {
		t.Errorf("two pieces: %d %v", status, answer)
	}
	rid, body = back(sale.RID.String(), "1")
	if status, answer := b.do("POST", "/v1/returns", rid, body); status != http.StatusCreated || answer["link"] != "verified" || answer["flagged"] != nil || answer["total"] != 100.0 {
		t.Errorf("one piece: %d %v", status, answer)
	}
}

// elsewhere is a sale of three pieces at another store, and a return of two of them.
func elsewhere() (sale, given record.Receipt) {
	chain := record.NewChainID(time.Now())
	make := func(kind record.Kind, seq uint64, points int64, data string) record.Receipt {
		r := record.Receipt{Data: []byte(data), Header: record.Header{
			Kind: kind, Day: 20261120, Rules: 1, Seq: seq, Points: points, Chain: chain, RID: record.NewRID(time.Now()), BodySize: uint32(len(data)),
		}}
		r.Body = sha256.Sum256(r.Data)
		return r
	}
	sale = make(record.KindSale, 2, 0, `{"currency":"EUR","lines":[{"line_id":"1","item":"1","quantity":"3","unit":"pc","unit_price":100}]}`)
	given = make(record.KindReturn, 3, 0, `{"currency":"EUR","lines":[{"line_id":"1","quantity":"2"}]}`)
	given.Of = sale.RID
	return sale, given
}

// A hold is asked for with the till's newest record, which whatever uses it comes after.
func TestHoldNamesTheNewestRecord(t *testing.T) {
	t.Parallel()
	cfg, tills := storeWith(t, "01")
	centre := gateway(t, &cfg)
	var mu sync.Mutex
	var from []record.Tip
	sub, err := centre.Subscribe(cfg.Net().POSHold(cfg.Store), func(m *nats.Msg) {
		q, err := record.ReadHoldQuestion(m.Data)
		if err != nil {
			t.Error(err)
		}
		mu.Lock()
		from = append(from, q.From)
		mu.Unlock()
		placed := record.HoldAnswer{State: record.HoldPlaced, Points: q.Points, RID: q.RID, Expires: time.Now().Add(time.Hour).UnixMilli()}
		if err := m.Respond(placed.Append(nil)); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Unsubscribe()
	_, at := startStore(t, cfg, tills)
	n := at[0]
	place := func() {
		id, body := holdOf(300)
		await(t, "the hold", func() bool {
			status, _ := n.do("POST", "/v1/holds", id, body)
			return status == http.StatusCreated || status == http.StatusOK
		})
	}
	place()
	n.sell(2)
	place()
	n = n.restart()
	await(t, "the link", n.Linked)
	place() // the chain of this process has not begun: the newest record is of the one before
	mu.Lock()
	defer mu.Unlock()
	first, second, third := from[0], from[len(from)-2], from[len(from)-1]
	if first != (record.Tip{}) || second.Seq != 3 || third != second {
		t.Errorf("asked from %v, %v and %v: want none, the second sale, and that again", first, second, third)
	}
}
