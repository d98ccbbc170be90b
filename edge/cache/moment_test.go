package cache_test

import (
	"sync"
	"sync/atomic"
	"testing"

	"tillstream/kv/record"
)

// TestOneMoment reads while receipts are kept, counted and posted: a receipt is in what a reader sees
// from the moment it is kept, and never twice. One till sells, the store takes and posts, both tills
// follow.
func TestOneMoment(t *testing.T) {
	const rounds = 300
	store, till := openNew(t), openNew(t)
	var begun, done atomic.Int64 // points sold
	var stop atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() {
		for !stop.Load() {
			low := done.Load()
			s, _, err := till.Shopper(alice)
			high := begun.Load()
			if got := s.Balance + s.Pending; err != nil || got < low || got > high {
				t.Errorf("got %+v, %v; want %d to %d points in all", s, err, low, high)
				return
			}
		}
	})
	wg.Go(func() { // keeps the overlay's lock and numbers busy
		for seq := uint64(1); !stop.Load(); seq++ {
			till.Overlay([]record.Header{sale(other, seq, bob, 0)})
		}
	})
	for i := uint64(1); i <= rounds && !t.Failed(); i++ {
		h := []record.Header{sale(here, i, alice, 10)}
		begun.Add(10)
		till.Overlay(h)
		done.Add(10)
		store.Overlay(h)
		if i%3 == 0 {
			follow(t, store, till) // seen by the store, not posted
		}
		apply(t, store, counted(page(i, item(alice, record.Shopper{Balance: int64(i) * 10})), here, i))
		follow(t, store, till)
	}
	stop.Store(true)
	wg.Wait()
	want(t, till, alice, rounds*10, 0)
}

// A page comes while the receipt that it counts is still on its way into the overlay.
func TestLateOverlay(t *testing.T) {
	const rounds = 500
	c := openNew(t)
	for i := uint64(1); i <= rounds; i++ {
		var wg sync.WaitGroup
		wg.Go(func() { c.Overlay([]record.Header{sale(here, i, alice, 10)}) })
		apply(t, c, counted(page(i, item(alice, record.Shopper{Balance: int64(i) * 10})), here, i))
		wg.Wait()
		want(t, c, alice, int64(i)*10, 0)
	}
}
