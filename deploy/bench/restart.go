package bench

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"tillstream/central/books"
	"tillstream/central/fold"
	"tillstream/central/replica"
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
	digest, err := writeBooks(ctx, dir, n)
	if err != nil {
		return out, err
	}
	for _, name := range []string{replica.SnapshotName, replica.HistoryName} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			return out, err
		}
		out.disk += float64(info.Size()) / float64(n)
	}
	runtime.GC() // what writing left behind
	before := heap()
	again := books.New()
	began, used := time.Now(), cpuTime()
	if _, err := replica.Load(dir, again); err != nil {
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

// writeBooks folds receipts until the books have so many accounts, and writes their snapshot and history.
func writeBooks(ctx context.Context, dir string, n int) (record.Hash, error) {
	b := books.New()
	store := subjects.StoreID{Token: subjects.MustToken("0001")}
	pen := newPen(store, subjects.TillID{Token: subjects.MustToken("01")})
	first := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	e := fold.Entry{Generation: record.NewGeneration(first)}
	history := &historyFile{sum: sha256.New()}
	if err := history.open(filepath.Join(dir, replica.HistoryName)); err != nil {
		return record.Hash{}, err
	}
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
		fx := fold.Effects{From: history.size}
		b.Apply(&e, &fx)
		history.add(fx.Framed)
	}
	s := replica.Snapshot{Generation: e.Generation, Entry: e.Number, At: e.At, History: history.size}
	var err error
	if s.Sum, err = history.close(); err != nil {
		return record.Hash{}, err
	}
	err = replica.WriteSnapshot(filepath.Join(dir, replica.SnapshotName), &s, b.Freeze())
	b.Thaw()
	return b.Digest(), err
}

// historyFile is a history under way.
type historyFile struct {
	file *os.File
	out  *bufio.Writer
	sum  hash.Hash
	size uint64
}

func (h *historyFile) open(path string) (err error) {
	if h.file, err = os.Create(path); err != nil {
		return fmt.Errorf("write history: %w", err)
	}
	h.out = bufio.NewWriterSize(h.file, 1<<20)
	h.add([]byte(fold.LinesHead))
	return nil
}

// add keeps its error for close.
func (h *historyFile) add(lines []byte) {
	h.sum.Write(lines)
	h.size += uint64(len(lines))
	_, _ = h.out.Write(lines) // Flush gives the first error
}

func (h *historyFile) close() (record.Hash, error) {
	return record.Hash(h.sum.Sum(nil)), errors.Join(h.out.Flush(), h.file.Close())
}
