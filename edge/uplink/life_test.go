package uplink_test

import (
	"testing"

	"tillstream/kv/record"
)

// Upstream has lost everything and does not know that a chain ever was; this node believes that all of it
// is posted, and so would never ask. When it is told that another life has begun, it does.
func TestAnotherLifeIsAskedForAllChains(t *testing.T) {
	t.Parallel()
	ns := startServer(t)
	lost, up := storeJournal(t), storeJournal(t)
	stopLost := serve(t, connect(t, ns), lost)
	h := stand(t, ns, lane1.Ingest())
	j := openJournal(t, t.TempDir(), lane1.Till)
	lift(t, connect(t, ns), j, &link{id: 1, up: true})
	sold := sell(t, j, 30)
	confirmed(t, j, 0)
	tip := j.Chains()[0].Tip
	if err := j.SetPosted([]record.Counted{{Chain: tip.Chain, Counted: tip.Seq, Posted: tip.Seq}}); err != nil {
		t.Fatal(err)
	}
	stopLost()
	h.forget()
	serve(t, connect(t, ns), up)
	if err := j.ForgetPosted(); err != nil {
		t.Fatal(err)
	}
	await(t, "the whole chain", func() bool { return len(held(t, up)) == len(sold) })
	confirmed(t, j, 0)
	wantHeld(t, up, sold)
	if asked := h.asked(); len(asked) == 0 {
		t.Error("it was sent without a question")
	}
}
