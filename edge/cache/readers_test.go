package cache_test

import (
	"sync"
	"testing"

	"tillstream/kv/record"
)

// Read transactions that lie ready for look-ups neither show what was before a page, nor keep the file from
// growing, nor the cache from being closed.
func TestReadersLetGo(t *testing.T) {
	t.Parallel()
	c := openNew(t)
	const shoppers, pages, others = 50, 12, 500
	for n := range pages {
		p := page(uint64(n + 1))
		for i := range shoppers {
			p.Items = append(p.Items, item(account(i), record.Shopper{Balance: int64(n)}))
		}
		for i := range others { // the file has to be mapped anew again and again
			p.Items = append(p.Items, item(account(shoppers+n*others+i), record.Shopper{}))
		}
		apply(t, c, p)
		var wg sync.WaitGroup
		for k := range 4 {
			wg.Go(func() {
				for i := range shoppers {
					if s, ok, err := c.Shopper(account((i + k) % shoppers)); err != nil || !ok || s.Balance != int64(n) {
						t.Errorf("after page %d: %+v, %t, %v", n, s, ok, err)
						return
					}
				}
			})
		}
		wg.Wait()
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}
