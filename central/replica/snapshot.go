package replica

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"sync"

	"tillstream/central/fold"
	"tillstream/kv/record"
)

// Files of a replica's directory.
const (
	SnapshotName = "state.snapshot"
	HistoryName  = "history.log"
)

// A snapshot's file is
//
//	snapshotHead                                            8 bytes
//	generation 16, entry 8, term 8, at 8, hash 32, stream 8  of the last entry in it
//	length 8 and SHA-256 32                                 of the history up to that entry
//	parts: length 4, CRC-32C 4, bytes                       what the machine made
//	zero 4, zero 4, SHA-256 32 of all before that sum
//
// all numbers big-endian. The sum of a part lets it be believed before the end is reached.

// snapshotHead is a name and the version of this form. The first form began with a generation.
const snapshotHead = "tssnap\x00\x02"

// Snapshot says what a snapshot's file holds: the state after an entry, and how long history then was.
type Snapshot struct {
	Generation record.Generation
	Entry      uint64
	Term       uint64
	At         int64       // Unix milliseconds, of the entry
	Hash       record.Hash // of the entry
	Stream     uint64      // the entry's sequence in the stream
	History    uint64      // bytes of history up to the entry
	Sum        record.Hash // SHA-256 of them
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

const partFrame = 4 + 4

const snapshotFixed = 16 + 8 + 8 + 8 + 32 + 8 + 8 + 32

func (s *Snapshot) append(b []byte) []byte {
	b = append(b, s.Generation[:]...)
	b = record.AppendU64(b, s.Entry)
	b = record.AppendU64(b, s.Term)
	b = record.AppendU64(b, uint64(s.At))
	b = append(b, s.Hash[:]...)
	b = record.AppendU64(b, s.Stream)
	b = record.AppendU64(b, s.History)
	return append(b, s.Sum[:]...)
}

func (s *Snapshot) read(b []byte) error {
	r := record.Reader{B: b}
	r.Fill(s.Generation[:])
	s.Entry, s.Term, s.At = r.U64(), r.U64(), r.I64()
	r.Fill(s.Hash[:])
	s.Stream, s.History = r.U64(), r.U64()
	r.Fill(s.Sum[:])
	return r.End()
}

func (s *Snapshot) tip() tip { return tip{s.Generation, s.Entry, s.Term, s.At, s.Hash, s.Stream} }

// ReadSnapshot reads a snapshot's file into an empty machine. ErrDamaged means that it is not whole, or of
// a form that this program does not know; the machine is then still empty. A nil machine is a check of the
// file alone.
func ReadSnapshot(path string, m fold.Machine) (Snapshot, error) {
	return readSnapshot(path, m, func(*Snapshot) func() error { return func() error { return nil } })
}

// readSnapshot calls also with what the head says, and what that gives before the end is believed.
func readSnapshot(path string, m fold.Machine, also func(*Snapshot) (agrees func() error)) (s Snapshot, err error) {
	f, err := os.Open(path)
	if err != nil {
		return s, fmt.Errorf("read snapshot: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	in := &parts{in: bufio.NewReaderSize(f, 1<<20), sum: sha256.New()}
	fixed := make([]byte, len(snapshotHead)+snapshotFixed)
	if err = in.fill(fixed); err == nil && string(fixed[:len(snapshotHead)]) != snapshotHead {
		err = fmt.Errorf("%w: unknown head", record.ErrFormat)
	}
	if err == nil {
		err = s.read(fixed[len(snapshotHead):])
	}
	if err == nil {
		in.agrees = also(&s)
		err = restore(m, in)
	}
	if err != nil {
		return Snapshot{}, fmt.Errorf("read snapshot %s: %w: %w", path, ErrDamaged, err)
	}
	return s, nil
}

func restore(m fold.Machine, in *parts) error {
	if m != nil {
		if err := m.Restore(in.next); err != nil {
			return err
		}
	}
	for !in.whole { // nobody restores it
		if _, err := in.next(); err != nil && err != io.EOF {
			return err
		}
	}
	return nil
}

// parts reads the parts of a snapshot, and is at its end only when the sum over all of it fits.
type parts struct {
	in    io.Reader
	sum   hash.Hash
	part  []byte
	whole bool

	agrees func() error // asked at the end
}

// fill reads len(b) bytes that are in the sum.
func (p *parts) fill(b []byte) error {
	if _, err := io.ReadFull(p.in, b); err != nil {
		return fmt.Errorf("it is cut short: %w", err)
	}
	p.sum.Write(b)
	return nil
}

// next gives the next part, which is valid until the next call.
func (p *parts) next() ([]byte, error) {
	var frame [partFrame]byte
	if err := p.fill(frame[:]); err != nil {
		return nil, err
	}
	n, sum := int(binary.BigEndian.Uint32(frame[:])), binary.BigEndian.Uint32(frame[4:])
	switch {
	case n == 0:
		return nil, p.end()
	case n > fold.MaxPart:
		return nil, fmt.Errorf("%w: a part of %d bytes", record.ErrFormat, n)
	case n > cap(p.part):
		p.part = make([]byte, n)
	}
	p.part = p.part[:n]
	if err := p.fill(p.part); err != nil {
		return nil, err
	}
	if crc32.Checksum(p.part, castagnoli) != sum {
		return nil, fmt.Errorf("%w: the sum of a part does not fit", record.ErrFormat)
	}
	return p.part, nil
}

func (p *parts) end() error {
	want := p.sum.Sum(nil)
	got := make([]byte, len(want)+1)
	n, err := io.ReadFull(p.in, got)
	switch {
	case err != io.ErrUnexpectedEOF || n != len(want):
		return fmt.Errorf("%w: its sum is not at its end", record.ErrFormat)
	case string(got[:n]) != string(want):
		return fmt.Errorf("%w: its sum does not fit", record.ErrFormat)
	}
	if err := p.agrees(); err != nil {
		return err
	}
	p.whole = true
	return io.EOF
}

// WriteSnapshot writes a snapshot beside its place and then puts it there: the old one counts until the
// new one is whole on disk.
func WriteSnapshot(path string, s *Snapshot, next func(b []byte) ([]byte, bool)) error {
	fresh := path + ".new"
	f, err := os.OpenFile(fresh, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	err = writeParts(f, s, next)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(fresh)) // a full disk needs the room
	}
	if err := os.Rename(fresh, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func writeParts(f io.Writer, s *Snapshot, next func(b []byte) ([]byte, bool)) error {
	sum := sha256.New()
	out := bufio.NewWriterSize(f, 1<<20)
	both := io.MultiWriter(out, sum)
	if _, err := both.Write(s.append([]byte(snapshotHead))); err != nil {
		return err
	}
	part := make([]byte, partFrame, 1<<20)
	for more := true; more; {
		if part, more = next(part[:partFrame]); !more {
			part = part[:partFrame]
		} else if len(part) == partFrame || len(part)-partFrame > fold.MaxPart {
			return fmt.Errorf("a part of a snapshot has %d bytes", len(part)-partFrame)
		}
		binary.BigEndian.PutUint32(part, uint32(len(part)-partFrame))
		binary.BigEndian.PutUint32(part[4:], crc32.Checksum(part[partFrame:], castagnoli))
		if _, err := both.Write(part); err != nil {
			return err
		}
	}
	if _, err := out.Write(sum.Sum(nil)); err != nil {
		return err
	}
	return out.Flush()
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// load restores the snapshot and opens the history up to it. Where one of them is damaged or missing, or
// they do not fit, both begin anew, and the journal is folded from its first entry.
func (r *Replica) load() error {
	s, sum, err := loadFiles(r.cfg.Dir, r.machine)
	switch {
	case err == nil:
	case errors.Is(err, ErrDamaged):
		r.log.Error("what this node has made of the journal is damaged; folding it again from its beginning", "err", err)
		r.metrics.damaged.Inc()
	case errors.Is(err, os.ErrNotExist):
	default:
		return err
	}
	if err != nil {
		s, sum = Snapshot{}, nil
	}
	if r.history, err = openHistory(filepath.Join(r.cfg.Dir, HistoryName), s.History, sum); err != nil {
		return err
	}
	r.saved.Store(s.Entry > 0)
	r.tip = s.tip()
	r.folded.Store(s.Entry)
	r.term.Store(s.Term)
	return nil
}

// Load reads the snapshot in a replica's directory into an empty machine, and checks the history that it
// names. ErrDamaged means that they are not as they were written; the machine is then still empty.
func Load(dir string, m fold.Machine) (Snapshot, error) {
	s, _, err := loadFiles(dir, m)
	return s, err
}

// loadFiles reads the history beside the snapshot: at ten million accounts each takes seconds.
func loadFiles(dir string, m fold.Machine) (s Snapshot, sum hash.Hash, err error) {
	var wg sync.WaitGroup
	defer wg.Wait()
	s, err = readSnapshot(filepath.Join(dir, SnapshotName), m, func(s *Snapshot) func() error {
		var bad error
		path, size, want := filepath.Join(dir, HistoryName), s.History, s.Sum
		wg.Go(func() {
			if sum, bad = checkHistory(path, size, func() error { return nil }); bad == nil && record.Hash(sum.Sum(nil)) != want {
				bad = fmt.Errorf("check history %s: %w: another SHA-256 than the snapshot's", path, ErrDamaged)
			}
		})
		return func() error { wg.Wait(); return bad }
	})
	return s, sum, err
}
