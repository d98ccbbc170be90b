package demo

import (
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"tillstream/deploy/fleet"
	"tillstream/kv/record"
)

// watch is a subscriber to the posted receipts, as an ERP would be: it learns when each was posted.
type watch struct {
	drive  *drive
	index  map[record.RID]int
	posted []atomic.Int64 // per receipt: nanoseconds from its first post to its event; zero: none heard
	subs   []*nats.Subscription
}

func newWatch(f *fleet.Fleet, d *drive) (*watch, error) {
	w := &watch{drive: d, index: make(map[record.RID]int, len(d.receipts)), posted: make([]atomic.Int64, len(d.receipts))}
	for i := range d.receipts {
		w.index[d.receipts[i].RID] = i
	}
	// One subscription at each node: the node that writes publishes, and any may crash. Of the copies
	// only the first counts.
	for _, c := range f.Centre() {
		sub, err := c.Node().Conn().Subscribe(f.Net().ReceiptsPosted(), w.hear)
		if err != nil {
			return nil, fmt.Errorf("subscribe to posted receipts: %w", err)
		}
		if err := sub.SetPendingLimits(-1, 256<<20); err != nil {
			return nil, fmt.Errorf("subscribe to posted receipts: %w", err)
		}
		w.subs = append(w.subs, sub)
	}
	return w, nil
}

func (w *watch) hear(m *nats.Msg) {
	id, _, _ := strings.Cut(m.Header.Get("ce-subject"), ".")
	rid, err := record.ParseRID(id)
	if err != nil {
		return
	}
	if i, ok := w.index[rid]; ok {
		if start := w.drive.started[i].Load(); start != 0 {
			w.posted[i].CompareAndSwap(0, time.Now().UnixNano()-start)
		}
	}
}

func (w *watch) close() {
	for _, s := range w.subs {
		_ = s.Unsubscribe() // the connection may have gone with its node
	}
}
