package fleet_test

import (
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"tillstream/deploy/fleet"
	"tillstream/deploy/laws"
	"tillstream/kv/record"
)

// What JetStream reads in a message's headers can freeze or empty a stream (one wrong expectation froze an
// R3 stream for good in a trial). A store's headers reach no stream: its packs are taken for what they are.
func TestHostileHeaders(t *testing.T) {
	f := open(t, fleet.Config{Stores: 2, Tills: 1})
	all := generate(60, 101)
	sell(t, f, all[:20])
	bad := f.Store(1)
	store := bad.Config().Store
	nc := joinAs(t, f, bad)
	sold := all[:20]
	for i, h := range []nats.Header{
		{"Nats-Expected-Last-Msg-Id": {"x"}},
		{"Nats-Expected-Last-Sequence": {"999999"}},
		{"Nats-Expected-Last-Subject-Sequence": {"0"}},
		{"Nats-Expected-Stream": {f.Net().JournalStream()}},
		{"Nats-Msg-Id": {"the same"}},
		{"Nats-Msg-Id": {"the same"}},
		{"Nats-Rollup": {"all"}},
		{"Nats-Batch-Id": {"b"}, "Nats-Batch-Sequence": {"1"}, "Nats-Batch-Commit": {"1"}},
		{"Nats-TTL": {"1s"}},
		{"Nats-Service-Error-Code": {"500"}},
		{"traceparent": {"00-" + strings.Repeat("0", 900<<10)}},
	} {
		r := all[20+i]
		m, err := nc.RequestMsg(&nats.Msg{
			Subject: f.Net().Ingest(store), Header: h, Data: packOf(newChain(f, store.String(), "77", r)),
		}, 10*time.Second)
		if err != nil {
			t.Fatalf("headers %d: %v", i, err)
		}
		refused(t, "a pack with hostile headers", m, record.StatusHeld)
		noteSold(f, store.String(), "77", r)
		sold = append(sold, r)
	}
	rest := all[40:]
	sell(t, f, rest)
	settle(t, f, append(sold, rest...))
}

// Two stores send the same receipt, each on a chain of its own: it is posted once, both chains go on, and the
// laws say which store it did not come from.
func TestSameReceiptFromTwoStores(t *testing.T) {
	f := open(t, fleet.Config{Stores: 2, Tills: 1})
	r := generate(1, 102)[0]
	first := newChain(f, "0001", "88", r)
	second := newChain(f, "0002", "88", r)
	second[1].Data, second[1].Body, second[1].BodySize = first[1].Data, first[1].Body, first[1].BodySize
	noteSold(f, "0001", "88", r)
	for i, pack := range [][]byte{packOf(first), packOf(second)} {
		s := f.Store(i)
		m, err := joinAs(t, f, s).Request(f.Net().Ingest(s.Config().Store), pack, 10*time.Second)
		must(t, err)
		refused(t, "a receipt", m, record.StatusHeld)
	}
	must(t, f.Settle(within(t, patience)))
	h, err := f.CheckBooks(within(t, patience))
	if want := "I20: receipt " + r.RID.String() + " was sold at till 0001-88 and came from till 0002-88"; err == nil || !strings.HasSuffix(err.Error(), want) || strings.Count(err.Error(), laws.ErrBroken.Error()) != 1 {
		t.Errorf("the laws say %v, want %s and nothing else", err, want)
	}
	if b := h.Nodes[0].Totals; b.Posted != 1 || b.Repeats != 1 || -b.Issued != r.Total()/100 {
		t.Errorf("books %+v, want the receipt once, and a repeat", b)
	}
}
