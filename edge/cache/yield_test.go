package cache_test

import (
	"os"
	"path/filepath"
	"testing"

	"tillstream/kv/record"
)

// A cache whose space is wanted gives it, keeps what is not posted yet, and is filled again: also the
// one that follows it.
func TestYield(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "cache.db")
	c, down := open(t, path), openNew(t)
	if gave, err := c.Yield(); gave || err != nil {
		t.Errorf("an empty cache gave something: %v, %v", gave, err)
	}
	fill(t, c, 20_000)
	apply(t, c, page(21_000, item(alice, record.Shopper{Balance: 10})))
	c.Overlay([]record.Header{sale(here, 2, alice, 7)})
	follow(t, c, down)
	want(t, down, alice, 10, 7)
	before := c.Len().Bytes
	if gave, err := c.Yield(); !gave || err != nil {
		t.Fatalf("gave %v, %v", gave, err)
	}
	if after := c.Len(); after.Bytes > before/4 || after.Items != 0 || after.Overlay != 1 {
		t.Errorf("%d bytes before, %+v after", before, after)
	}
	want(t, c, alice, 0, 7)
	if got := c.Cursor(); got != (record.Cursor{}) {
		t.Errorf("it would go on at %v", got)
	}
	apply(t, c, counted(page(21_001, item(alice, record.Shopper{Balance: 17})), here, 2))
	want(t, c, alice, 17, 0)
	follow(t, c, down)
	want(t, down, alice, 17, 0)
	c = reopen(t, c, path)
	want(t, c, alice, 17, 0)
}

// Receipts that go on in another chain are laid over once.
func TestLeave(t *testing.T) {
	t.Parallel()
	c, down := openNew(t), openNew(t)
	apply(t, c, page(1, item(alice, record.Shopper{Balance: 10})))
	c.Overlay([]record.Header{sale(here, 2, alice, 7), sale(here, 3, bob, 5), sale(here, 4, alice, 1)})
	follow(t, c, down)
	c.Overlay([]record.Header{sale(other, 2, alice, 7), sale(other, 3, bob, 5)})
	c.Leave(here, 3)
	want(t, c, alice, 10, 8)
	want(t, c, bob, 0, 5)
	follow(t, c, down)
	want(t, down, alice, 10, 8)
	want(t, down, bob, 0, 5)
	apply(t, c, counted(page(2, item(alice, record.Shopper{Balance: 17}), item(bob, record.Shopper{Balance: 5})), other, 3))
	want(t, c, alice, 17, 1)
	want(t, c, bob, 5, 0)
	follow(t, c, down)
	want(t, down, bob, 5, 0)
}

// A cache that cannot be made anew in its place says that it is damaged, and is whole after another start.
func TestYieldThatFails(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "cache.db")
	c := open(t, path)
	fill(t, c, 20_000)
	if err := os.Rename(path, path+".taken"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Yield(); err == nil {
		t.Fatal("no error")
	}
	if _, _, err := c.Shopper(alice); err == nil {
		t.Error("it answers")
	}
	c = reopen(t, c, path)
	apply(t, c, page(1, item(alice, record.Shopper{Balance: 1})))
	want(t, c, alice, 1, 0)
}
