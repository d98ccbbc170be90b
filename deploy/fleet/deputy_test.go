package fleet_test

import (
	"testing"

	"github.com/nats-io/nats.go"

	"tillstream/deploy/fleet"
	"tillstream/kv/record"
	"tillstream/subjects"
)

// A store asks questions whose answers, or whose traces, are to go where it may not publish itself: into
// the journal, to another store, to JetStream. The centre does not carry them there.
func TestNobodyPublishesForAHostileStore(t *testing.T) {
	f := open(t, fleet.Config{Stores: 2, Tills: 1})
	sold := generate(200, 61)
	sell(t, f, sold[:100])
	settle(t, f, sold[:100])
	before := len(journal(t, f))
	bad := f.Store(1)
	nc := joinAs(t, f, bad)
	own := bad.Config().Store
	heard := make(chan *nats.Msg, 1000)
	for _, subject := range []string{subjects.StoreInbox(f.Store(0).Config().Store) + ".>", "acme.centre.*.propose", "acme.receipts.posted", "$JS.API.>", "msq.>"} {
		sub, err := f.Centre()[0].Node().Conn().ChanSubscribe(subject, heard)
		must(t, err)
		t.Cleanup(func() { _ = sub.Unsubscribe() }) // the connection may be closed
	}
	must(t, f.Centre()[0].Node().Conn().Flush())
	targets := []string{
		f.Net().Journal(), f.Net().Propose(subjects.NodeID{Token: subjects.MustToken("c1")}), f.Net().ReceiptsPosted(),
		subjects.StoreInbox(f.Store(0).Config().Store) + ".marks", "$JS.API.STREAM.LEADER.STEPDOWN." + f.Net().JournalStream(),
		"msq.inbound.delete.demo",
	}
	questions := map[string][]byte{
		f.Net().Ingest(own): (&record.Pack{}).Append(nil), f.Net().FeedPull(own): (&record.Pull{Limit: 1}).Append(nil),
		f.Net().POSLookup(own): make([]byte, 16),
	}
	for subject, data := range questions {
		for _, to := range targets {
			must(t, nc.PublishRequest(subject, to, data))
			must(t, nc.PublishMsg(&nats.Msg{Subject: subject, Reply: subjects.StoreInbox(own) + ".x", Data: data,
				Header: nats.Header{"Nats-Trace-Dest": {to}}}))
		}
	}
	// What comes after has been answered: all before it too.
	for range 3 {
		await(t, "be answered", func() error {
			_, err := nc.Request(f.Net().Ingest(own), (&record.Pack{}).Append(nil), patience/10)
			return err
		})
	}
	for len(heard) > 0 {
		m := <-heard
		t.Errorf("on %s came %q %v", m.Subject, m.Data, m.Header)
	}
	if after := len(journal(t, f)); after != before {
		t.Errorf("%d messages in the journal, want %d", after, before)
	}
	sell(t, f, sold[100:])
	settle(t, f, sold)
}
