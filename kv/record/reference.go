package record

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"

	"github.com/klauspost/compress/s2"
)

// RefKind says what a Reference is. Its values are on disk: never change one.
type RefKind uint8

// Kinds of what every store gets.
const (
	RefItem      RefKind = 1 // key is the item's code, value a Product
	RefPromotion RefKind = 2 // key is the promotion's id, value its document, JSON
	RefSet       RefKind = 3 // key is the product set's id, value its document, JSON
	RefSetting   RefKind = 4 // key is the setting's name, value its document, JSON
)

// RefKinds lists every kind.
func RefKinds() []RefKind { return []RefKind{RefItem, RefPromotion, RefSet, RefSetting} }

func (k RefKind) String() string {
	switch k {
	case RefItem:
		return "item"
	case RefPromotion:
		return "promotion"
	case RefSet:
		return "set"
	case RefSetting:
		return "setting"
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// Limits of a Reference.
const (
	MaxRefKey   = 64       // bytes
	MaxRefValue = 64 << 10 // bytes
)

// Reference is one record of what every store gets, as its last change left it.
type Reference struct {
	Kind  RefKind
	Key   string
	Entry uint64 // that changed it; entries of one generation only grow
	At    int64  // Unix milliseconds of that
	Value []byte // empty: it was removed
}

// Removed reports whether the record was taken away.
func (r *Reference) Removed() bool { return len(r.Value) == 0 }

// Size is what the record takes in a page, about.
func (r *Reference) Size() int { return 24 + len(r.Key) + len(r.Value) }

func (r *Reference) append(b []byte) []byte {
	b = AppendBlob(append(b, byte(r.Kind)), []byte(r.Key))
	b = binary.BigEndian.AppendUint64(b, r.Entry)
	b = binary.BigEndian.AppendUint64(b, uint64(r.At))
	return AppendBlob(b, r.Value)
}

func readReference(rd *Reader) (r Reference) {
	r.Kind, r.Key = RefKind(rd.U8()), string(rd.Blob())
	r.Entry, r.At, r.Value = rd.U64(), rd.I64(), rd.Blob()
	if rd.Err == nil && (r.Key == "" || len(r.Key) > MaxRefKey || len(r.Value) > MaxRefValue) {
		rd.Err = ErrFormat
	}
	return r
}

func appendReferences(b []byte, all []Reference) []byte {
	b = binary.AppendUvarint(b, uint64(len(all)))
	for i := range all {
		b = all[i].append(b)
	}
	return b
}

func readReferences(rd *Reader) []Reference {
	all := make([]Reference, rd.Count(20))
	for i := range all {
		all[i] = readReference(rd)
	}
	return all
}

// References is the part of a Page that brings what every store gets. Its records ascend by entry.
type References struct {
	Status  FeedStatus
	Cursor  Cursor // where the next pull goes on
	More    bool   // without it the follower has, at Cursor, everything that there is
	Records []Reference
}

func (p *References) append(b []byte) []byte {
	b = p.Cursor.append(append(b, byte(p.Status), flag(p.More)))
	return appendReferences(b, p.Records)
}

func readReferencesPart(r *Reader) *References {
	p := &References{Status: FeedStatus(r.U8())}
	more := r.U8()
	if r.Err == nil && (p.Status < FeedItems || p.Status > FeedReset || more > 1) {
		r.Err = ErrFormat
	}
	p.More, p.Cursor = more == 1, readCursor(r)
	p.Records = readReferences(r)
	return p
}

// PartID names a part of the reference bucket: the first bytes of the SHA-256 of its bytes, because S2
// would not notice that some have changed.
type PartID [16]byte

// PartOf gives the name of a part that has these bytes.
func PartOf(b []byte) PartID {
	sum := sha256.Sum256(b)
	return PartID(sum[:16])
}

func (p PartID) String() string { return hex.EncodeToString(p[:]) }

// ReferencePart is what the head says of a part.
type ReferencePart struct {
	ID      PartID
	Records uint32 // in it, those that later parts replace among them
}

// ReferenceHead says which parts are the reference data: of a record that is in several, the one of the
// highest entry counts. It is changed by compare-and-set, so everything that is changed at once is.
type ReferenceHead struct {
	Generation Generation
	Entry      uint64 // the highest that was given out
	Floor      uint64 // removals up to this entry may have been let go of
	Parts      []ReferencePart
}

const (
	headVersion = 1
	partVersion = 1
)

// Append appends the head's binary form to b.
func (h *ReferenceHead) Append(b []byte) []byte {
	b = append(append(b, headVersion), h.Generation[:]...)
	b = binary.BigEndian.AppendUint64(b, h.Entry)
	b = binary.BigEndian.AppendUint64(b, h.Floor)
	b = binary.AppendUvarint(b, uint64(len(h.Parts)))
	for _, p := range h.Parts {
		b = binary.BigEndian.AppendUint32(append(b, p.ID[:]...), p.Records)
	}
	return b
}

// ReadReferenceHead reads what Append wrote.
func ReadReferenceHead(b []byte) (h ReferenceHead, err error) {
	r := Reader{B: b}
	if r.U8() != headVersion && r.Err == nil {
		r.Err = ErrFormat
	}
	r.Fill(h.Generation[:])
	h.Entry, h.Floor = r.U64(), r.U64()
	h.Parts = make([]ReferencePart, r.Count(20))
	for i := range h.Parts {
		r.Fill(h.Parts[i].ID[:])
		h.Parts[i].Records = r.U32()
	}
	if err := r.End(); err != nil {
		return ReferenceHead{}, fmt.Errorf("reference head: %w", err)
	}
	return h, nil
}

// maxPart bounds what a part unpacks to.
const maxPart = 64 << 20

// PackReferences gives the bytes of a part.
func PackReferences(all []Reference) []byte {
	return append([]byte{partVersion}, s2.EncodeBetter(nil, appendReferences(nil, all))...)
}

// UnpackReferences reads what PackReferences wrote.
func UnpackReferences(b []byte) ([]Reference, error) {
	r := Reader{B: b}
	if r.U8() != partVersion || r.Err != nil {
		return nil, fmt.Errorf("part of reference data: %w", ErrFormat)
	}
	if n, err := s2.DecodedLen(r.B); err != nil || n > maxPart {
		return nil, fmt.Errorf("part of reference data: %w", ErrFormat)
	}
	plain, err := s2.Decode(nil, r.B)
	if err != nil {
		return nil, fmt.Errorf("part of reference data: %w: %w", ErrFormat, err)
	}
	r = Reader{B: plain}
	all := readReferences(&r)
	if err := r.End(); err != nil {
		return nil, fmt.Errorf("part of reference data: %w", err)
	}
	return all, nil
}
