package replica

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"sync"

	"tillstream/central/fold"
	"tillstream/kv/record"
)

// history is the file of lines that the fold appends. It is a pure function of the journal, so it is not
// synced as it grows: a snapshot names how long it was, it is synced before that, and a start cuts it back
// to there and folds on. What could not be written waits in memory, is read from there, and is written
// later at the same place: nothing is lost, and no line is torn but the last, which the next write mends.
type history struct {
	turn sync.Mutex // whoever writes to the file, or wants it to keep its length
	sum  hash.Hash  // guarded by turn: SHA-256 of the file

	mu   sync.RWMutex
	file *os.File   // guarded by mu, and changed in turn
	old  []*os.File // guarded by mu: damaged, and perhaps still being read
	disk uint64     // guarded by mu: bytes in the file
	tail []byte     // guarded by mu: what follows them
}

// openHistory opens the file and cuts it to a size, whose bytes the caller has checked and whose sum he
// gives. At size zero it begins anew.
func openHistory(path string, size uint64, sum hash.Hash) (*history, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open history: %w", err)
	}
	h := &history{file: f, sum: sum, disk: size}
	if err := f.Truncate(int64(size)); err != nil {
		return nil, errors.Join(fmt.Errorf("cut history %s to %d bytes: %w", path, size, err), f.Close())
	}
	if size == 0 {
		h.sum, h.tail = sha256.New(), []byte(fold.LinesHead)
	}
	return h, nil
}

func (h *history) close() error {
	err := h.file.Close()
	for _, f := range h.old {
		err = errors.Join(err, f.Close())
	}
	return err
}

// replace puts a history that was made again in this one's place. It must be as long: the same journal
// makes the same lines.
func (h *history) replace(fresh *history, path string) error {
	h.turn.Lock()
	defer h.turn.Unlock()
	h.mu.Lock()
	defer h.mu.Unlock()
	if end := h.disk + uint64(len(h.tail)); fresh.disk != end {
		return fmt.Errorf("it has %d bytes, and had %d", fresh.disk, end)
	}
	if err := os.Rename(fresh.file.Name(), path); err != nil {
		return err
	}
	h.old = append(h.old, h.file)
	h.file, h.disk, h.tail, h.sum = fresh.file, fresh.disk, nil, fresh.sum
	return nil
}

// begin makes it a history without lines: it was of another journal.
func (h *history) begin() error {
	h.turn.Lock()
	defer h.turn.Unlock()
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.file.Truncate(0); err != nil {
		return err
	}
	h.sum, h.disk, h.tail = sha256.New(), 0, []byte(fold.LinesHead)
	return nil
}

// become puts another history, a longer one, in the place of this one, which has no lines.
func (h *history) become(fresh *history) {
	h.turn.Lock()
	defer h.turn.Unlock()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.old = append(h.old, h.file)
	h.file, h.disk, h.tail, h.sum = fresh.file, fresh.disk, fresh.tail, fresh.sum
}

// end is where the next line will lie.
func (h *history) end() uint64 {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.disk + uint64(len(h.tail))
}

// add takes the lines of an entry. Only the fold's goroutine calls it, which then owns framed no more.
func (h *history) add(framed []byte) {
	if len(framed) == 0 {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.tail) == 0 {
		h.tail = framed
		return
	}
	h.tail = append(h.tail, framed...)
}

// flush writes what waits.
func (h *history) flush() error {
	h.turn.Lock()
	defer h.turn.Unlock()
	return h.flushInTurn()
}

func (h *history) flushInTurn() error {
	h.mu.RLock()
	at, tail := h.disk, h.tail
	h.mu.RUnlock()
	if len(tail) == 0 {
		return nil
	}
	if _, err := h.file.WriteAt(tail, int64(at)); err != nil {
		return fmt.Errorf("%w: %w", ErrHistory, err)
	}
	h.sum.Write(tail)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.disk += uint64(len(tail))
	if h.tail = h.tail[len(tail):]; len(h.tail) == 0 {
		h.tail = nil // its bytes may still be read: they are not used again
	}
	return nil
}

// settled writes what waits, and gives how long the file then is and the SHA-256 of its bytes.
func (h *history) settled() (size uint64, sum record.Hash, err error) {
	h.turn.Lock()
	defer h.turn.Unlock()
	if err := h.flushInTurn(); err != nil {
		return 0, sum, err
	}
	return h.disk, record.Hash(h.sum.Sum(nil)), nil
}

// sync puts on disk what is in the file.
func (h *history) sync() error {
	h.mu.RLock()
	file := h.file
	h.mu.RUnlock()
	return file.Sync()
}

// waiting is how many bytes could not be written yet.
func (h *history) waiting() int {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return len(h.tail)
}

// lineGuess is how much of the file is read for a line; most are shorter.
const lineGuess = 160

// line reads the payload of the line at a position.
func (h *history) line(at uint64) ([]byte, error) {
	h.mu.RLock()
	file, disk, tail := h.file, h.disk, h.tail
	h.mu.RUnlock()
	if at >= disk {
		if at-disk >= uint64(len(tail)) {
			return nil, fmt.Errorf("%w: there is no line at %d, it ends at %d", ErrDamaged, at, disk+uint64(len(tail)))
		}
		p, _, err := fold.ReadLine(tail[at-disk:], at)
		return p, err
	}
	b := make([]byte, min(lineGuess, disk-at))
	if _, err := file.ReadAt(b, int64(at)); err != nil {
		return nil, fmt.Errorf("read history at %d: %w", at, unexpected(err))
	}
	n, err := fold.LineSize(b)
	if err == nil && n > len(b) && uint64(n) <= disk-at {
		b = make([]byte, n)
		if _, err := file.ReadAt(b, int64(at)); err != nil {
			return nil, fmt.Errorf("read history at %d: %w", at, unexpected(err))
		}
	}
	p, _, err := fold.ReadLine(b, at)
	if err != nil {
		return nil, fmt.Errorf("%w at %d: %w", ErrDamaged, at, err)
	}
	return p, nil
}

// unexpected makes the end of a file that should go on an error that says so.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: %w", ErrDamaged, io.ErrUnexpectedEOF)
	}
	return err
}

// lines reads all lines that there are now, in order, from a place where one begins; zero is the beginning.
func (h *history) lines(from uint64, fn func(at uint64, payload []byte) error) error {
	h.mu.RLock()
	file, disk, tail := h.file, h.disk, h.tail
	h.mu.RUnlock()
	at := from
	switch {
	case from == 0:
		var err error
		if at, err = scan(io.NewSectionReader(file, 0, int64(disk)), disk, fn); err != nil {
			return err
		}
	case from < disk:
		var err error
		if at, err = scanOn(bufio.NewReaderSize(io.NewSectionReader(file, int64(from), int64(disk-from)), readSize), from, disk, fn); err != nil {
			return err
		}
	case from-disk > uint64(len(tail)):
		return fmt.Errorf("%w: there is no line at %d, it ends at %d", ErrDamaged, from, disk+uint64(len(tail)))
	default:
		tail = tail[from-disk:]
	}
	for len(tail) > 0 {
		if at == 0 { // nothing of it is in the file
			tail, at = tail[len(fold.LinesHead):], uint64(len(fold.LinesHead))
			continue
		}
		p, n, err := fold.ReadLine(tail, at)
		if err != nil {
			return err
		}
		if err := fn(at, p); err != nil {
			return err
		}
		tail, at = tail[n:], at+uint64(n)
	}
	return nil
}

// scan reads the lines of a history of a given size, and gives where it ended: at size, or it is damaged.
func scan(from io.Reader, size uint64, fn func(at uint64, payload []byte) error) (at uint64, err error) {
	if size == 0 {
		return 0, nil
	}
	in := bufio.NewReaderSize(from, readSize)
	head := make([]byte, len(fold.LinesHead))
	if _, err := io.ReadFull(in, head); err != nil || string(head) != fold.LinesHead {
		return 0, fmt.Errorf("%w: it has no head", ErrDamaged)
	}
	return scanOn(in, uint64(len(head)), size, fn)
}

// readSize holds the longest line.
const readSize = 2 * fold.MaxLine

// scanOn is scan from a line on.
func scanOn(in *bufio.Reader, at, size uint64, fn func(at uint64, payload []byte) error) (uint64, error) {
	for at < size {
		b, err := in.Peek(int(min(lineGuess, size-at)))
		if err != nil {
			return at, fmt.Errorf("read history at %d: %w", at, unexpected(err))
		}
		n, err := fold.LineSize(b)
		if err == nil && n > len(b) && uint64(n) <= size-at {
			if b, err = in.Peek(n); err != nil {
				return at, fmt.Errorf("read history at %d: %w", at, unexpected(err))
			}
		}
		p, n, err := fold.ReadLine(b, at)
		if err != nil {
			return at, fmt.Errorf("%w at %d: %w", ErrDamaged, at, err)
		}
		if err := fn(at, p); err != nil {
			return at, err
		}
		if _, err := in.Discard(n); err != nil {
			return at, fmt.Errorf("read history at %d: %w", at, err)
		}
		at += uint64(n)
	}
	return at, nil
}

// CheckHistory reads the first size bytes of a history's file, line by line, and gives their SHA-256.
// ErrDamaged means that they are not lines.
func CheckHistory(ctx context.Context, path string, size uint64) (record.Hash, error) {
	sum, err := checkHistory(path, size, ctx.Err)
	if err != nil {
		return record.Hash{}, err
	}
	return record.Hash(sum.Sum(nil)), nil
}

func checkHistory(path string, size uint64, stopped func() error) (hash.Hash, error) {
	sum := sha256.New()
	if size == 0 {
		return sum, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("check history: %w", err)
	}
	from := io.TeeReader(io.LimitReader(f, int64(size)), sum)
	_, err = scan(from, size, func(uint64, []byte) error { return stopped() })
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("check history %s: %w", path, err)
	}
	return sum, nil
}
