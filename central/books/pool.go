package books

import (
	"encoding/binary"

	"tillstream/kv/record"
)

// pool holds things that come and go, each with a key of 16 bytes: holds, coupons, what became of sales,
// returns that wait. A thing keeps its number while it is there; a number that became free is given to the
// next. A snapshot has the free ones too, so that all nodes give out the same numbers.
type pool[T any] struct {
	index index
	slabs []*[poolSlab]slot[T]
	n     uint32 // numbers given out so far
	free  uint32 // the first that is free, plus one; zero: none
	live  int
	sums  digest // of the things that are there
	swept round
	form  form[T]
	kept  *kept // while a snapshot is under way
}

// form is how a pool's things are named, written and read.
type form[T any] struct {
	part byte // of a snapshot
	key  func(*T) *[16]byte
	put  func([]byte, *T) []byte
	get  func(*record.Reader, *T) bool
	sum  func(*T) digest
	drop func(*T) // gives back what the thing holds elsewhere; nil: nothing
}

type slot[T any] struct {
	v    T
	next uint32 // of one that is free: the next that is, plus one
	used bool
}

const poolSlab = 512

func newPool[T any](f form[T]) pool[T] { return pool[T]{index: newIndex(), form: f} }

func (p *pool[T]) slot(i uint32) *slot[T] { return &p.slabs[i/poolSlab][i%poolSlab] }

// at gives a thing to read.
func (p *pool[T]) at(i uint32) *T { return &p.slot(i).v }

// change lets fn change a thing, with all that belongs to it; fn changes nothing else of the pool.
func (p *pool[T]) change(i uint32, fn func(*T)) {
	p.keep(i)
	v := p.at(i)
	p.sums.sub(p.form.sum(v))
	fn(v)
	p.sums.add(p.form.sum(v))
}

func (p *pool[T]) keep(i uint32) {
	if p.kept != nil {
		p.kept.keep(i, func() []byte { return p.append(nil, i) })
	}
}

func (p *pool[T]) hash(key *[16]byte) uint64 { return p.index.hash(key) }

func (p *pool[T]) is(key *[16]byte) func(uint32) bool {
	return func(i uint32) bool { return *p.form.key(p.at(i)) == *key }
}

// find gives the number of the thing with a key.
func (p *pool[T]) find(key *[16]byte) (uint32, bool) {
	if p.live == 0 {
		return 0, false
	}
	return p.index.find(p.hash(key), p.is(key))
}

// add takes a thing in; one with the same key is not found any more, but is there.
func (p *pool[T]) add(v T) uint32 {
	i := p.n
	if p.free != 0 {
		i = p.free - 1
		p.keep(i)
		p.free = p.slot(i).next
	} else {
		p.push()
	}
	*p.slot(i) = slot[T]{v: v, used: true}
	p.sums.add(p.form.sum(&v))
	p.live++
	p.name(i)
	return i
}

// push makes room for one more number.
func (p *pool[T]) push() *slot[T] {
	if p.n%poolSlab == 0 {
		p.slabs = append(p.slabs, new([poolSlab]slot[T]))
	}
	p.n++
	return p.slot(p.n - 1)
}

// name lets a thing be found by its key.
func (p *pool[T]) name(i uint32) {
	key := p.form.key(p.at(i))
	p.index.put(p.hash(key), i, p.is(key))
}

// drop lets go of a thing.
func (p *pool[T]) drop(i uint32) {
	p.keep(i)
	s := p.slot(i)
	p.index.drop(p.hash(p.form.key(&s.v)), i)
	p.sums.sub(p.form.sum(&s.v))
	if p.form.drop != nil {
		p.form.drop(&s.v)
	}
	*s = slot[T]{next: p.free}
	p.free = i + 1
	p.live--
}

// all calls fn for each thing, by number.
func (p *pool[T]) all(fn func(i uint32, v *T)) {
	for i := range p.n {
		if s := p.slot(i); s.used {
			fn(i, &s.v)
		}
	}
}

// sweep calls fn for the things that are due for a visit, so that each has one in a day.
func (p *pool[T]) sweep(now int64, fn func(i uint32, v *T)) {
	p.swept.visit(now, p.n, func(i uint32) {
		if s := p.slot(i); s.used {
			fn(i, &s.v)
		}
	})
}

// append appends a number's part of a snapshot.
func (p *pool[T]) append(dst []byte, i uint32) []byte {
	s := p.slot(i)
	if !s.used {
		return binary.BigEndian.AppendUint32(append(dst, 0), s.next)
	}
	return p.form.put(append(dst, 1), &s.v)
}

func (p *pool[T]) appendHead(dst []byte) []byte {
	dst = binary.AppendUvarint(binary.AppendUvarint(dst, uint64(p.n)), uint64(p.free))
	return p.swept.append(dst)
}

// freeze begins a snapshot of the pool and gives what writes its parts.
func (p *pool[T]) freeze() func(m *image, dst []byte) ([]byte, bool) {
	k := &kept{n: p.n, old: map[uint32][]byte{}}
	p.kept = k
	return func(m *image, dst []byte) ([]byte, bool) {
		from, to := m.take(poolSlab, int(k.n))
		if from == to {
			return dst, false
		}
		dst = append(dst, p.form.part)
		for i := uint32(from); i < uint32(to); i++ {
			if old, ok := k.old[i]; ok {
				dst = append(dst, old...)
				delete(k.old, i)
			} else {
				dst = p.append(dst, i)
			}
		}
		k.done = uint32(to)
		return dst, true
	}
}

// poolHead is what a snapshot's head says of a pool.
type poolHead struct{ n, free uint32 }

func (p *pool[T]) readHead(r *record.Reader) (h poolHead) {
	h.n, h.free = number(r), number(r)
	if p.free, p.swept = h.free, readRound(r); h.n >= atRest || h.free > h.n {
		r.Err = record.ErrFormat
	}
	return h
}

// takePart reads a part.
func (p *pool[T]) takePart(r *record.Reader, h poolHead) error {
	for len(r.B) > 0 && r.Err == nil {
		if p.n >= h.n {
			return record.ErrFormat
		}
		s := p.push()
		switch r.U8() {
		case 0:
			if s.next = r.U32(); s.next > h.n {
				return record.ErrFormat
			}
		case 1:
			if s.used = p.form.get(r, &s.v); !s.used || r.Err != nil {
				return record.ErrFormat
			}
			p.live++
			p.sums.add(p.form.sum(&s.v))
			p.name(p.n - 1)
		default:
			return record.ErrFormat
		}
	}
	return nil
}
