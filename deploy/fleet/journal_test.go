package fleet_test

import (
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"tillstream/central/fold"
	"tillstream/deploy/fleet"
	"tillstream/deploy/laws"
)

// journal reads the brand's journal from its first message.
func journal(t *testing.T, f *fleet.Fleet) []*fold.Entry {
	t.Helper()
	ctx := within(t, patience)
	js, err := jetstream.New(f.Centre()[0].Node().Conn())
	must(t, err)
	msgs, last, err := laws.OpenJournal(ctx, js, f.Net())
	must(t, err)
	defer msgs.Stop()
	var all []*fold.Entry
	for {
		m, err := msgs.Next(jetstream.NextContext(ctx))
		must(t, err)
		meta, err := m.Metadata()
		must(t, err)
		e, err := fold.Decode(m.Data())
		must(t, err)
		e.Stream = meta.Sequence.Stream
		all = append(all, e)
		if e.Stream >= last {
			return all
		}
	}
}
