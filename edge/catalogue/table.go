package catalogue

import (
	"encoding/binary"
	"hash/maphash"
	"strings"
)

// table has the items of some revision. It does not change.
type table struct {
	text  string   // item after item: length and bytes of the code, the entry, length and bytes of the value
	slots []uint32 // position in text + 1, by the code's hash; 0: free. A power of two of them, at most half taken
	seed  maphash.Seed
	items int
}

// entrySize is that of an entry in text.
const entrySize = 8

// builder makes a table.
type builder struct {
	text  strings.Builder
	codes int
}

// add puts an item into the table. A code must come once.
func (b *builder) add(code string, entry uint64, value string) {
	var head [binary.MaxVarintLen64]byte
	b.text.Write(head[:binary.PutUvarint(head[:], uint64(len(code)))])
	b.text.WriteString(code)
	b.text.Write(binary.BigEndian.AppendUint64(head[:0], entry))
	b.text.Write(head[:binary.PutUvarint(head[:], uint64(len(value)))])
	b.text.WriteString(value)
	b.codes++
}

// most is how many bytes the positions in a table can tell apart: fifty million items.
const most = 1 << 32

func (b *builder) table() *table {
	size := 8
	for size < 2*b.codes {
		size *= 2
	}
	t := &table{text: b.text.String(), slots: make([]uint32, size), seed: maphash.MakeSeed(), items: b.codes}
	for at := 0; at < len(t.text) && at < most-1; {
		i := t.item(at)
		slot := t.slot(i.code)
		for t.slots[slot] != 0 {
			slot = (slot + 1) & (len(t.slots) - 1)
		}
		t.slots[slot] = uint32(at + 1)
		at = i.next
	}
	return t
}

func (t *table) slot(code string) int {
	return int(maphash.String(t.seed, code) & uint64(len(t.slots)-1))
}

// stored is an item as it lies in a table.
type stored struct {
	code  string
	entry uint64
	value string
	next  int // position of the one after it
}

func (t *table) item(at int) (i stored) {
	n, at := t.length(at)
	i.code = t.text[at : at+n]
	at += n
	for k := range entrySize {
		i.entry = i.entry<<8 | uint64(t.text[at+k])
	}
	n, at = t.length(at + entrySize)
	i.value, i.next = t.text[at:at+n], at+n
	return i
}

// length reads a varint, which a builder wrote.
func (t *table) length(at int) (n, next int) {
	for shift := 0; ; shift += 7 {
		c := t.text[at]
		at++
		n |= int(c&0x7f) << shift
		if c < 0x80 {
			return n, at
		}
	}
}

func (t *table) get(code string) (stored, bool) {
	if t.items == 0 {
		return stored{}, false
	}
	for slot := t.slot(code); t.slots[slot] != 0; slot = (slot + 1) & (len(t.slots) - 1) {
		if i := t.item(int(t.slots[slot] - 1)); i.code == code {
			return i, true
		}
	}
	return stored{}, false
}

// all gives every item, in the order in which they were added.
func (t *table) all(yield func(stored) bool) {
	for at := 0; at < len(t.text); {
		i := t.item(at)
		if !yield(i) {
			return
		}
		at = i.next
	}
}
