package journal

import (
	"testing"
	"time"

	"tillstream/kv/record"
)

// Upstream has begun another life: what it had posted is void, at once and after a crash, until it says so
// again; nothing is swept meanwhile, and what was refused is offered again.
func TestForgetPosted(t *testing.T) {
	t.Parallel()
	cfg := tillConfig(t)
	j := openT(t, cfg)
	old := sell(t, j, 5)[0].Chain
	must(t, j.Close())
	j = openT(t, cfg)
	recs := sell(t, j, 1)
	var counted []record.Counted
	var marks []record.Mark
	for _, c := range j.Chains() {
		counted = append(counted, record.Counted{Chain: c.ID, Counted: c.Tip.Seq, Posted: c.Tip.Seq})
		marks = append(marks, record.Mark{Chain: c.ID, Status: record.StatusHeld, Held: c.Tip.Seq, Posted: c.Tip.Seq, Hash: c.Tip.Hash})
	}
	must(t, j.Confirm(marks))
	must(t, j.SetPosted(counted))
	if _, err := j.Sweep(start); err != nil { // which writes down what is posted
		t.Fatal(err)
	}
	must(t, j.Confirm([]record.Mark{{Chain: recs[0].Chain, Status: record.StatusRefused}}))
	life := j.Life()
	drain(j)

	must(t, j.ForgetPosted())
	if j.Life() == life {
		t.Error("nobody can tell that another life has begun")
	}
	select {
	case <-j.Changed():
	default:
		t.Error("the uplink is not woken")
	}
	check := func(when string) {
		t.Helper()
		for _, c := range j.Chains() {
			if c.Posted != 0 || c.Refused != 0 || c.Confirmed != c.Tip.Seq {
				t.Errorf("%s: %+v, want nothing posted or refused, and all confirmed", when, c)
			}
		}
	}
	check("at once")
	must(t, j.Close())
	j = openT(t, cfg)
	check("after a start")
	later := start.Add(100 * 24 * time.Hour)
	if n, err := j.Sweep(later); n != 0 || err != nil {
		t.Errorf("swept %d records (%v) that the new life has not posted", n, err)
	}
	must(t, j.SetPosted(counted))
	if n, err := j.Sweep(later); n != 6 || err != nil {
		t.Errorf("swept %d records (%v), want the 6 of chain %s", n, err, old)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
