package archive

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nkeys"

	"tillstream/central/fold"
	"tillstream/kv/record"
	"tillstream/subjects"
)

// Checkpoint is what is signed of a closed segment.
type Checkpoint struct {
	Brand   subjects.BrandID
	First   uint64            // entries in it, and
	Last    uint64            // both are there
	Life    record.Generation // of the last entry
	Hash    record.Hash       // of the last entry
	Segment record.Hash       // of the file
	Bytes   int64             // of the file
	Digest  record.Hash       // of the books at the last entry; zero: the fold was already far beyond it
	Time    time.Time         // of the closing, to the second
}

// Tip is the place behind the segment.
func (c *Checkpoint) Tip() fold.Tip {
	return fold.Tip{Generation: c.Life, Number: c.Last, Hash: c.Hash}
}

// ErrSignature means that a checkpoint is not signed by the key it should be signed by.
var ErrSignature = errors.New("the signature does not fit")

// errCheckpoint means that a file is no checkpoint.
var errCheckpoint = errors.New("this is no checkpoint")

const (
	title     = "tillstream archive checkpoint 1"
	signature = "signature "
	none      = "-"
)

// text is what is signed. A person can read it.
func (c *Checkpoint) text() []byte {
	digest := none
	if c.Digest != (record.Hash{}) {
		digest = c.Digest.String()
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\nbrand %s\nfirst %d\nlast %d\ngeneration %s\nentry %s\nsegment %s\nbytes %d\ndigest %s\ntime %s\n",
		title, c.Brand, c.First, c.Last, hex.EncodeToString(c.Life[:]), c.Hash, c.Segment, c.Bytes, digest,
		c.Time.UTC().Format(time.RFC3339))
	return b.Bytes()
}

// sign gives the checkpoint's file.
func (c *Checkpoint) sign(key nkeys.KeyPair) ([]byte, error) {
	b := c.text()
	s, err := key.Sign(b)
	if err != nil {
		return nil, fmt.Errorf("sign checkpoint: %w", err)
	}
	return append(b, signature+base64.StdEncoding.EncodeToString(s)+"\n"...), nil
}

// readCheckpoint reads a file that sign has made. What it says counts for nothing if its form or its
// signature is wrong.
func readCheckpoint(b []byte, key nkeys.KeyPair) (c Checkpoint, err error) {
	i := bytes.LastIndex(b, []byte("\n"+signature))
	if i < 0 {
		return c, errCheckpoint
	}
	text, tail := b[:i+1], strings.TrimSuffix(string(b[i+1+len(signature):]), "\n")
	s, err := base64.StdEncoding.DecodeString(tail)
	if err != nil {
		return c, errCheckpoint
	}
	if err := key.Verify(text, s); err != nil {
		return c, ErrSignature
	}
	values := map[string]string{}
	for _, line := range strings.Split(string(text), "\n")[1:] {
		name, value, _ := strings.Cut(line, " ")
		values[name] = value
	}
	c, err = parse(values)
	if err != nil || !bytes.Equal(c.text(), text) { // one form, so that nothing can be read in two ways
		return Checkpoint{}, errors.Join(errCheckpoint, err)
	}
	return c, nil
}

func parse(values map[string]string) (c Checkpoint, err error) {
	var errs []error
	number := func(name string) uint64 {
		n, err := strconv.ParseUint(values[name], 10, 63)
		errs = append(errs, err)
		return n
	}
	fill := func(dst []byte, name string) {
		b, err := hex.DecodeString(values[name])
		if err == nil && len(b) != len(dst) {
			err = errCheckpoint
		}
		errs = append(errs, err)
		copy(dst, b)
	}
	token, err := subjects.ParseToken(values["brand"])
	errs = append(errs, err)
	c.Brand = subjects.BrandID{Token: token}
	c.First, c.Last, c.Bytes = number("first"), number("last"), int64(number("bytes"))
	fill(c.Life[:], "generation")
	fill(c.Hash[:], "entry")
	fill(c.Segment[:], "segment")
	if values["digest"] != none {
		fill(c.Digest[:], "digest")
	}
	c.Time, err = time.Parse(time.RFC3339, values["time"])
	return c, errors.Join(append(errs, err)...)
}

func sumOf(r io.Reader) (h record.Hash, size int64, err error) {
	hash := sha256.New()
	size, err = io.Copy(hash, r)
	copy(h[:], hash.Sum(nil))
	return h, size, err
}

const (
	segmentExt    = ".segment"
	checkpointExt = ".checkpoint"
)

func name(first uint64, ext string) string { return fmt.Sprintf("%016d%s", first, ext) }

// number reads the first entry out of a file's name.
func number(file, ext string) (uint64, bool) {
	n, err := strconv.ParseUint(strings.TrimSuffix(file, ext), 10, 63)
	return n, err == nil && n > 0 && file == name(n, ext)
}

// listing is what lies in an archive's directory, by first entry, ascending.
type listing struct {
	segments, checkpoints []uint64
}

func list(dir string) (l listing, err error) {
	files, err := os.ReadDir(dir) // sorted, and so are the numbers
	if err != nil {
		return l, fmt.Errorf("read archive: %w", err)
	}
	for _, f := range files {
		if n, ok := number(f.Name(), segmentExt); ok {
			l.segments = append(l.segments, n)
		}
		if n, ok := number(f.Name(), checkpointExt); ok {
			l.checkpoints = append(l.checkpoints, n)
		}
	}
	return l, nil
}

// keep writes a file so that after a death it is whole or not there.
func keep(path string, data []byte) error {
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// ReadSeed reads the file of the archive's key.
func ReadSeed(path string) (nkeys.KeyPair, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read archive's seed: %w", err)
	}
	key, err := nkeys.FromSeed(bytes.TrimSpace(b))
	if err != nil {
		return nil, fmt.Errorf("read archive's seed %s: %w", path, err)
	}
	return key, nil
}
