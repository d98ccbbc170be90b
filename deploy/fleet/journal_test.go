package fleet_test

import (
	"fmt"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"tillstream/central/fold"
	"tillstream/deploy/fleet"
	"tillstream/kv/record"
)

// journal reads the brand's journal from its first message.
func journal(t *testing.T, f *fleet.Fleet) []*fold.Entry {
	t.Helper()
	ctx := within(t, patience)
	js, err := jetstream.New(f.Centre()[0].Node().Conn())
	must(t, err)
	stream, err := js.Stream(ctx, f.Net().JournalStream())
	must(t, err)
	cons, err := stream.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverAllPolicy})
	must(t, err)
	msgs, err := cons.Messages(jetstream.PullMaxBytes(8 << 20))
	must(t, err)
	defer msgs.Stop()
	var all []*fold.Entry
	for last := stream.CachedInfo().State.LastSeq; ; {
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

// checkJournal wants one unbroken chain of entries, whose generation changes only where a restore says so, with terms and times that never go
// back, of which every node has folded the last.
func checkJournal(t *testing.T, f *fleet.Fleet) {
	t.Helper()
	await(t, "fold the journal to its end", func() error {
		last := follow(t, journal(t, f))
		for _, c := range f.Centre() {
			// A node may have taken over meanwhile, which is one more entry.
			if s := c.Node().Replica().Status(); s.Hash != last.Hash() || s.Entry != last.Number {
				return fmt.Errorf("node %s has folded entry %d, the journal ends with %d", c.Name(), s.Entry, last.Number)
			}
		}
		return nil
	})
}

// follow wants each entry to follow the one before, and gives the last.
func follow(t *testing.T, all []*fold.Entry) *fold.Entry {
	t.Helper()
	before, hash := &fold.Entry{Generation: all[0].Generation}, record.Hash{}
	for _, e := range all {
		switch {
		case e.Number != before.Number+1 || e.Prev != hash:
			t.Fatalf("entry %d (message %d) does not follow entry %d", e.Number, e.Stream, before.Number)
		case e.Generation != before.Generation && (e.Ends != before.Generation || e.Term != e.Number || len(e.Proposals) > 0):
			t.Fatalf("entry %d is of another generation", e.Number)
		case e.Term < before.Term || e.Term > e.Number || e.At < before.At:
			t.Fatalf("entry %d: term %d after %d, time %d after %d", e.Number, e.Term, before.Term, e.At, before.At)
		case e.Term > before.Term && e.Term != e.Number:
			t.Fatalf("entry %d begins term %d, which is not its number", e.Number, e.Term)
		}
		before, hash = e, e.Hash()
	}
	return before
}
