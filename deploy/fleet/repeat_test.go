package fleet_test

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"tillstream/deploy/fleet"
	"tillstream/kv/record"
)

// packs are the packs that stores have sent, overheard at a node of the centre.
type packs struct {
	mu   sync.Mutex
	sent []*nats.Msg // guarded by mu
}

// again marks what the test itself sends.
const again = "Again"

// sendTwice overhears every pack and sends it again at once; any node of the centre takes it.
func sendTwice(t *testing.T, f *fleet.Fleet) *packs {
	t.Helper()
	p := &packs{}
	nc := f.Centre()[0].Node().Conn()
	sub, err := nc.Subscribe(f.Net().AnyIngest(), func(m *nats.Msg) {
		if m.Header.Get(again) != "" {
			return
		}
		m = &nats.Msg{Subject: m.Subject, Reply: nats.NewInbox(), Header: nats.Header{again: {"1"}}, Data: slices.Clone(m.Data)}
		p.mu.Lock()
		p.sent = append(p.sent, m)
		p.mu.Unlock()
		if err := nc.PublishMsg(m); err != nil {
			t.Errorf("send a pack again: %v", err)
		}
	})
	must(t, err)
	must(t, nc.Flush())
	t.Cleanup(func() { _ = sub.Unsubscribe() }) // the connection may be closed
	return p
}

// all gives the packs that have been sent.
func (p *packs) all() []*nats.Msg {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.sent)
}

// repeat sends packs once more and wants an answer to each that refuses nothing.
func repeat(t *testing.T, at *fleet.Centre, sent []*nats.Msg) {
	t.Helper()
	for _, m := range sent {
		a, err := at.Node().Conn().RequestMsgWithContext(within(t, 30*time.Second), &nats.Msg{Subject: m.Subject, Header: m.Header, Data: m.Data})
		must(t, err)
		marks, err := record.ReadMarks(a.Data)
		must(t, err)
		for _, k := range marks {
			if k.Status != record.StatusHeld {
				t.Errorf("a pack sent again on %s: chain %s is %s", m.Subject, k.Chain, k.Status)
			}
		}
	}
}

// Every pack arrives twice at once; then all of them late, several times, in order and in another, at
// each node, also while tills sell. Nothing is posted twice.
func TestEveryPackSentTwice(t *testing.T) {
	f := open(t, fleet.Config{Stores: 2, Tills: 2})
	p := sendTwice(t, f)
	receipts := generate(900, 8)
	sell(t, f, receipts[:600])
	settle(t, f, receipts[:600])
	first := p.all()
	if len(first) == 0 {
		t.Fatal("no pack was overheard")
	}
	digest := f.Centre()[0].Node().Replica().Status().Digest
	for i, c := range f.Centre() {
		sent := slices.Clone(first)
		switch i {
		case 1:
			slices.Reverse(sent)
		case 2:
			rand.New(rand.NewPCG(1, 2)).Shuffle(len(sent), func(i, k int) { sent[i], sent[k] = sent[k], sent[i] })
		}
		repeat(t, c, sent)
	}
	settle(t, f, receipts[:600])
	if got := f.Centre()[0].Node().Replica().Status().Digest; got != digest {
		t.Errorf("digest %s after packs that were posted before, want %s", got, digest)
	}

	l := selling(t, f, 0, receipts[600:])
	repeat(t, f.Centre()[1], first)
	l.wait()
	settle(t, f, receipts)
	if n := repeats(t, f); n != 0 {
		t.Errorf("%d records are noted as repeats of receipts; they were the same records", n)
	}
}

// Answers are lost, on either hop: the sender finds its link dead, sends again, and nothing is doubled.
func TestAcknowledgementsLost(t *testing.T) {
	for _, hop := range []struct {
		name string
		edge func(*fleet.Fleet) *fleet.Edge
	}{
		{"store to centre", func(f *fleet.Fleet) *fleet.Edge { return &f.Store(0).Edge }},
		{"till to store", func(f *fleet.Fleet) *fleet.Edge { return &f.Store(0).Till(0).Edge }},
	} {
		t.Run(hop.name, func(t *testing.T) {
			f := open(t, fleet.Config{Stores: 1, Tills: 1})
			e := hop.edge(f)
			receipts := generate(600, 9)
			sell(t, f, receipts[:100])
			settle(t, f, receipts[:100])
			e.Deafen()
			sell(t, f, receipts[100:400])
			posted(t, f, 101) // at least one pack has arrived
			if n, _ := e.Node().Waiting(); n == 0 {
				t.Error("an answer was heard")
			}
			found(t, e)
			e.Heal()
			sell(t, f, receipts[400:])
			settle(t, f, receipts)
			if n := repeats(t, f); n != 0 {
				t.Errorf("%d records came a second time in another chain", n)
			}
		})
	}
}
