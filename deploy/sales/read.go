package sales

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Sentinels of Read and Open.
var (
	ErrEmpty   = errors.New("no receipts in the file")
	ErrHeader  = errors.New("the header does not fit the map")
	ErrPartial = errors.New("the file could not be read to its end")
)

// MaxRefusals is how many refusals a Report keeps.
const MaxRefusals = 100

// Refusal is a row, or a whole receipt, that was not taken.
type Refusal struct {
	Line   int // in the file, from 1, which is the header's; of the receipt's first row
	Reason string
}

// Report says what Read made of a file. LinesRead is always RowsRefused plus the lines of all
// receipts.
type Report struct {
	LinesRead    int // rows, the header and empty lines not counted
	RowsRefused  int // also those of receipts that were refused whole
	ReceiptsRead int
	Refusals     []Refusal // the first MaxRefusals, as they were found
}

// Open reads a file by Read. The source's name is the file's, without folder and ".gz": the same
// file gives the same rids wherever it lies, packed or not.
func Open(path string, m *Map) ([]Receipt, Report, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, Report{}, err // names the act and the path
	}
	defer f.Close() // only read
	return Read(f, strings.TrimSuffix(filepath.Base(path), ".gz"), m)
}

// Read reads a whole file, plain or gzip by its content. The source's name and a receipt's number
// make its rid. Rows that cannot be read are refused and reported, and the rest goes on; a file that
// ends before its end is ErrPartial, and gives no receipts.
func Read(r io.Reader, source string, m *Map) ([]Receipt, Report, error) {
	receipts, report, err := read(r, source, m)
	if err != nil {
		return nil, report, fmt.Errorf("read sales %s: %w", source, err)
	}
	return receipts, report, nil
}

func read(from io.Reader, source string, m *Map) ([]Receipt, Report, error) {
	p, err := m.compile()
	if err != nil {
		return nil, Report{}, err
	}
	plain, err := unpack(from)
	if err != nil {
		return nil, Report{}, fmt.Errorf("%w: 0 lines read: %w", ErrPartial, err)
	}
	s := newScanner(plain, p.delimiter)
	at, err := header(s, p)
	if err != nil {
		return nil, Report{}, err
	}
	g := newGrouper(p, source, at)
	for {
		fields, refusal, err := s.row()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, g.report, fmt.Errorf("%w: %d lines read: %w", ErrPartial, g.report.LinesRead, err)
		}
		g.report.LinesRead++
		if refusal != nil {
			g.refuse(s.line, 1, "", refusal)
			continue
		}
		g.add(s.line, fields)
	}
	if g.report.LinesRead == 0 {
		return nil, g.report, fmt.Errorf("%w: nothing below the header", ErrEmpty)
	}
	receipts := g.finish()
	return receipts, g.report, nil
}

// unpack looks at the first bytes, not at a name.
func unpack(r io.Reader) (io.Reader, error) {
	b := bufio.NewReaderSize(r, 64<<10)
	magic, err := b.Peek(2)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if !bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		return b, nil
	}
	z, err := gzip.NewReader(b)
	if err != nil {
		return nil, fmt.Errorf("open gzip: %w", unexpected(err))
	}
	return gzipReader{z}, nil
}

// gzipReader says of an error that it is gzip's.
type gzipReader struct{ *gzip.Reader }

func (g gzipReader) Read(b []byte) (int, error) {
	n, err := g.Reader.Read(b)
	if err != nil && err != io.EOF {
		err = fmt.Errorf("unpack gzip: %w", err)
	}
	return n, err
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// header reads the first row and finds the map's columns in it: their places, or -1.
func header(s *scanner, p *plan) (at [roles]int, err error) {
	fields, refusal, err := s.row()
	switch {
	case errors.Is(err, io.EOF):
		return at, fmt.Errorf("%w: the file is empty", ErrEmpty)
	case err != nil:
		return at, fmt.Errorf("%w: 0 lines read: %w", ErrPartial, err)
	case refusal != nil:
		return at, fmt.Errorf("%w: line %d: %w", ErrHeader, s.line, refusal)
	}
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = string(bytes.TrimSpace(f))
	}
	names[0] = strings.TrimSpace(strings.TrimPrefix(names[0], "\uFEFF")) // what spreadsheets put before UTF-8
	for r := range roles {
		if at[r], err = find(names, r, p.columns[r]); err != nil {
			return at, err
		}
	}
	s.width = len(fields)
	return at, nil
}

func find(names []string, r role, column string) (int, error) {
	at := -1
	if column == "" {
		return at, nil
	}
	for i, name := range names {
		if name != column {
			continue
		}
		if at >= 0 {
			return 0, fmt.Errorf("%w: column %q (%s) is there twice, as fields %d and %d", ErrHeader, column, r, at+1, i+1)
		}
		at = i
	}
	if at < 0 {
		list := strings.Join(names, ", ")
		if len(list) > 1000 {
			list = strings.ToValidUTF8(list[:1000], "") + "…"
		}
		return 0, fmt.Errorf("%w: column %q (%s) is not in it; it has: %s", ErrHeader, column, r, list)
	}
	return at, nil
}
