package books

import (
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"tillstream/central/fold"
	"tillstream/kv/record"
)

// BenchmarkApply measures a receipt's way through the books, digest included: packs of one till's
// records, several packs to an entry, a million rids known, each account in two stores.
func BenchmarkApply(b *testing.B) {
	for _, perEntry := range []int{1, 32, 320} {
		b.Run(fmt.Sprintf("entry=%d", perEntry), func(b *testing.B) { benchmarkApply(b, perEntry) })
	}
}

const benchAccounts = 100_000

func benchmarkApply(b *testing.B, perEntry int) {
	bk := New()
	for n := range 1 << 20 {
		r := rid(-n - 1)
		bk.rids.add(&r, firstDay-int64(44-n*44>>20)*dayMS, block{lot: never})
	}
	tills := [4]*chainOf{}
	for i := range tills {
		tills[i] = newChain(i, shop(i%2), "t1", record.Tip{})
		e := &fold.Entry{Number: uint64(i + 1), At: firstDay, Proposals: []fold.Proposal{pack(shop(i%2), tills[i].all())}}
		bk.Apply(e, &fold.Effects{})
	}
	entries := make([]*fold.Entry, (b.N+perEntry-1)/perEntry)
	n := 0
	for k := range entries {
		c := tills[k%len(tills)]
		from := len(c.recs)
		for range perEntry {
			n++
			c.sale(n, 1+n*7919%benchAccounts, int64(n%200))
		}
		entries[k] = &fold.Entry{
			Number: uint64(k + 10), At: firstDay + int64(k),
			Proposals: []fold.Proposal{pack(shop(k%len(tills)%2), c.run(from+1, len(c.recs)))},
		}
	}
	b.ReportAllocs()
	b.ResetTimer()
	at := uint64(1 << 30) // so long is history
	for _, e := range entries {
		fx := fold.Effects{From: at}
		bk.Apply(e, &fx)
		at += uint64(len(fx.Framed))
	}
	b.StopTimer()
	b.ReportMetric(float64(at-1<<30)/float64(n), "bytes/receipt")
	if got, want := bk.Totals().Posted, uint64(n); got != want {
		b.Fatalf("posted %d, want %d", got, want)
	}
}

// BenchmarkSnapshot measures how long a snapshot of a million accounts holds up the fold: when it begins,
// and for its longest part. Each account has a receipt that is remembered, and falls to two stores.
func BenchmarkSnapshot(b *testing.B) {
	const accounts = 1_000_000
	bk := New()
	tills := []*chainOf{newChain(0, shop(0), "t1", record.Tip{}), newChain(1, shop(1), "t1", record.Tip{})}
	for n, k := 0, uint64(1); n < 2*accounts; k++ {
		at := int(k % 2)
		c := tills[at]
		from := len(c.recs) + 1
		if k <= 2 {
			from = 1
		}
		for range 2000 {
			c.sale(n, 1+n/2, 1)
			n++
		}
		e := &fold.Entry{Number: k, At: firstDay, Proposals: []fold.Proposal{pack(shop(at), c.run(from, len(c.recs)))}}
		bk.Apply(e, &fold.Effects{})
	}
	b.ResetTimer()
	var begin, part time.Duration
	size := 0
	for range b.N {
		start := time.Now()
		next := bk.Freeze()
		begin = max(begin, time.Since(start))
		buf := make([]byte, 0, 1<<21)
		for more := true; more; {
			start = time.Now()
			buf, more = next(buf[:0])
			part = max(part, time.Since(start))
			size += len(buf)
		}
		bk.Thaw()
	}
	b.ReportMetric(float64(begin.Microseconds()), "begin-us")
	b.ReportMetric(float64(part.Microseconds()), "longest-part-us")
	b.ReportMetric(float64(size)/float64(b.N)/accounts, "bytes/account")
}

// BenchmarkApplyCallers is the load of the bench's part books: an entry of a thousand packs, each of one
// receipt of another till, in 16 stores, to any of 100,000 accounts.
func BenchmarkApplyCallers(b *testing.B) {
	const callers = 1024
	bk := New()
	tills := make([]*chainOf, callers)
	for i := range tills {
		tills[i] = newChain(i, shop(i%16), fmt.Sprint("t", i/16), record.Tip{})
	}
	random := rand.New(rand.NewPCG(1, 2))
	at, n, number := uint64(0), 0, uint64(0)
	entry := func() *fold.Entry {
		number++
		e := &fold.Entry{Number: number, At: firstDay + int64(number)}
		for i, c := range tills {
			n++
			c.sale(n, 1+random.IntN(benchAccounts), 7)
			last := c.recs[len(c.recs)-1:]
			if len(c.recs) == 2 {
				last = c.recs
			}
			e.Proposals = append(e.Proposals, pack(shop(i%16), last))
		}
		return e
	}
	apply := func(e *fold.Entry) {
		fx := fold.Effects{From: at, Asked: number%3 == 0} // one of three nodes writes
		bk.Apply(e, &fx)
		at = fx.Next()
	}
	for range 500 { // most accounts have been seen in some stores
		apply(entry())
	}
	entries := make([]*fold.Entry, (b.N+callers-1)/callers)
	for i := range entries {
		entries[i] = entry()
	}
	b.ReportAllocs()
	b.ResetTimer()
	used := cpuTime(b)
	for _, e := range entries {
		apply(e)
	}
	b.ReportMetric(float64(cpuTime(b)-used)/float64(len(entries)*callers), "cpu-ns/op")
}

// cpuTime is what this process has used: on a busy machine the clock says little.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Skip(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
