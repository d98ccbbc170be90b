package bench

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"tillstream/central/books"
	"tillstream/central/fold"
	"tillstream/kv/record"
	"tillstream/subjects"
)

// Books that are reopened.
const (
	packReceipts = 2000                // to an entry
	spread       = 90 * 24 * time.Hour // over which the receipts were posted
	bytesNeeded  = 700                 // of free memory per account: the books twice, and the file
)

// booksRestart measures how long a node takes to have its books back: reading the snapshot, checking it,
// restoring it. The file is in the page cache, as after a process that died. Each account has had one
// receipt, evenly over 90 days, so that about half of the receipts' rids are still remembered.
func (b *bench) booksRestart(ctx context.Context) ([]Result, error) {
	sizes := []struct {
		n     int
		name  string
		limit float64 // seconds
	}{{1_000_000, "1m", 2}, {10_000_000, "10m", 10}}
	if b.cmd.Quick {
		sizes = sizes[:1]
	}
	var results []Result
	for _, s := range sizes {
		if free := freeMemory(); s.n > 1_000_000 && free < int64(s.n)*bytesNeeded {
			b.note("%d accounts: skipped, they want %d MB of free memory, there are %d", s.n, s.n*bytesNeeded>>20, free>>20)
			continue
		}
		got, err := b.reopen(ctx, s.n)
		if err != nil {
			return results, err
		}
		results = append(results,
			Result{Name: "books_restart_" + s.name, Value: got.took.Seconds(), Unit: "s", goal: valueAtMost(s.limit)},
			Result{Name: "books_memory_" + s.name, Value: got.memory, Unit: "bytes/account"},
			Result{Name: "books_disk_" + s.name, Value: got.disk, Unit: "bytes/account"})
		runtime.GC()
	}
	return results, nil
}

type reopened struct {
	took         time.Duration
	memory, disk float64 // bytes per account
}

func (b *bench) reopen(ctx context.Context, n int) (out reopened, err error) {
	dir, err := b.place.onDisk("books")
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }() // gigabytes
	path := filepath.Join(dir, "state.snapshot")
	digest, err := writeBooks(ctx, path, n)
	if err != nil {
		return out, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return out, err
	}
	out.disk = float64(info.Size()) / float64(n)
	runtime.GC() // what writing left behind
	before := heap()
	again := books.New()
	began, used := time.Now(), cpuTime()
	if err := restore(path, again); err != nil {
		return out, err
	}
	out.took = time.Since(began)
	b.note("%d accounts: %.1f s of CPU, the garbage collector's among it", n, (cpuTime() - used).Seconds())
	runtime.GC()
	out.memory = float64(heap()-before) / float64(n)
	if again.Digest() != digest || again.Accounts() != n {
		return out, fmt.Errorf("the books came back with %d accounts and digest %s, want %d and %s", again.Accounts(), again.Digest(), n, digest)
	}
	return out, nil
}

func heap() int64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// restore does what package replica does with its snapshot.
func restore(path string, to *books.Books) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read snapshot: %w", err)
	}
	n := len(data) - sha256.Size
	if n < 0 || sha256.Sum256(data[:n]) != [sha256.Size]byte(data[n:]) {
		return fmt.Errorf("read snapshot %s: it is damaged", path)
	}
	return to.Restore(bytes.NewReader(data[:n]))
}

// writeBooks folds receipts until the books have so many accounts, and writes their snapshot.
func writeBooks(ctx context.Context, path string, n int) (record.Hash, error) {
	b := books.New()
	store := subjects.StoreID{Token: subjects.MustToken("0001")}
	pen := newPen(store, subjects.TillID{Token: subjects.MustToken("01")})
	first := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	e := fold.Entry{Generation: record.NewGeneration(first)}
	for k := 0; k < n; {
		if ctx.Err() != nil {
			return record.Hash{}, context.Cause(ctx)
		}
		var recs []record.Receipt
		if k == 0 {
			recs = append(recs, pen.start())
		}
		at := first.Add(time.Duration(float64(spread) * float64(k) / float64(n)))
		for range min(packReceipts, n-k) {
			recs = append(recs, pen.sale(record.NewRID(at), card(uint64(k)), 7, nil))
			k++
		}
		e.Number++
		e.At = at.UnixMilli()
		e.Proposals = []fold.Proposal{pen.pack(recs...).Proposal()}
		b.Apply(&e, new(fold.Effects))
	}
	var out bytes.Buffer
	if err := b.Snapshot(&out); err != nil {
		return record.Hash{}, err
	}
	sum := sha256.Sum256(out.Bytes())
	out.Write(sum[:])
	if err := os.WriteFile(path, out.Bytes(), 0o600); err != nil {
		return record.Hash{}, fmt.Errorf("write snapshot: %w", err)
	}
	return b.Digest(), nil
}
