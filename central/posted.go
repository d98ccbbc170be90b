package central

import (
	"context"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"

	"tillstream/central/books"
	"tillstream/central/fold"
	"tillstream/kv/record"
	"tillstream/subjects"
	"tillstream/subjects/event"
)

type (
	storeID = subjects.StoreID
	tillID  = subjects.TillID
)

// announcer publishes each posted receipt as a CloudEvent, from the node that wrote it, in the order
// of the journal. It is a notice on core NATS, not a stream: who must not miss one follows the journal,
// or notices by the dense sequence number that one is missing (a writer that dies takes what it had not
// announced with it).
type announcer struct {
	net  subjects.Net
	conn *nats.Conn
	log  *slog.Logger
	jobs chan announcement
	done chan struct{} // closed when run has ended: nobody takes jobs any more
	// heard reports whether anybody listens. Nobody is the usual case, and each event took as long as posting.
	heard func() bool
	// lane gives the store and till of a chain.
	lane func(context.Context, record.ChainID) (storeID, tillID)
}

type announcement struct {
	entry *fold.Entry
	took  []fold.Took
}

func newAnnouncer(net subjects.Net, conn *nats.Conn, log *slog.Logger) *announcer {
	return &announcer{net: net, conn: conn, log: log, jobs: make(chan announcement, 64), done: make(chan struct{})}
}

// applied is the replica's Applied.
func (a *announcer) applied(e *fold.Entry, fx *fold.Effects) {
	if len(fx.Took) == 0 || !a.heard() {
		return
	}
	select {
	case a.jobs <- announcement{e, fx.Took}:
	case <-a.done:
	}
}

func (a *announcer) run(ctx context.Context) error {
	defer close(a.done)
	for {
		select {
		case j := <-a.jobs:
			if err := a.announce(ctx, j); err != nil {
				a.log.Error("announce posted receipts", "entry", j.entry.Number, "err", err)
			}
		case <-ctx.Done():
			return nil
		}
	}
}

func (a *announcer) announce(ctx context.Context, j announcement) error {
	at := time.UnixMilli(j.entry.At).UTC()
	var recs []record.Receipt
	of := -1
	var chain record.ChainID
	var store storeID
	var till tillID
	for _, t := range j.took {
		if t.Proposal != of {
			p := &j.entry.Proposals[t.Proposal]
			pack, err := books.ReadPack(p.Head)
			if err != nil {
				return err
			}
			if err := pack.ReadBodies(p.Rest); err != nil {
				return err
			}
			recs, of = recs[:0], t.Proposal
			for _, run := range pack.Runs {
				recs = append(recs, run...)
			}
		}
		r := &recs[t.Record]
		if r.Chain != chain {
			chain = r.Chain
			store, till = a.lane(ctx, chain)
		}
		ev := event.ReceiptPosted{
			RID: r.RID, Kind: r.Kind, Account: r.Account, Points: r.Points,
			Entry: j.entry.Number, Sequence: t.Number, PostedAt: at, Body: r.Data,
		}
		ev.Store, ev.Till = store, till
		header, data := ev.Encode(a.net)
		if err := a.conn.PublishMsg(&nats.Msg{Subject: a.net.ReceiptsPosted(), Header: header, Data: data}); err != nil {
			return err
		}
	}
	return nil
}
