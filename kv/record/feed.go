package record

import (
	"encoding/binary"
	"fmt"
)

// Cursor says how far a follower of a feed has come: the last entry it has, of which life of the
// source. An entry is the journal's entry number where the centre serves, and the cache's change
// number where a store serves its tills.
type Cursor struct {
	Generation Generation
	Entry      uint64
}

// Pull asks for what has changed since Cursor, and since Reference of what every store gets: another
// journal, with a cursor of its own.
type Pull struct {
	Cursor    Cursor
	Limit     uint32  // items wanted; the answer finishes the entry it is in, so it may hold more
	Reference *Cursor // nil: reference data is not asked for
	Above     bool    // with Reference: how the one who answers hears its own upstream is asked for too
}

// FeedStatus says what kind of answer a Page is.
type FeedStatus uint8

// Kinds of answer.
const (
	FeedItems  FeedStatus = 1 // what has changed
	FeedBehind FeedStatus = 2 // this node has not come as far as the cursor: ask again, or another
	FeedReset  FeedStatus = 3 // the cursor is of another life: drop everything, pull from zero
)

// Counted says how much of a chain is contained in the balances of a Page, and how much of it the
// centre has posted. The two are one number where the centre answers; a store counts records that it
// holds before the centre has them.
type Counted struct {
	Chain   ChainID
	Counted uint64
	Posted  uint64
}

// Page answers a Pull. Its items and its Counted were read at one moment: a follower may drop from
// an account's overlay what Counted covers when, and only when, that account's item has come.
type Page struct {
	Status  FeedStatus
	Cursor  Cursor // where the next pull goes on
	More    bool
	Items   []Item
	Counted []Counted

	Reference *References // nil: it was not asked for. What it says stands apart from all of the above
	Above     *Above      // with Reference; nil: it was not asked for, or nobody is above who answers
}

// Above says how a store hears the centre, at the moment of its answer: its tills hear nobody but the store.
type Above struct {
	Linked bool   // its line upward is up, as far as its own server knows
	Age    uint64 // milliseconds since the centre's last answer, or NeverHeard
}

// NeverHeard is the age of an answer that has not come since the store started.
const NeverHeard = 1<<64 - 1

// ItemKind says what an item's key and value are. Its values are on disk: never change one.
type ItemKind uint8

// Kinds of item.
const (
	ItemShopper ItemKind = 1 // key AccountID, value Shopper
)

// Item is one record that falls to the edge. An item without a value is a removal.
type Item struct {
	Kind  ItemKind
	Key   []byte
	Value []byte
}

const (
	pullVersion = 1
	pageVersion = 1
	// With reference data; whoever does not ask for it is answered as before there was any.
	pullVersion2 = 2
	pageVersion2 = 2
	// With Above: what a till asks, and a store answers.
	pullVersion3 = 3
	pageVersion3 = 3
)

func (c *Cursor) append(b []byte) []byte {
	b = append(b, c.Generation[:]...)
	return binary.BigEndian.AppendUint64(b, c.Entry)
}

func readCursor(r *Reader) (c Cursor) {
	r.Fill(c.Generation[:])
	c.Entry = r.U64()
	return c
}

// Append appends the cursor's binary form to b.
func (c Cursor) Append(b []byte) []byte { return c.append(b) }

// ReadCursor reads what Append wrote.
func ReadCursor(b []byte) (Cursor, error) {
	r := Reader{B: b}
	c := readCursor(&r)
	return c, r.End()
}

// Append appends the pull's binary form to b.
func (p *Pull) Append(b []byte) []byte {
	if p.Reference != nil {
		version := byte(pullVersion2)
		if p.Above {
			version = pullVersion3
		}
		b = p.Cursor.append(append(b, version))
		return p.Reference.append(binary.BigEndian.AppendUint32(b, p.Limit))
	}
	b = p.Cursor.append(append(b, pullVersion))
	return binary.BigEndian.AppendUint32(b, p.Limit)
}

// ReadPull reads what Append wrote.
func ReadPull(b []byte) (p Pull, err error) {
	r := Reader{B: b}
	version := r.U8()
	if (version < pullVersion || version > pullVersion3) && r.Err == nil {
		r.Err = ErrFormat
	}
	p.Cursor = readCursor(&r)
	p.Limit = r.U32()
	if version >= pullVersion2 {
		c := readCursor(&r)
		p.Reference, p.Above = &c, version == pullVersion3
	}
	if err := r.End(); err != nil {
		return Pull{}, fmt.Errorf("pull: %w", err)
	}
	return p, nil
}

// Append appends the page's binary form to b.
func (p *Page) Append(b []byte) []byte {
	version := byte(pageVersion)
	switch {
	case p.Reference != nil && p.Above != nil:
		version = pageVersion3
	case p.Reference != nil:
		version = pageVersion2
	}
	b = append(b, version, byte(p.Status), flag(p.More))
	b = p.Cursor.append(b)
	b = binary.AppendUvarint(b, uint64(len(p.Items)))
	for i := range p.Items {
		it := &p.Items[i]
		b = append(b, byte(it.Kind))
		b = AppendBlob(b, it.Key)
		b = AppendBlob(b, it.Value)
	}
	b = binary.AppendUvarint(b, uint64(len(p.Counted)))
	for _, c := range p.Counted {
		b = append(b, c.Chain[:]...)
		b = binary.BigEndian.AppendUint64(b, c.Counted)
		b = binary.BigEndian.AppendUint64(b, c.Posted)
	}
	if p.Reference != nil {
		b = p.Reference.append(b)
	}
	if version == pageVersion3 {
		b = binary.BigEndian.AppendUint64(append(b, flag(p.Above.Linked)), p.Above.Age)
	}
	return b
}

// ReadPage reads what Append wrote. Items and references alias b.
func ReadPage(b []byte) (p Page, err error) {
	r := Reader{B: b}
	version := r.U8()
	if (version < pageVersion || version > pageVersion3) && r.Err == nil {
		r.Err = ErrFormat
	}
	p.Status = FeedStatus(r.U8())
	more := r.U8()
	if r.Err == nil && (p.Status < FeedItems || p.Status > FeedReset || more > 1) {
		r.Err = ErrFormat
	}
	p.More = more == 1
	p.Cursor = readCursor(&r)
	p.Items = make([]Item, r.Count(3))
	for i := range p.Items {
		p.Items[i] = Item{Kind: ItemKind(r.U8()), Key: r.Blob(), Value: r.Blob()}
	}
	p.Counted = make([]Counted, r.Count(32))
	for i := range p.Counted {
		c := &p.Counted[i]
		r.Fill(c.Chain[:])
		c.Counted, c.Posted = r.U64(), r.U64()
	}
	if version >= pageVersion2 {
		p.Reference = readReferencesPart(&r)
	}
	if version == pageVersion3 {
		linked := r.U8()
		p.Above = &Above{Linked: linked == 1, Age: r.U64()}
		if r.Err == nil && linked > 1 {
			r.Err = ErrFormat
		}
	}
	if err := r.End(); err != nil {
		return Page{}, fmt.Errorf("page: %w", err)
	}
	return p, nil
}

func flag(b bool) byte {
	if b {
		return 1
	}
	return 0
}
