package books

import "hash/maphash"

// index finds the number of a 16-byte key. The keys themselves lie elsewhere, in the order of their
// numbers. It holds no pointers into them, takes about 12 bytes a key where a map took 40, and grows a
// part at a time: a map of ten million that grows at once would hold up the fold.
type index struct {
	seed  maphash.Seed // of this process: nobody can choose ids that lie in one place
	parts [indexParts]indexPart
}

const (
	indexParts = 256
	used       = 1 << 63 // a slot in use
)

// indexPart is an open hash table. A slot is 31 bits of the key's hash, which also say where it should
// lie, and the number.
type indexPart struct {
	slots []uint64
	n     int
}

func newIndex() index { return index{seed: maphash.MakeSeed()} }

func (x *index) hash(key *[16]byte) uint64 { return maphash.Bytes(x.seed, key[:]) }

func (x *index) part(hash uint64) *indexPart { return &x.parts[hash&(indexParts-1)] }

// place is where the search for a slot begins.
func (p *indexPart) place(slot uint64) uint64 { return slot >> 32 & uint64(len(p.slots)-1) }

// find gives the number of a key with this hash for which is says yes.
func (x *index) find(hash uint64, is func(number uint32) bool) (uint32, bool) {
	p := x.part(hash)
	if p.n == 0 {
		return 0, false
	}
	want := (hash | used) >> 32
	for i := p.place(hash); p.slots[i] != 0; i = (i + 1) & uint64(len(p.slots)-1) {
		if s := p.slots[i]; s>>32 == want && is(uint32(s)) {
			return uint32(s), true
		}
	}
	return 0, false
}

// peek gives the slot at which a search begins.
func (x *index) peek(hash uint64) uint64 {
	p := x.part(hash)
	if p.n == 0 {
		return 0
	}
	return p.slots[p.place(hash)]
}

// put gives a key a number, in place of the one that it had.
func (x *index) put(hash uint64, number uint32, is func(number uint32) bool) (before uint32, had bool) {
	p := x.part(hash)
	if 4*(p.n+1) > 3*len(p.slots) {
		p.resize(max(8, 2*len(p.slots)), func(uint32) bool { return true })
	}
	slot := hash&^0xffffffff | used | uint64(number)
	i := p.place(slot)
	for p.slots[i] != 0 {
		if s := p.slots[i]; s>>32 == slot>>32 && is(uint32(s)) {
			p.slots[i] = slot
			return uint32(s), true
		}
		i = (i + 1) & uint64(len(p.slots)-1)
	}
	p.slots[i] = slot
	p.n++
	return 0, false
}

// drop takes a number out: those behind it move up, so that none is behind a hole.
func (x *index) drop(hash uint64, number uint32) {
	p := x.part(hash)
	if p.n == 0 {
		return
	}
	slot, mask := hash&^0xffffffff|used|uint64(number), uint64(len(p.slots)-1)
	hole := p.place(slot)
	for ; p.slots[hole] != slot; hole = (hole + 1) & mask {
		if p.slots[hole] == 0 {
			return
		}
	}
	for i := (hole + 1) & mask; p.slots[i] != 0; i = (i + 1) & mask {
		if from := p.place(p.slots[i]); (i-from)&mask >= (i-hole)&mask {
			p.slots[hole], hole = p.slots[i], i
		}
	}
	p.slots[hole] = 0
	p.n--
}

// resize moves what is kept to a table of another size, a power of two.
func (p *indexPart) resize(size int, keep func(number uint32) bool) {
	old := p.slots
	p.slots, p.n = make([]uint64, size), 0
	for _, s := range old {
		if s == 0 || !keep(uint32(s)) {
			continue
		}
		i := p.place(s)
		for p.slots[i] != 0 {
			i = (i + 1) & uint64(size-1)
		}
		p.slots[i] = s
		p.n++
	}
}

// expect makes room for so many keys.
func (x *index) expect(n int) {
	size := 8
	for 3*size < 4*(n/indexParts+n/indexParts/8+8) {
		size *= 2
	}
	for i := range x.parts {
		if p := &x.parts[i]; len(p.slots) < size {
			p.resize(size, func(uint32) bool { return true })
		}
	}
}

// forget drops the numbers that are not kept, from one part in each call.
func (x *index) forget(part int, keep func(number uint32) bool) {
	p := &x.parts[part%indexParts]
	if p.n == 0 {
		return
	}
	size, n := len(p.slots), 0
	for _, s := range p.slots {
		if s != 0 && keep(uint32(s)) {
			n++
		}
	}
	for size > 8 && 4*n < size {
		size /= 2
	}
	p.resize(size, keep)
}
