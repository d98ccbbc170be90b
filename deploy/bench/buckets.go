package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/nats-io/nats.go"

	"tillstream/kv"
	"tillstream/kv/record"
	"tillstream/subjects"
	"tillstream/subjects/event"
	"tillstream/subjects/service"
)

// Sizes of the buckets that are weighed.
const (
	liveKeys  = 1_000_000 // attempts in TIM's bucket, and messages that wait
	eachWaits = 4         // messages of one shopper
	gib       = 1 << 30
	nodeGiB   = 24
	// forKeys is the part of a node's memory that its keys may take: as much again is the page cache's and the collector's.
	forKeys = 0.5
)

// tim weighs a node with live keys of TIM's, and restarts it.
func (b *bench) tim(ctx context.Context) ([]Result, error) {
	n := b.size(liveKeys, 20_000)
	w, err := b.weighBuckets(ctx, bucketAsk{Tim: n})
	if err != nil {
		return nil, err
	}
	defer w.process.kill() //nolint:errcheck // it is killed with the bench
	each := (w.full - w.empty) * 1e6 / float64(n)
	return []Result{
		{Name: "tim_memory", Value: each, Unit: "bytes/key"},
		{Name: "tim_disk", Value: w.disk * 1e6 / float64(n), Unit: "bytes/key"},
		{Name: "tim_restart", Value: w.open.Seconds(), Unit: "s"},
		{Name: "tim_keys_24_gib", Value: nodeGiB * gib * forKeys / max(each, 1) / 1e6, Unit: "million keys, in half of a node's memory"},
	}, nil
}

// msq measures how long it takes from the word that a shopper is at a till until all that waited for them was given to
// the till, among as many messages of others: just after the node's start, and when it has warmed up.
func (b *bench) msq(ctx context.Context) ([]Result, error) {
	shoppers := b.size(liveKeys, 20_000) / eachWaits
	w, err := b.weighBuckets(ctx, bucketAsk{Wait: shoppers})
	if err != nil {
		return nil, err
	}
	defer w.process.kill() //nolint:errcheck // it is killed with the bench
	n := b.size(500, 50)
	results := []Result{
		{Name: "msq_memory", Value: (w.full - w.empty) * 1e6 / float64(shoppers*eachWaits), Unit: "bytes/message"},
		{Name: "msq_restart", Value: w.open.Seconds(), Unit: "s"},
	}
	for i, name := range []string{"msq_drain_cold", "msq_drain"} {
		says, err := askBuckets(w.process, bucketAsk{Drain: n, From: i * n})
		if err != nil {
			return results, err
		}
		slices.Sort(says.Took)
		p := func(of int) float64 { return says.Took[min(len(says.Took)*of/100, len(says.Took)-1)] }
		results = append(results,
			Result{Name: name + "_p50", Value: p(50), Unit: "ms"},
			Result{Name: name + "_p99", Value: p(99), Unit: "ms", goal: valueAtMost(50)})
	}
	return results, nil
}

// weighedBuckets is a node that was filled, killed and started again.
type weighedBuckets struct {
	process           *process
	empty, full, disk float64 // MB
	open              time.Duration
}

// weighBuckets weighs a node as it starts, empty and filled: what filling left in its memory does not count. Its files
// are on the disk when it starts again, and in the page cache.
func (b *bench) weighBuckets(ctx context.Context, fill bucketAsk) (w weighedBuckets, err error) {
	dir, err := b.place.onDisk("buckets")
	if err != nil {
		return w, err
	}
	data, fills := filepath.Join(dir, "data"), dir
	if b.place.memory != "" { // a million fsyncs would take minutes
		if fills, err = b.place.inMemory("buckets"); err != nil {
			return w, err
		}
	}
	w.process = &process{name: "buckets", flag: "--bucket-node", config: filepath.Join(fills, "filled"), log: filepath.Join(dir, "log")}
	start := func() (bucketSays, error) {
		if err := w.process.start(ctx); err != nil {
			return bucketSays{}, err
		}
		return askBuckets(w.process, bucketAsk{})
	}
	says, err := start()
	if err != nil {
		return w, err
	}
	w.empty = says.RSS
	if _, err = askBuckets(w.process, fill); err != nil {
		return w, err
	}
	if err := errors.Join(w.process.kill(), os.CopyFS(data, os.DirFS(w.process.config)), os.RemoveAll(w.process.config)); err != nil {
		return w, err
	}
	w.process.config = data
	began := time.Now()
	if says, err = start(); err != nil {
		return w, err
	}
	w.open = time.Since(began)
	w.full = says.RSS
	w.disk, err = sizeOf(w.process.config)
	return w, err
}

func askBuckets(p *process, ask bucketAsk) (says bucketSays, err error) {
	line, err := json.Marshal(ask)
	if err != nil {
		return says, err
	}
	if err = p.say(string(line), &says); err == nil && says.Error != "" {
		err = fmt.Errorf("node %s: %s", p.name, says.Error)
	}
	return says, err
}

// fillAttempts puts states as TIM does: of an attempt whose reward was awarded.
func (n *bucketNode) fillAttempts(ctx context.Context, count int) error {
	promo, err := record.ParsePromoCode("STAMPS")
	week, err2 := record.ParseAttemptID("2026-W48")
	if err := errors.Join(err, err2); err != nil {
		return err
	}
	return n.fill(ctx, kv.Attempts(n.flow.net.Brand), 14*24*time.Hour, count, func(i int) (string, []byte) {
		of := record.Attempt{Account: card(uint64(i)), Promo: promo, Attempt: week}
		return kv.AttemptKey(of), fmt.Appendf(nil,
			`{"at":"2026-11-27T12:00:00.123456Z","rewards":{"coffee":{"awarded":{"top":1},"round":1}},"passed":[{"sequence":%d,"id":%q}]}`,
			i+1, event.FirstID(of, event.RewardAwarded, "bench"))
	})
}

// fillQueue puts messages as MSQ does.
func (n *bucketNode) fillQueue(ctx context.Context, shoppers int) error {
	promo, err := record.ParsePromoCode("STAMPS")
	week, err2 := record.ParseAttemptID("2026-W48")
	if err := errors.Join(err, err2); err != nil {
		return err
	}
	now := time.Now().UTC()
	var failed error
	err = n.fill(ctx, kv.Onsite(n.flow.net.Brand), 7*24*time.Hour, shoppers*eachWaits, func(i int) (string, []byte) {
		of := record.Attempt{Account: card(uint64(i / eachWaits)), Promo: promo, Attempt: week}
		e := event.Envelope{
			ID: event.FirstID(of, event.RewardAwarded, fmt.Sprint(i)), Type: event.TypeOnsiteMessage,
			Source: event.Source(n.flow.net.DC, n.flow.net.Brand, event.BCG.String()), Time: now, DC: n.flow.net.DC, Brand: n.flow.net.Brand,
			Attempt: of, Status: event.RewardAwarded, Tags: []string{"loyalty"},
		}
		data, err := event.Data(event.OnsiteMessage{
			AccountID: of.Account, PromoCode: promo, AttemptID: week, MessageType: event.MessageRewardAwarded, Delivery: event.FullScreen,
			Language: "en", Title: "Well done", Text: "Three stamps: a coffee is on us.", CreatedAt: now.Add(time.Duration(i) * time.Microsecond),
			ExpiresAt: now.Add(7 * 24 * time.Hour),
		})
		value, err2 := json.Marshal(map[string]any{"queued": now, "header": e.Headers(), "data": json.RawMessage(data)})
		failed = errors.Join(failed, err, err2)
		return kv.WaitKey(of.Account, e.ID), value
	})
	return errors.Join(err, failed)
}

// drains has shoppers come to a till, one after the other, and gives how long each waited for the last message.
func (n *bucketNode) drains(ctx context.Context, from, count int) ([]float64, error) {
	if err := n.start(ctx); err != nil {
		return nil, err
	}
	store := subjects.StoreID{Token: subjects.MustToken("0001")}
	till := subjects.TillID{Token: subjects.MustToken("01")}
	shown := make(chan struct{}, 1024)
	sub, err := n.flow.conn.Subscribe(n.flow.net.StoreScreen(store), func(m *nats.Msg) {
		_ = m.RespondMsg(&nats.Msg{Header: nats.Header{event.OSGStatus: {event.OSGDelivered}}}) // or OSG asks again
		shown <- struct{}{}
	})
	if err != nil {
		return nil, err
	}
	defer sub.Unsubscribe() //nolint:errcheck // the connection ends with the process
	took := make([]float64, 0, count)
	for i := range count {
		p := record.Presence{Till: till, Account: card(uint64(from + i)), Here: true, At: time.Now().UnixMilli()}
		began := time.Now()
		err := until(ctx, 20*time.Millisecond, "OSG hears of a shopper", func() error {
			began = time.Now()
			_, err := service.Ask(ctx, n.flow.conn, n.flow.net.POSPresence(store), p.Append(nil))
			return err
		})
		if err != nil {
			return took, err
		}
		for range eachWaits {
			select {
			case <-shown:
			case <-time.After(ackWithin):
				return took, fmt.Errorf("shopper %d waits for a message in vain", from+i)
			case <-ctx.Done():
				return took, context.Cause(ctx)
			}
		}
		took = append(took, millis(time.Since(began)))
	}
	return took, nil
}

// sizeOf is what the files below a directory take, in MB.
func sizeOf(dir string) (mb float64, err error) {
	err = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			mb += float64(info.Size()) / 1e6
		}
		return err
	})
	return mb, err
}
