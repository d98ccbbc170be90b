package demo

import (
	"context"
	"time"

	"tillstream/deploy/fleet"
)

// faults is what goes wrong in a run with --faults.
type faults struct {
	f     *fleet.Fleet
	drive *drive
	say   func(string)
}

// downFor is how long a crashed node stays down.
const downFor = 300 * time.Millisecond

// run plays the faults at fixed parts of the run, and leaves the chain whole, also when the run ends
// early: the cut store is healed, and what crashed runs again.
func (x *faults) run(ctx context.Context) error {
	stores, tills := x.f.Stores(), x.f.Tills()
	cut := stores[0]
	defer cut.Heal()
	script := []struct {
		at   float64 // part of the receipts that tills have answered for
		what string
		do   func() error
	}{
		{0.15, "the WAN of store " + cut.Name() + " is cut", func() error { cut.Cut(); return nil }},
		{0.25, "a till crashes", func() error { return x.restart(ctx, tills[len(tills)-1].Crash, tills[len(tills)-1].Start) }},
		{0.35, "a store crashes", func() error {
			s := stores[len(stores)-1]
			return x.restart(ctx, s.Crash, s.Start)
		}},
		{0.48, "the WAN of store " + cut.Name() + " is back", func() error { cut.Heal(); return nil }},
		{0.60, "the centre node that writes crashes", func() error {
			c := x.f.Writer()
			if c == nil {
				c = x.f.Centre()[0]
			}
			return x.restart(ctx, c.Crash, c.Start)
		}},
	}
	for _, step := range script {
		if !x.reach(ctx, step.at) {
			return nil
		}
		x.say(step.what)
		if err := step.do(); err != nil {
			return err
		}
	}
	return nil
}

// restart starts what it crashed even if the run is being ended: the chain is left whole.
func (x *faults) restart(ctx context.Context, crash, start func() error) error {
	if err := crash(); err != nil {
		return err
	}
	sleep(ctx, downFor)
	return start()
}

// reach waits for a part of the receipts to be answered for.
func (x *faults) reach(ctx context.Context, part float64) bool {
	want := int64(part * float64(len(x.drive.receipts)))
	for x.drive.done() < want {
		if !sleep(ctx, 5*time.Millisecond) {
			return false
		}
	}
	return true
}
