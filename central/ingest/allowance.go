package ingest

import (
	"sync"
	"time"

	"tillstream/subjects"
)

// What one store may do on one node, at once and for ever. A pack that comes to nothing costs the journal as
// much as one that is posted, so only few are let through: this node may be behind the writer, and then it
// is wrong about them. A start stays in the books, and a store that was cut off for two weeks sends one for
// each morning of each till. As for bytes, two weeks of a busy store are some 100 MiB, and a fast one makes
// 100 KiB/s; but who invents receipts could fill the journal with them.
var (
	idlePacks  = limit{burst: 20, each: 10 * time.Second}
	chainsMade = limit{burst: 1000, each: time.Second}
	kibibytes  = limit{burst: 512 << 10, each: time.Millisecond} // 1,000 KiB/s
)

// limit is so many at once, and then one in each while.
type limit struct {
	burst int64
	each  time.Duration
}

// bucket is what is left of a limit.
type bucket struct {
	limit
	spent int64
	since time.Time // when spent was last lowered
}

// take takes n, unless they are not there. One that is larger than all there ever is takes all.
func (b *bucket) take(n int64, now time.Time) bool {
	if back := int64(now.Sub(b.since) / b.each); back >= b.spent {
		b.spent, b.since = 0, now
	} else if back > 0 {
		b.spent -= back
		b.since = b.since.Add(time.Duration(back) * b.each)
	}
	n = min(n, b.burst)
	if b.spent+n > b.burst {
		return false
	}
	b.spent += n
	return true
}

func (b *bucket) give(n int64) { b.spent = max(0, b.spent-n) }

// allowances are those of all stores that have sent something. There are no more than the hub has users.
type allowances struct {
	mu sync.Mutex
	by map[subjects.StoreID]*allowance // guarded by mu, and what is in them
}

type allowance struct {
	idle, chains, bytes bucket
	said                map[string]time.Time // rule -> when it was last logged
}

// with calls fn with a store's allowance.
func (a *allowances) with(s subjects.StoreID, fn func(*allowance)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.by == nil {
		a.by = map[subjects.StoreID]*allowance{}
	}
	al := a.by[s]
	if al == nil {
		al = &allowance{
			idle: bucket{limit: idlePacks}, chains: bucket{limit: chainsMade}, bytes: bucket{limit: kibibytes},
			said: map[string]time.Time{},
		}
		a.by[s] = al
	}
	fn(al)
}
