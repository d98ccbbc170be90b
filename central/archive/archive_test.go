package archive_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nkeys"

	"tillstream/central/archive"
	"tillstream/central/books"
	"tillstream/central/fold"
	"tillstream/central/replica"
	"tillstream/kv/record"
)

// check verifies an archive, wants nothing wrong and the journal in it, and holds each digest to books
// that are made from it.
func (c *centre) check(dir string) archive.Report {
	c.t.Helper()
	b := books.New()
	digests := 0
	r, err := archive.Verify(dir, c.public(), func(e *fold.Entry, cp *archive.Checkpoint) error {
		if e != nil {
			must(c.t, e.Open(false))
			b.Apply(e, &fold.Effects{})
			return nil
		}
		if cp.Digest != (record.Hash{}) {
			digests++
			if cp.Digest != b.Digest() {
				c.t.Errorf("checkpoint of entry %d has digest %s, the entries make %s", cp.Last, cp.Digest, b.Digest())
			}
		}
		return nil
	})
	if err := errors.Join(err, r.Err()); err != nil {
		c.t.Fatal(err)
	}
	if digests == 0 {
		c.t.Error("no checkpoint has a digest")
	}
	src, err := replica.OpenSource(within(c.t), c.cfg.JS, c.cfg.Net, fold.Tip{})
	must(c.t, err)
	n := uint64(0)
	for data, err := range archive.Entries(dir, r, 0) {
		must(c.t, err)
		n++
		want, _, err := src.Next(within(c.t))
		must(c.t, err)
		if !bytes.Equal(data, want) {
			c.t.Fatalf("entry %d is not what lies in the stream", n)
		}
	}
	if n != r.Last().Last {
		c.t.Fatalf("%d entries, want %d", n, r.Last().Last)
	}
	for _, err := range archive.Entries(dir, r, n/2) {
		must(c.t, err)
		n--
	}
	if n != r.Last().Last/2 {
		c.t.Errorf("from the middle on %d entries are missing", n-r.Last().Last/2)
	}
	return r
}

// The journal comes into segments, byte for byte, also while it grows, and what a checkpoint says of the
// books is so.
func TestSegmentsHoldTheJournal(t *testing.T) {
	c := open(t)
	c.grow(30)
	a, stop := c.run()
	c.grow(60)
	cp, err := a.Close(within(t))
	must(t, err)
	if s := c.Replica().Status(); cp.Last != s.Entry || cp.Digest != s.Digest || cp.Hash != s.Hash || cp.Life != s.Generation {
		t.Errorf("checkpoint %+v, the node is at %+v", cp, s)
	}
	again, err := a.Close(within(t))
	must(t, err)
	if again != cp {
		t.Errorf("closed again without a new entry: %+v, want %+v", again, cp)
	}
	r := c.check(c.cfg.Dir)
	if len(r.Checkpoints) < 3 || r.Open != 0 {
		t.Errorf("%d segments, %d entries open; want several and none", len(r.Checkpoints), r.Open)
	}
	c.grow(3)
	c.archived(a)
	if s := a.Status(); s.Signed != cp.Last || s.Entry != cp.Last+3 || !s.Time.Equal(cp.Time) {
		t.Errorf("status %+v", s)
	}
	stop()
	if r := c.check(c.copied()); r.Last().Last != cp.Last || r.Open != 3 {
		t.Errorf("a copy holds %d entries and %d open, want %d and 3", r.Last().Last, r.Open, cp.Last)
	}
}

// An archiver that died in the middle of a write goes on where the file is whole.
func TestAHalfWrittenSegmentIsMended(t *testing.T) {
	for name, harm := range map[string]func(b []byte) []byte{
		"nothing was written":       func([]byte) []byte { return nil },
		"half of its first bytes":   func(b []byte) []byte { return b[:4] },
		"no entry":                  func(b []byte) []byte { return b[:8] },
		"half of a length":          func(b []byte) []byte { return b[:10] },
		"half of an entry":          func(b []byte) []byte { return b[:len(b)-20] },
		"a byte short":              func(b []byte) []byte { return b[:len(b)-1] },
		"nothing is missing":        func(b []byte) []byte { return b },
		"zeros behind it":           func(b []byte) []byte { return append(b, make([]byte, 100)...) },
		"a flipped byte in it":      func(b []byte) []byte { b[len(b)/2] ^= 1; return b },
		"a length of four billions": func(b []byte) []byte { return append(b, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			c := open(t)
			c.cfg.Segment = 1 << 20
			c.grow(5)
			a, stop := c.run()
			first, err := a.Close(within(t))
			must(t, err)
			c.grow(5)
			c.archived(a)
			stop()
			path := filepath.Join(c.cfg.Dir, fmt.Sprintf("%016d.segment", first.Last+1))
			b, err := os.ReadFile(path)
			must(t, err)
			must(t, os.WriteFile(path, harm(b), 0o600))
			c.grow(5)
			a, _ = c.run()
			cp, err := a.Close(within(t))
			must(t, err)
			if r := c.check(c.cfg.Dir); len(r.Checkpoints) != 2 || cp.First != first.Last+1 {
				t.Errorf("%d segments, the last begins with entry %d, want 2 and %d", len(r.Checkpoints), cp.First, first.Last+1)
			}
		})
	}
}

// A full disk pauses the archive, which says so; the centre goes on, and so does the archive when there
// is room again.
func TestAFullDiskPausesTheArchive(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("there is no disk that is always full")
	}
	c := open(t)
	c.grow(5)
	must(t, os.MkdirAll(c.cfg.Dir, 0o700))
	path := filepath.Join(c.cfg.Dir, fmt.Sprintf("%016d.segment", 1))
	must(t, os.Symlink("/dev/full", path))
	a, _ := c.run()
	await(t, "pause", func() error {
		if s := a.Status(); !strings.Contains(s.Paused, "no space left") {
			return fmt.Errorf("status %+v", s)
		}
		return nil
	})
	c.grow(5)
	if _, err := a.Close(within(t)); !errors.Is(err, archive.ErrPaused) || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("whoever asks for a checkpoint hears %v", err)
	}
	must(t, os.Remove(path))
	c.archived(a)
	if _, err := a.Close(within(t)); err != nil {
		t.Fatal(err)
	}
	c.check(c.cfg.Dir)
}

// An archive of one journal is not gone on with by another.
func TestAnArchiveOfAnotherJournal(t *testing.T) {
	c, other := open(t), (*centre)(nil)
	c.grow(5)
	a, stop := c.run()
	_, err := a.Close(within(t))
	must(t, err)
	stop()
	t.Run("other", func(t *testing.T) {
		other = open(t)
		other.grow(20)
		other.cfg.Dir, other.cfg.Key, other.key = c.copied(), c.key, c.key
		before := files(t, other.cfg.Dir)
		a, stop := other.run()
		await(t, "pause", func() error {
			if s := a.Status(); !strings.Contains(s.Paused, "another one") {
				return fmt.Errorf("status %+v", s)
			}
			return nil
		})
		stop()
		if after := files(t, other.cfg.Dir); !slices.Equal(before, after) {
			t.Errorf("files %v, were %v", after, before)
		}
	})
}

func files(t *testing.T, dir string) (all []string) {
	t.Helper()
	list, err := os.ReadDir(dir)
	must(t, err)
	for _, f := range list {
		b, err := os.ReadFile(filepath.Join(dir, f.Name()))
		must(t, err)
		all = append(all, fmt.Sprint(f.Name(), " ", fold.Sum(b)))
	}
	return all
}

// Whatever is done to a copy, verify names it, and nothing of it is restored.
func TestVerifyNamesWhatIsWrong(t *testing.T) {
	c := open(t)
	c.cfg.Segment = 1 << 20
	a, stop := c.run()
	var cps []archive.Checkpoint
	for range 4 {
		c.grow(6)
		cp, err := a.Close(within(t))
		must(t, err)
		cps = append(cps, cp)
	}
	stop()
	file := func(i int, ext string) string { return fmt.Sprintf("%016d%s", cps[i].First, ext) }
	stranger, err := nkeys.CreateAccount()
	must(t, err)
	for name, harm := range map[string]struct {
		do   func(t *testing.T, dir string)
		want string
	}{
		"a flipped byte": {func(t *testing.T, dir string) {
			change(t, dir, file(1, ".segment"), func(b []byte) []byte { b[len(b)/2] ^= 1; return b })
		}, file(1, ".segment") + " is not the file that was signed: the entry is cut short or damaged"},
		"a segment is missing": {func(t *testing.T, dir string) {
			must(t, os.Remove(filepath.Join(dir, file(1, ".segment"))))
		}, file(1, ".segment") + " is missing"},
		"a checkpoint is missing": {func(t *testing.T, dir string) {
			must(t, os.Remove(filepath.Join(dir, file(1, ".checkpoint"))))
		}, file(1, ".checkpoint") + " is missing"},
		"both are missing": {func(t *testing.T, dir string) {
			must(t, errors.Join(os.Remove(filepath.Join(dir, file(1, ".checkpoint"))), os.Remove(filepath.Join(dir, file(1, ".segment")))))
		}, fmt.Sprintf("entries %d to %d are missing", cps[1].First, cps[1].Last)},
		"the first is missing": {func(t *testing.T, dir string) {
			must(t, errors.Join(os.Remove(filepath.Join(dir, file(0, ".checkpoint"))), os.Remove(filepath.Join(dir, file(0, ".segment")))))
		}, fmt.Sprintf("entries 1 to %d are missing", cps[0].Last)},
		"two segments are swapped": {func(t *testing.T, dir string) {
			swap(t, dir, file(1, ".segment"), file(2, ".segment"))
		}, file(1, ".segment") + " is not the file that was signed"},
		"two segments are swapped with their checkpoints": {func(t *testing.T, dir string) {
			swap(t, dir, file(1, ".segment"), file(2, ".segment"))
			swap(t, dir, file(1, ".checkpoint"), file(2, ".checkpoint"))
		}, "it was swapped"},
		"a checkpoint is changed": {func(t *testing.T, dir string) {
			change(t, dir, file(2, ".checkpoint"), func(b []byte) []byte { return bytes.Replace(b, []byte("\ndigest "), []byte("\ndigest 0"), 1) })
		}, file(2, ".checkpoint") + ": the signature does not fit"},
		"another key has signed": {func(t *testing.T, dir string) {
			change(t, dir, file(2, ".checkpoint"), func(b []byte) []byte { return archive.SignAs(t, b, stranger) })
		}, file(2, ".checkpoint") + ": the signature does not fit"},
		"a segment is cut": {func(t *testing.T, dir string) {
			change(t, dir, file(3, ".segment"), func(b []byte) []byte { return b[:len(b)-3] })
		}, file(3, ".segment") + " is cut short"},
		"a segment is longer": {func(t *testing.T, dir string) {
			change(t, dir, file(3, ".segment"), func(b []byte) []byte { return append(b, 0) })
		}, file(3, ".segment") + " is not the file that was signed"},
		"a checkpoint is cut": {func(t *testing.T, dir string) {
			change(t, dir, file(3, ".checkpoint"), func(b []byte) []byte { return b[:len(b)/2] })
		}, file(3, ".checkpoint") + ": this is no checkpoint"},
		"an open segment that does not follow": {func(t *testing.T, dir string) {
			must(t, os.WriteFile(filepath.Join(dir, fmt.Sprintf("%016d.segment", cps[3].Last+5)), archive.Head(), 0o600))
		}, "does not follow entry"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := c.copied()
			harm.do(t, dir)
			r, err := archive.Verify(dir, c.public(), nil)
			must(t, err)
			if !strings.Contains(strings.Join(r.Wrong, "\n"), harm.want) || !errors.Is(r.Err(), archive.ErrWrong) {
				t.Errorf("wrong: %q, want %q", r.Wrong, harm.want)
			}
		})
	}
	if _, err := archive.Verify(t.TempDir(), c.public(), nil); !errors.Is(err, archive.ErrWrong) {
		t.Errorf("an empty directory: %v", err)
	}
	if _, err := archive.Verify(c.cfg.Dir, "UABC", nil); err == nil {
		t.Error("what is no public key verifies")
	}
	c.check(c.cfg.Dir)
}

func change(t *testing.T, dir, file string, how func([]byte) []byte) {
	t.Helper()
	path := filepath.Join(dir, file)
	b, err := os.ReadFile(path)
	must(t, err)
	changed := how(bytes.Clone(b))
	if bytes.Equal(b, changed) {
		t.Fatalf("%s is as it was", file)
	}
	must(t, os.WriteFile(path, changed, 0o600))
}

func swap(t *testing.T, dir, a, b string) {
	t.Helper()
	a, b = filepath.Join(dir, a), filepath.Join(dir, b)
	must(t, errors.Join(os.Rename(a, a+".x"), os.Rename(b, a), os.Rename(a+".x", b)))
}

// FuzzReader holds the reader of segments to: no panic, no more memory than an entry may have, and what it
// gives follows.
func FuzzReader(f *testing.F) {
	e := &fold.Entry{Generation: record.Generation{1}, Number: 1, Term: 1}
	whole := archive.AppendFrame(archive.Head(), e.Encode())
	f.Add(archive.AppendFrame(whole, e.Tip().Boundary(record.Generation{2}, 3, 4).Encode()))
	f.Add(archive.Head())
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := archive.NewReader(bytes.NewReader(b), fold.Tip{})
		var tip fold.Tip
		for err == nil {
			var e *fold.Entry
			if _, e, err = r.Next(); err == nil {
				if tip.Check(e) != nil {
					t.Fatalf("entry %d does not follow entry %d", e.Number, tip.Number)
				}
				tip = e.Tip()
			}
		}
	})
}
