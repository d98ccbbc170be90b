package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"tillstream/central/reference"
	"tillstream/deploy/fleet"
	"tillstream/edge/catalogue"
	"tillstream/kv/record"
)

// lookEvery is how often a node is looked at: what is measured takes seconds.
const lookEvery = 2 * time.Millisecond

// reference measures how long an item master takes: into the centre's bucket, and from there to the till of
// a new store, whose node and whose till's node start with empty disks.
func (b *bench) reference(ctx context.Context) ([]Result, error) {
	n := b.size(50_000, 5_000)
	dir, err := b.place.onDisk("reference")
	if err != nil {
		return nil, err
	}
	f, err := openFleet(ctx, b, fleet.Config{Dir: dir})
	if err != nil {
		return nil, err
	}
	taken, fell, changed, err := referenceRounds(ctx, f, n, b.rounds)
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	row := func(name string, d time.Duration) Result { return Result{Name: name, Value: d.Seconds(), Unit: "s"} }
	return []Result{
		row(fmt.Sprintf("reference_import_%dk", n/1000), taken),
		row(fmt.Sprintf("reference_new_store_%dk", n/1000), percentile(sorted(fell), 50)),
		row("reference_one_change", percentile(sorted(changed), 50)),
	}, nil
}

func referenceRounds(ctx context.Context, f *fleet.Fleet, n, rounds int) (taken time.Duration, fell, changed []time.Duration, err error) {
	set := f.Centre()[0].Node().Reference()
	store, till := f.Store(0), f.Store(0).Till(0)
	start := time.Now()
	if _, err := set.Change(ctx, reference.Import(itemMaster(n, 1), false)); err != nil {
		return 0, nil, nil, err
	}
	taken = time.Since(start)
	for i := range rounds {
		for _, e := range []*fleet.Edge{&store.Edge, &till.Edge} {
			if err := errors.Join(e.Crash(), e.Wipe()); err != nil {
				return 0, nil, nil, err
			}
		}
		start := time.Now()
		if err := errors.Join(store.Start(), till.Start()); err != nil {
			return 0, nil, nil, err
		}
		if err := reaches(ctx, till, set.Status().Entry); err != nil {
			return 0, nil, nil, err
		}
		fell = append(fell, time.Since(start))
		if c := till.Node().Catalogue(); c.Items() != n {
			return 0, nil, nil, fmt.Errorf("the till has %d items, want %d", c.Items(), n)
		}
		start = time.Now()
		if _, err := set.Change(ctx, reference.Import(itemMaster(1, i+2), false)); err != nil {
			return 0, nil, nil, err
		}
		if err := reaches(ctx, till, set.Status().Entry); err != nil {
			return 0, nil, nil, err
		}
		changed = append(changed, time.Since(start))
	}
	return taken, fell, changed, nil
}

func sorted(d []time.Duration) []time.Duration {
	slices.Sort(d)
	return d
}

// reaches waits until a till has a revision of the reference data.
func reaches(ctx context.Context, till *fleet.Till, entry uint64) error {
	var c *catalogue.Catalogue
	for c = till.Node().Catalogue(); c.Revision() < entry; c = till.Node().Catalogue() {
		if !sleep(ctx, lookEvery) {
			return fmt.Errorf("wait for revision %d at a till, which has %d: %w", entry, c.Revision(), context.Cause(ctx))
		}
	}
	return nil
}

// itemMaster makes items as a supermarket has them; those of another edition have other names.
func itemMaster(n, edition int) []reference.Line {
	lines := make([]reference.Line, n)
	for i := range lines {
		lines[i] = reference.Line{Code: fmt.Sprintf("%013d", i), Product: record.Product{
			Name:     fmt.Sprintf("Name of the item %d, 500 g, edition %d", i, edition),
			Category: fmt.Sprintf("department-%d/group-%d/kind-%d", i%12, i%200, i%3000),
		}}
	}
	return lines
}
