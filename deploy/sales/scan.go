package sales

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// maxRow is the greatest size of a row, in bytes. A quote that is opened and never closed costs the
// search of so many bytes, and one line, not the rest of the file.
const maxRow = 64 << 10

var (
	errText      = errors.New("not UTF-8")
	errBareQuote = errors.New("a quote inside a field that does not start with one")
	errAfter     = errors.New("text after a closing quote")
	errOpenQuote = errors.New("a quote is opened and never closed")
	errRowSize   = errors.New("over 64 KiB")
)

// scanner cuts CSV (RFC 4180) into rows. encoding/csv is not used because it loses its place: after
// an open quote it swallows the file up to the next one. Here a broken row costs its first line, and
// scanning goes on with the next.
type scanner struct {
	from      io.Reader
	delimiter byte
	width     int // fields of a row; 0 before the header

	buf      []byte
	pos, end int   // what is read and not yet scanned is buf[pos:end]
	stop     error // why from gives no more

	line    int // number of the line that the row starts on, from 1
	next    int // of the line after the row
	fields  [][]byte
	scratch []byte // of quoted fields with doubled quotes in them
}

func newScanner(r io.Reader, delimiter byte) *scanner {
	return &scanner{from: r, delimiter: delimiter, buf: make([]byte, 4*maxRow), next: 1}
}

// row scans the next row that is not empty. A refusal is a row that must be refused; scanning goes
// on after it. The error is io.EOF at the end, or what the source answered. Fields are good until
// the next call.
func (s *scanner) row() (fields [][]byte, refusal, err error) {
	for {
		data := s.ahead()
		if len(data) == 0 {
			return nil, nil, s.stop
		}
		s.line = s.next
		s.fields, s.scratch = s.fields[:0], s.scratch[:0]
		line, size := data, len(data)
		if end := bytes.IndexByte(data, '\n'); end >= 0 {
			line, size = data[:end], end+1
		} else if s.broken() {
			return nil, nil, s.stop // half a line
		}
		if len(line) > maxRow {
			return nil, errRowSize, s.skipLine()
		}
		if line = trimReturn(line); len(line) == 0 {
			s.take(size, 1)
			continue
		}
		if bytes.IndexByte(line, '"') < 0 {
			s.split(line)
			s.take(size, 1)
			return s.fields, s.check(line), nil
		}
		used, err := s.quoted(data)
		if err == nil {
			err = s.check(data[:used])
		}
		if err != nil {
			if errors.Is(err, errOpenQuote) && s.broken() {
				return nil, nil, s.stop
			}
			s.take(size, 1)
			return nil, err, nil
		}
		s.take(used, bytes.Count(data[:used], []byte{'\n'}))
		return s.fields, nil, nil
	}
}

// broken says that the source stopped before its end.
func (s *scanner) broken() bool { return s.stop != nil && s.stop != io.EOF }

// check says whether a row, cut into fields, is one.
func (s *scanner) check(row []byte) error {
	if !utf8.Valid(row) {
		return errText
	}
	if s.width > 0 && len(s.fields) != s.width {
		return fmt.Errorf("%d fields, want %d", len(s.fields), s.width)
	}
	return nil
}

func (s *scanner) take(size, lines int) {
	s.pos += size
	s.next += lines
}

// ahead gives the bytes to scan: at least maxRow of them, unless the source has stopped.
func (s *scanner) ahead() []byte {
	if s.end-s.pos < maxRow && s.stop == nil {
		s.end = copy(s.buf, s.buf[s.pos:s.end])
		s.pos = 0
		for idle := 0; s.end < len(s.buf) && s.stop == nil; idle++ {
			n, err := s.from.Read(s.buf[s.end:])
			s.end += n
			if s.stop = err; n > 0 {
				idle = 0
			} else if idle > 100 {
				s.stop = io.ErrNoProgress
			}
		}
	}
	return s.buf[s.pos:s.end]
}

// skipLine drops a line that does not fit into the buffer.
func (s *scanner) skipLine() error {
	for {
		data := s.ahead()
		if i := bytes.IndexByte(data, '\n'); i >= 0 {
			s.take(i+1, 1)
			return nil
		}
		if s.take(len(data), 0); s.stop != nil {
			if s.stop == io.EOF {
				return nil // the next call says so
			}
			return s.stop
		}
	}
}

// split cuts a line without quotes.
func (s *scanner) split(line []byte) {
	for {
		i := bytes.IndexByte(line, s.delimiter)
		if i < 0 {
			s.fields = append(s.fields, line)
			return
		}
		s.fields = append(s.fields, line[:i])
		line = line[i+1:]
	}
}

// quoted cuts the row that data starts with, which may go over several lines, and says how many
// bytes it has, its line end included.
func (s *scanner) quoted(data []byte) (int, error) {
	whole := len(data)
	data = data[:min(whole, maxRow)]
	for i := 0; ; {
		var field []byte
		var err error
		if i < len(data) && data[i] == '"' {
			field, i, err = s.quotedField(data, i+1)
		} else {
			field, i, err = s.bareField(data, i)
		}
		if err != nil {
			return 0, err
		}
		s.fields = append(s.fields, field)
		switch {
		case i == len(data) && i < whole:
			return 0, errRowSize
		case i == len(data):
			return i, nil
		case data[i] == s.delimiter:
			i++
		case data[i] == '\n':
			return i + 1, nil
		case data[i] == '\r' && (i+1 == len(data) || data[i+1] == '\n'):
			return min(i+2, len(data)), nil
		default:
			return 0, errAfter
		}
	}
}

// bareField gives the field at i and where it ends: at a delimiter, a line end or the end of data.
func (s *scanner) bareField(data []byte, i int) ([]byte, int, error) {
	start := i
	for ; i < len(data) && data[i] != s.delimiter && data[i] != '\n'; i++ {
		if data[i] == '"' {
			return nil, i, errBareQuote
		}
	}
	if i == len(data) || data[i] == '\n' {
		return trimReturn(data[start:i]), i, nil
	}
	return data[start:i], i, nil
}

// quotedField gives the field whose first byte after the quote is at i, and the place after the
// closing quote.
func (s *scanner) quotedField(data []byte, i int) ([]byte, int, error) {
	start, from := i, len(s.scratch)
	for {
		n := bytes.IndexByte(data[i:], '"')
		if n < 0 {
			return nil, i, errOpenQuote
		}
		i += n
		if i+1 == len(data) || data[i+1] != '"' {
			if len(s.scratch) == from {
				return data[start:i], i + 1, nil
			}
			s.scratch = append(s.scratch, data[start:i]...)
			return s.scratch[from:], i + 1, nil
		}
		s.scratch = append(s.scratch, data[start:i+1]...) // one quote of the two
		i += 2
		start = i
	}
}

func trimReturn(line []byte) []byte {
	if n := len(line); n > 0 && line[n-1] == '\r' {
		return line[:n-1]
	}
	return line
}
