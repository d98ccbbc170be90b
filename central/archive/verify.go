package archive

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"

	"github.com/nats-io/nkeys"

	"tillstream/central/fold"
)

// Report is what an archive holds, and what is wrong with it.
type Report struct {
	Checkpoints []Checkpoint // whose signature is right, in order
	Open        uint64       // entries behind the last checkpoint: not signed, not part of a backup
	Wrong       []string
}

// Last is the last checkpoint, zero if there is none.
func (r *Report) Last() Checkpoint {
	if len(r.Checkpoints) == 0 {
		return Checkpoint{}
	}
	return r.Checkpoints[len(r.Checkpoints)-1]
}

// ErrWrong means that an archive is not what its checkpoints say.
var ErrWrong = errors.New("the archive is wrong")

// Err is nil if nothing is wrong.
func (r *Report) Err() error {
	var errs []error
	for _, w := range r.Wrong {
		errs = append(errs, fmt.Errorf("%w: %s", ErrWrong, w))
	}
	return errors.Join(errs...)
}

// Verify reads a whole archive and names all that is wrong with it. What is missing at its end nobody can
// tell from the archive: Last says how far it goes. visit is called for each entry as long as nothing is
// wrong, and after the last of each segment with its checkpoint; it may be nil. Only an error of visit, or
// a directory that cannot be read, is an error.
func Verify(dir, public string, visit func(*fold.Entry, *Checkpoint) error) (Report, error) {
	key, err := nkeys.FromPublicKey(public)
	if err != nil {
		return Report{}, fmt.Errorf("public key %q: %w: want what nk -pubout prints of the archive's seed", public, err)
	}
	l, err := list(dir)
	if err != nil {
		return Report{}, err
	}
	if len(l.segments)+len(l.checkpoints) == 0 {
		return Report{}, fmt.Errorf("%w: %s holds no segments", ErrWrong, dir)
	}
	v := &verifier{dir: dir, key: key, visit: visit}
	all := slices.Compact(slices.Sorted(slices.Values(slices.Concat(l.segments, l.checkpoints))))
	for i, first := range all {
		if !slices.Contains(l.checkpoints, first) {
			if i == len(all)-1 {
				v.open(first)
			} else {
				v.wrong("checkpoint %s is missing", name(first, checkpointExt))
				v.lost = true
			}
			continue
		}
		if err := v.segment(first); err != nil {
			return v.Report, err
		}
	}
	return v.Report, nil
}

type verifier struct {
	Report
	dir   string
	key   nkeys.KeyPair
	visit func(*fold.Entry, *Checkpoint) error
	tip   fold.Tip
	lost  bool // where the last segment ended is not known
}

func (v *verifier) wrong(format string, args ...any) {
	v.Wrong = append(v.Wrong, fmt.Sprintf(format, args...))
	v.visit = nil
}

// segment looks at one checkpoint and its segment.
func (v *verifier) segment(first uint64) error {
	file := name(first, checkpointExt)
	b, err := os.ReadFile(filepath.Join(v.dir, file))
	if err != nil {
		v.wrong("%s: %v", file, err)
		v.lost = true
		return nil
	}
	c, err := readCheckpoint(b, v.key)
	if err != nil {
		v.wrong("%s: %v", file, err)
		v.lost = true
		return nil
	}
	before := v.tip
	switch {
	case c.First != first:
		v.wrong("%s: it is the checkpoint of the segment that begins with entry %d: it was swapped", file, c.First)
		v.lost = true
		return nil
	case len(v.Checkpoints) > 0 && c.Brand != v.Checkpoints[0].Brand:
		v.wrong("%s: it is of brand %s", file, c.Brand)
	case !v.lost && c.First != before.Number+1:
		v.wrong("entries %d to %d are missing: there is no segment of them", before.Number+1, c.First-1)
		v.lost = true
	}
	v.Checkpoints = append(v.Checkpoints, c)
	err = v.file(&c, before)
	v.tip, v.lost = c.Tip(), false
	return err
}

// file compares a segment with its checkpoint.
func (v *verifier) file(c *Checkpoint, before fold.Tip) error {
	file := name(c.First, segmentExt)
	path := filepath.Join(v.dir, file)
	hash, size, err := sum(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		v.wrong("segment %s is missing: entries %d to %d", file, c.First, c.Last)
		return nil
	case err != nil:
		v.wrong("%s: %v", file, err)
		return nil
	case size < c.Bytes:
		v.wrong("%s is cut short: %d bytes, want %d", file, size, c.Bytes)
		return nil
	case hash != c.Segment:
		v.wrong("%s", v.difference(path, file, c, before))
		return nil
	}
	if v.lost { // its first entry names the one before, which is missing
		return nil
	}
	return v.entries(path, file, c, before)
}

// entries reads a segment's entries. Its bytes are those that were signed: what does not fit now was
// signed so.
func (v *verifier) entries(path, file string, c *Checkpoint, before fold.Tip) error {
	for e, err := range walk(path, before) {
		if err != nil {
			v.wrong("%s: %v", file, err)
			return nil
		}
		before = e.entry.Tip()
		if v.visit != nil {
			if err := v.visit(e.entry, nil); err != nil {
				return err
			}
		}
	}
	if before != c.Tip() {
		v.wrong("%s ends with entry %d, its checkpoint with entry %d", file, before.Number, c.Last)
		return nil
	}
	if v.visit != nil {
		return v.visit(nil, c)
	}
	return nil
}

// difference says where a segment differs from what was signed.
func (v *verifier) difference(path, file string, c *Checkpoint, before fold.Tip) string {
	if v.lost {
		return fmt.Sprintf("%s is not the file that was signed", file)
	}
	for e, err := range walk(path, before) {
		if err != nil {
			return fmt.Sprintf("%s is not the file that was signed: %v", file, err)
		}
		before = e.entry.Tip()
	}
	return fmt.Sprintf("%s is not the file that was signed: it holds whole entries up to %d, but others than its checkpoint means", file, before.Number)
}

// open counts what lies behind the last checkpoint.
func (v *verifier) open(first uint64) {
	if v.lost || first != v.tip.Number+1 {
		v.wrong("segment %s does not follow entry %d, and has no checkpoint", name(first, segmentExt), v.tip.Number)
		return
	}
	for _, err := range walk(filepath.Join(v.dir, name(first, segmentExt)), v.tip) {
		if err != nil {
			return // it is growing, or a death has cut it: no backup rests on it
		}
		v.Open++
	}
}

type walked struct {
	data  []byte
	entry *fold.Entry
}

// walk gives a segment's entries; it ends after the first error.
func walk(path string, before fold.Tip) iter.Seq2[walked, error] {
	return func(yield func(walked, error) bool) {
		f, err := os.Open(path)
		if err != nil {
			yield(walked{}, err)
			return
		}
		defer f.Close() //nolint:errcheck // only read
		r, err := NewReader(f, before)
		for err == nil {
			var w walked
			if w.data, w.entry, err = r.Next(); err == nil && !yield(w, nil) {
				return
			}
		}
		if !errors.Is(err, io.EOF) {
			yield(walked{}, err)
		}
	}
}

// Entries gives the bytes of the entries after a number, up to the last checkpoint of a report. They are
// checked once more while they are read.
func Entries(dir string, r Report, after uint64) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		before := fold.Tip{}
		for i := range r.Checkpoints {
			c := &r.Checkpoints[i]
			if c.Last <= after {
				before = c.Tip()
				continue
			}
			for w, err := range walk(filepath.Join(dir, name(c.First, segmentExt)), before) {
				if err == nil && w.entry.Number <= after {
					continue
				}
				if !yield(w.data, err) || err != nil {
					return
				}
				before = w.entry.Tip()
			}
			if before != c.Tip() {
				yield(nil, fmt.Errorf("%w: %s has changed since it was verified", ErrWrong, name(c.First, segmentExt)))
				return
			}
		}
	}
}

// Holds reports whether a directory holds the archive of a journal.
func Holds(dir string) (bool, error) {
	l, err := list(dir)
	return len(l.segments) > 0, err
}
