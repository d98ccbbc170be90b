package journal

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"io"
	"math"
	"os"
)

// pages checks the pages of a bbolt file before bbolt is trusted with it: that each is where it says,
// that none is used twice or both used and free, and that keys lie where their branches say. It reads
// heads and keys, not values: a page in about three receipts. bbolt's own check does the same in a
// goroutine of its own, where a damaged page ends the process.
type pages struct {
	f    io.ReaderAt
	size int64 // of a page
	end  uint64
	used []bool // by page
}

// meta is what a meta page says.
type meta struct{ root, freelist, end, tx uint64 }

const (
	branchFlag   = 1
	leafFlag     = 2
	freelistFlag = 16
	metaSize     = 64
	manyFree     = math.MaxUint16 // free pages from which the count does not fit its field
)

func checkPages(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	p := &pages{f: f, size: pageSize(f)}
	m, err := p.meta()
	if err != nil {
		return err
	}
	if m.end < 2 || m.end > uint64(info.Size()/p.size) {
		return fmt.Errorf("%w: %d pages in a file of %d bytes", ErrDamaged, m.end, info.Size())
	}
	p.end, p.used = m.end, make([]bool, m.end)
	if err := p.tree(m.root, nil, nil); err != nil {
		return err
	}
	return p.freelist(m.freelist)
}

// meta gives the newer of the two meta pages. Each commit writes one of them, in turn: where one is not
// whole, or not the commit before the other, the last one may be lost, which bbolt would pass over in
// silence and give the state before it.
func (p *pages) meta() (best meta, err error) {
	var both [2]meta
	for i := range both {
		off := int64(i) * p.size
		b := make([]byte, pageHead+metaSize)
		if _, err := p.f.ReadAt(b, off); err != nil {
			return best, fmt.Errorf("%w: meta page: %w", ErrDamaged, err)
		}
		b = b[pageHead:]
		u := func(at int) uint64 { return binary.NativeEndian.Uint64(b[at:]) }
		sum := fnv.New64a()
		sum.Write(b[:metaSize-8])
		if binary.NativeEndian.Uint32(b) != metaMagic || sum.Sum64() != u(56) {
			return best, fmt.Errorf("%w: meta page %d is not whole", ErrDamaged, i)
		}
		both[i] = meta{u(16), u(32), u(40), u(48)}
	}
	switch {
	case both[0].tx == both[1].tx+1:
		return both[0], nil
	case both[1].tx == both[0].tx+1:
		return both[1], nil
	}
	return best, fmt.Errorf("%w: meta pages of commits %d and %d", ErrDamaged, both[0].tx, both[1].tx)
}

// page reads the head of a page and of its elements, and takes the page as used.
func (p *pages) page(id uint64) (head, elements []byte, err error) {
	if id < 2 || id >= p.end {
		return nil, nil, fmt.Errorf("%w: page %d of %d", ErrDamaged, id, p.end)
	}
	b := make([]byte, p.size)
	if _, err := p.f.ReadAt(b, int64(id)*p.size); err != nil {
		return nil, nil, fmt.Errorf("%w: page %d: %w", ErrDamaged, id, err)
	}
	head = b[:pageHead]
	if got := binary.NativeEndian.Uint64(head); got != id {
		return nil, nil, fmt.Errorf("%w: page %d says it is %d", ErrDamaged, id, got)
	}
	last := id + uint64(binary.NativeEndian.Uint32(head[12:]))
	if last >= p.end {
		return nil, nil, fmt.Errorf("%w: page %d goes on to %d of %d", ErrDamaged, id, last, p.end)
	}
	for ; id <= last; id++ {
		if err := p.use(id); err != nil {
			return nil, nil, err
		}
	}
	return head, b[pageHead:], nil
}

func (p *pages) use(id uint64) error {
	if id < 2 || id >= p.end || p.used[id] {
		return fmt.Errorf("%w: page %d of %d has two uses", ErrDamaged, id, p.end)
	}
	p.used[id] = true
	return nil
}

// tree checks a page and what is under it. Its keys are lo or above, and below hi unless that is nil.
func (p *pages) tree(id uint64, lo, hi []byte) error {
	head, elements, err := p.page(id)
	if err != nil {
		return err
	}
	extent := p.size * (1 + int64(binary.NativeEndian.Uint32(head[12:])))
	n := int(binary.NativeEndian.Uint16(head[10:]))
	if int64(pageHead+n*elementSize) > extent {
		return fmt.Errorf("%w: page %d has %d elements", ErrDamaged, id, n)
	}
	if n*elementSize > len(elements) { // a leaf of many small values never is so long, but it may be
		elements = make([]byte, n*elementSize)
		if _, err := p.f.ReadAt(elements, int64(id)*p.size+pageHead); err != nil {
			return fmt.Errorf("%w: page %d: %w", ErrDamaged, id, err)
		}
	}
	l := level{p: p, id: id, base: int64(id) * p.size, extent: extent, n: n, elements: elements}
	switch binary.NativeEndian.Uint16(head[8:]) {
	case branchFlag:
		return l.branch(lo, hi)
	case leafFlag:
		return l.leaf(lo, hi)
	}
	return fmt.Errorf("%w: page %d is no part of a tree", ErrDamaged, id)
}

// level is one page of a tree.
type level struct {
	p        *pages
	id       uint64
	base     int64 // offset of the page in the file
	extent   int64 // bytes of the page
	n        int
	elements []byte
}

func (l *level) u32(i, at int) int64 {
	return int64(binary.NativeEndian.Uint32(l.elements[i*elementSize+at:]))
}

// bytes reads part of an element's key or value, at pos counted from the element.
func (l *level) bytes(i int, pos, n int64) ([]byte, error) {
	off := int64(pageHead+i*elementSize) + pos
	if pos < 0 || n < 0 || off+n > l.extent {
		return nil, fmt.Errorf("%w: element %d of page %d lies outside", ErrDamaged, i, l.id)
	}
	b := make([]byte, n)
	if _, err := l.p.f.ReadAt(b, l.base+off); err != nil {
		return nil, fmt.Errorf("%w: page %d: %w", ErrDamaged, l.id, err)
	}
	return b, nil
}

func (l *level) branch(lo, hi []byte) error {
	if l.n == 0 {
		return fmt.Errorf("%w: branch %d is empty", ErrDamaged, l.id)
	}
	keys := make([][]byte, l.n+1)
	for i := range l.n {
		k, err := l.bytes(i, l.u32(i, 0), l.u32(i, 4))
		if err != nil {
			return err
		}
		keys[i] = k
	}
	keys[l.n] = hi
	for i := range l.n {
		if err := ordered(l.id, lo, keys[i], keys[i+1]); err != nil {
			return err
		}
		if err := l.p.tree(binary.NativeEndian.Uint64(l.elements[i*elementSize+8:]), keys[i], keys[i+1]); err != nil {
			return err
		}
	}
	return nil
}

func (l *level) leaf(lo, hi []byte) error {
	for i := range l.n {
		flags, pos, ksize, vsize := l.u32(i, 0), l.u32(i, 4), l.u32(i, 8), l.u32(i, 12)
		if int64(pageHead+i*elementSize)+pos+ksize+vsize > l.extent || flags > bucketFlag {
			return fmt.Errorf("%w: element %d of page %d lies outside", ErrDamaged, i, l.id)
		}
		if i == 0 || i == l.n-1 { // between them the cursor will look
			k, err := l.bytes(i, pos, ksize)
			if err != nil {
				return err
			}
			if err := ordered(l.id, lo, k, hi); err != nil {
				return err
			}
		}
		if flags&bucketFlag == 0 {
			continue
		}
		v, err := l.bytes(i, pos+ksize, vsize)
		if err != nil {
			return err
		}
		if err := l.bucket(v); err != nil {
			return err
		}
	}
	return nil
}

// bucket checks a bucket: its tree, or, if it is small, the page that lies in its value.
func (l *level) bucket(v []byte) error {
	if len(v) < bucketHead {
		return fmt.Errorf("%w: bucket in page %d is cut short", ErrDamaged, l.id)
	}
	if root := binary.NativeEndian.Uint64(v); root != 0 {
		return l.p.tree(root, nil, nil)
	}
	v = v[bucketHead:]
	if len(v) < pageHead || binary.NativeEndian.Uint16(v[8:]) != leafFlag {
		return fmt.Errorf("%w: bucket in page %d is no page", ErrDamaged, l.id)
	}
	n := int(binary.NativeEndian.Uint16(v[10:]))
	if pageHead+n*elementSize > len(v) {
		return fmt.Errorf("%w: bucket in page %d has %d elements", ErrDamaged, l.id, n)
	}
	in := level{
		p: &pages{f: bytes.NewReader(v), size: int64(len(v))}, id: l.id, extent: int64(len(v)),
		n: n, elements: v[pageHead:],
	}
	return in.leaf(nil, nil)
}

func ordered(id uint64, lo, k, hi []byte) error {
	if bytes.Compare(lo, k) > 0 || hi != nil && bytes.Compare(k, hi) >= 0 {
		return fmt.Errorf("%w: page %d has a key out of place", ErrDamaged, id)
	}
	return nil
}

// freelist checks that what may be written over is not in use.
func (p *pages) freelist(id uint64) error {
	head, _, err := p.page(id)
	if err != nil {
		return err
	}
	extent := p.size * (1 + int64(binary.NativeEndian.Uint32(head[12:])))
	b := make([]byte, extent-pageHead)
	if _, err := p.f.ReadAt(b, int64(id)*p.size+pageHead); err != nil {
		return fmt.Errorf("%w: free list: %w", ErrDamaged, err)
	}
	n := uint64(binary.NativeEndian.Uint16(head[10:]))
	if n == manyFree {
		n, b = binary.NativeEndian.Uint64(b), b[8:]
	}
	if binary.NativeEndian.Uint16(head[8:]) != freelistFlag || n > uint64(len(b)/8) {
		return fmt.Errorf("%w: page %d is no free list", ErrDamaged, id)
	}
	for i := range n {
		if err := p.use(binary.NativeEndian.Uint64(b[8*i:])); err != nil {
			return err
		}
	}
	return nil
}
