package cache_test

import (
	"errors"
	"testing"

	"tillstream/edge/cache"
	"tillstream/kv/record"
)

// A centre may be lost again before anything of its new life has come: the third life's first page is
// taken, or the cache would refuse every page for ever.
func TestAnotherLifeBeforeAnythingCame(t *testing.T) {
	c := openNew(t)
	apply(t, c, page(9, item(alice, record.Shopper{Balance: 1})))
	apply(t, c, &record.Page{Status: record.FeedReset, Cursor: record.Cursor{Generation: life2}})
	p := page(1, item(alice, record.Shopper{Balance: 5}))
	p.Cursor.Generation = record.Generation{3}
	apply(t, c, p)
	want(t, c, alice, 5, 0)
	p = page(2, item(alice, record.Shopper{Balance: 6}))
	p.Cursor.Generation = life2
	if err := c.Apply(p); !errors.Is(err, cache.ErrPage) {
		t.Errorf("a page of the life before: %v, want ErrPage", err)
	}
}
