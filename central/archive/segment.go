package archive

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"

	"tillstream/central/fold"
	"tillstream/kv/record"
)

const (
	magic     = "tsarch1\n"
	frameHead = 8
	maxFrame  = 8 << 20 // a message has at most 1 MiB
)

// errFrame means that bytes of a segment are no whole entry: cut short, or changed.
var errFrame = errors.New("the entry is cut short or damaged")

func crcTable() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

// Head begins a segment. The admin API's answers with entries have the form of one too.
func Head() []byte { return []byte(magic) }

// AppendFrame appends an entry's bytes as they lie in a segment.
func AppendFrame(b, data []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(data)))
	b = binary.BigEndian.AppendUint32(b, crc32.Checksum(data, crcTable()))
	return append(b, data...)
}

// Reader reads a segment's entries, each of which has to follow the one before.
type Reader struct {
	in   *bufio.Reader
	tip  fold.Tip
	size int64 // bytes read that are whole
}

// NewReader reads a segment whose first entry follows a place.
func NewReader(in io.Reader, before fold.Tip) (*Reader, error) {
	r := &Reader{in: bufio.NewReaderSize(in, 1<<20), tip: before}
	head := make([]byte, len(magic))
	if _, err := io.ReadFull(r.in, head); err != nil || string(head) != magic {
		return nil, fmt.Errorf("%w: it does not begin as a segment does", errFrame)
	}
	r.size = int64(len(magic))
	return r, nil
}

// Next gives the next entry and its bytes; io.EOF at the end of a whole one.
func (r *Reader) Next() ([]byte, *fold.Entry, error) {
	var head [frameHead]byte
	if _, err := io.ReadFull(r.in, head[:]); err != nil {
		if err == io.EOF {
			return nil, nil, io.EOF
		}
		return nil, nil, r.bad(err)
	}
	n := binary.BigEndian.Uint32(head[:4])
	if n > maxFrame {
		return nil, nil, r.bad(fmt.Errorf("it says that it has %d bytes", n))
	}
	data := make([]byte, n)
	if _, err := io.ReadFull(r.in, data); err != nil {
		return nil, nil, r.bad(io.ErrUnexpectedEOF)
	}
	if crc32.Checksum(data, crcTable()) != binary.BigEndian.Uint32(head[4:]) {
		return nil, nil, r.bad(errors.New("its checksum is another"))
	}
	e, err := fold.Decode(data)
	if err != nil {
		return nil, nil, r.bad(err)
	}
	if err := r.tip.Check(e); err != nil {
		return nil, nil, err
	}
	r.tip = e.Tip()
	r.size += frameHead + int64(n)
	return data, e, nil
}

func (r *Reader) bad(err error) error {
	return fmt.Errorf("%w: entry %d, at byte %d: %w", errFrame, r.tip.Number+1, r.size, err)
}

// segment is the one that grows.
type segment struct {
	file  *os.File
	path  string
	first uint64 // entry
	since int64  // time of its first entry, Unix milliseconds; 0: it has none
	size  int64
	buf   []byte
}

// create makes an empty segment. One that is there already is what a death just after its creation leaves.
func create(path string, first uint64) (*segment, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("make segment: %w", err)
	}
	if _, err := f.WriteString(magic); err != nil {
		return nil, errors.Join(fmt.Errorf("make segment: %w", err), f.Close())
	}
	return &segment{file: f, path: path, first: first, size: int64(len(magic))}, nil
}

// mend opens the segment that was growing, cut back to its last whole entry, and gives that entry.
func mend(path string, before fold.Tip) (s *segment, tip fold.Tip, dropped int64, err error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0o600)
	if err != nil {
		return nil, before, 0, fmt.Errorf("open segment: %w", err)
	}
	s = &segment{file: f, path: path, first: before.Number + 1}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	info, err := f.Stat()
	if err != nil {
		return nil, before, 0, fmt.Errorf("mend segment: %w", err)
	}
	r, err := NewReader(f, before)
	if err != nil { // died before its first bytes were there
		if err := f.Close(); err != nil {
			return nil, before, 0, fmt.Errorf("mend segment: %w", err)
		}
		s, err = create(path, before.Number+1)
		return s, before, info.Size(), err
	}
	for {
		_, e, err := r.Next()
		if errors.Is(err, io.EOF) || errors.Is(err, errFrame) {
			break
		}
		if err != nil { // whole, but not of this journal: no accident that may be cut off
			return nil, before, 0, fmt.Errorf("mend segment %s: %w", path, err)
		}
		if s.since == 0 {
			s.since = e.At
		}
	}
	s.size = r.size
	if err := f.Truncate(s.size); err != nil {
		return nil, before, 0, fmt.Errorf("mend segment: %w", err)
	}
	if _, err := f.Seek(s.size, io.SeekStart); err != nil {
		return nil, before, 0, fmt.Errorf("mend segment: %w", err)
	}
	return s, r.tip, info.Size() - s.size, nil
}

// add appends an entry. After an error the segment has to be mended.
func (s *segment) add(data []byte, e *fold.Entry) error {
	s.buf = AppendFrame(s.buf[:0], data)
	if _, err := s.file.Write(s.buf); err != nil {
		return fmt.Errorf("write segment: %w", err)
	}
	s.size += int64(len(s.buf))
	if s.since == 0 {
		s.since = e.At
	}
	return nil
}

func (s *segment) close() error { return s.file.Close() }

// sum is the SHA-256 of a file.
func sum(path string) (h record.Hash, size int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return h, 0, err
	}
	defer f.Close() //nolint:errcheck // only read
	return sumOf(f)
}
