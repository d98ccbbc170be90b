package journal

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"

	"tillstream/kv/record"
	"tillstream/kv/seal"
)

// scan reads a damaged file without bbolt: it looks at every page as if it were a leaf, and takes what
// opens under the key ring, which nothing but what this journal once wrote does. It finds old copies in
// free pages as well as what is in use; assemble sorts them out.
type scan struct {
	ring   *seal.Ring
	f      *os.File
	size   int64
	page   int64
	pieces map[record.ChainID][]*piece
	seen   map[string]bool // key, prefix and nonce of runs
	chains map[record.ChainID]*chain
}

// piece is a run as it lies in a damaged file.
type piece struct {
	key        []byte
	off        int64 // of the value
	size       int
	run        record.Run // without Packed
	kept       int64
	prev, hash record.Hash // what the first record follows; of the last record
}

// The layout of bbolt's pages, which its file format version 2 fixes: a header {id u64, flags u16,
// count u16, overflow u32}, then count elements {flags, pos, ksize, vsize u32}, pos counted from the
// element; a bucket that is small lies inside its parent's value, behind 16 bytes. The byte order is the
// machine's.
const (
	pageHead    = 16
	elementSize = 16
	bucketFlag  = 1
	bucketHead  = 16
	metaMagic   = 0xED0CDAED
	maxValue    = 4 << 20 // bytes; far above any run
	nonceEnd    = prefixSize + 1 + 12
)

func scanFile(path string, ring *seal.Ring) (s *scan, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() // read only
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	s = &scan{
		ring: ring, f: f, size: info.Size(), page: pageSize(f),
		pieces: map[record.ChainID][]*piece{}, seen: map[string]bool{}, chains: map[record.ChainID]*chain{},
	}
	for off := 2 * s.page; off < s.size; off += s.page {
		if err := s.leaf(off, 0); err != nil {
			return nil, fmt.Errorf("scan %s: %w", path, err)
		}
	}
	return s, nil
}

// pageSize asks the two meta pages, and believes the machine if neither is one.
func pageSize(f *os.File) int64 {
	own := int64(os.Getpagesize())
	for _, off := range []int64{0, own} {
		var b [pageHead + 12]byte
		if _, err := f.ReadAt(b[:], off); err != nil {
			continue
		}
		size := int64(binary.NativeEndian.Uint32(b[pageHead+8:]))
		if binary.NativeEndian.Uint32(b[pageHead:]) == metaMagic && size >= 512 && size <= 64<<10 && size&(size-1) == 0 {
			return size
		}
	}
	return own
}

// read gives n bytes, or as many as there are. Only an error of the disk is one.
func (s *scan) read(off int64, n int) ([]byte, error) {
	b := make([]byte, n)
	got, err := s.f.ReadAt(b, off)
	if err != nil && err != io.EOF {
		return nil, err
	}
	return b[:got], nil
}

func (s *scan) leaf(off int64, depth int) error {
	head, err := s.read(off, pageHead)
	if err != nil || len(head) < pageHead || binary.NativeEndian.Uint16(head[8:])&leafFlag == 0 {
		return err
	}
	count := int(binary.NativeEndian.Uint16(head[10:]))
	elements, err := s.read(off+pageHead, count*elementSize)
	if err != nil {
		return err
	}
	for i := 0; (i+1)*elementSize <= len(elements); i++ {
		e := elements[i*elementSize:]
		u := func(at int) int64 { return int64(binary.NativeEndian.Uint32(e[at:])) }
		flags, pos, ksize, vsize := u(0), u(4), u(8), u(12)
		start := off + pageHead + int64(i*elementSize) + pos
		if ksize > 64 || vsize > maxValue || start+ksize+vsize > s.size {
			continue
		}
		if flags&bucketFlag != 0 {
			if depth == 0 && vsize > bucketHead {
				if err := s.leaf(start+ksize+bucketHead, 1); err != nil {
					return err
				}
			}
			continue
		}
		if ksize != runKeySize && ksize != chainKeySize {
			continue
		}
		b, err := s.read(start, int(ksize+vsize))
		if err != nil {
			return err
		}
		if len(b) == int(ksize+vsize) {
			s.element(b[:ksize:ksize], b[ksize:], start+ksize)
		}
	}
	return nil
}

func (s *scan) element(k, v []byte, off int64) {
	if len(k) == chainKeySize {
		c, err := openChain(s.ring, k, v)
		if err != nil {
			return // a rid, or damaged
		}
		if old := s.chains[c.id]; old == nil || old.newer(c) {
			s.chains[c.id] = c
		}
		return
	}
	if len(v) < nonceEnd || s.seen[string(k)+string(v[:nonceEnd])] {
		return
	}
	run, p, err := openRun(s.ring, bucketRuns, k, v)
	if err != nil {
		return
	}
	recs, err := run.Receipts(false)
	if err != nil {
		return
	}
	s.seen[string(k)+string(v[:nonceEnd])] = true
	run.Packed = nil
	s.pieces[run.Chain] = append(s.pieces[run.Chain], &piece{
		key: k, off: off, size: len(v), run: run, kept: p.kept, prev: recs[0].Prev, hash: recs[len(recs)-1].Hash(),
	})
}

// newer reports whether o is a later copy of the same chain.
func (c *chain) newer(o *chain) bool {
	switch {
	case c.swept != o.swept:
		return o.swept
	case c.tip.Seq != o.tip.Seq:
		return o.tip.Seq > c.tip.Seq
	}
	return o.posted > c.posted || o.posted == c.posted && o.confirmed >= c.confirmed
}

// load reads a piece's run again.
func (s *scan) load(f *os.File, p *piece) (record.Run, []record.Receipt, error) {
	v := make([]byte, p.size)
	if _, err := f.ReadAt(v, p.off); err != nil {
		return record.Run{}, nil, err
	}
	run, _, err := openRun(s.ring, bucketRuns, p.key, v)
	if err != nil {
		return record.Run{}, nil, err
	}
	recs, err := run.Receipts(false)
	return run, recs, err
}
