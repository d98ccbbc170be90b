package cache_test

import (
	"path/filepath"
	"testing"
	"time"

	"tillstream/edge/cache"
	"tillstream/kv/record"
)

// TestTills is the way of a receipt while the link upward is cut and after it has healed.
func TestTills(t *testing.T) {
	store, till, beside := openNew(t), openNew(t), openNew(t)
	apply(t, store, page(1, item(alice, record.Shopper{Balance: 100})))
	follow(t, store, till)
	follow(t, store, beside)

	h := []record.Header{sale(here, 1, alice, 10)}
	till.Overlay(h) // the till is cut off: only it knows
	want(t, till, alice, 100, 10)
	want(t, beside, alice, 100, 0)

	store.Overlay(h) // healed, and the store is cut off: all its tills know
	want(t, till, alice, 100, 10)
	follow(t, store, till)
	follow(t, store, beside)
	want(t, till, alice, 100, 10) // shown once: by the store's record
	want(t, beside, alice, 100, 10)
	if got := till.Len().Overlay; got != 0 {
		t.Fatalf("the store counts the receipt, but the till's overlay has %d", got)
	}
	beside.Overlay([]record.Header{sale(other, 1, alice, 5)})
	want(t, beside, alice, 100, 15)

	apply(t, store, counted(page(2, item(alice, record.Shopper{Balance: 110})), here, 1))
	follow(t, store, till)
	follow(t, store, beside)
	want(t, till, alice, 110, 0)
	want(t, beside, alice, 110, 5)
}

// Nobody waits here for the real time: Now is only the source of a generation's time stamp.
func TestClockNamesTheGeneration(t *testing.T) {
	at := time.UnixMilli(0x0123456789ab)
	c, err := cache.Open(cache.Config{
		Path: filepath.Join(t.TempDir(), "cache.db"), Ring: ring, Now: func() time.Time { return at },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got := take(t, c, record.Cursor{}, 0).Cursor.Generation.String()[:13]; got != "01234567-89ab" {
		t.Fatalf("generation: got %s…", got)
	}
}
