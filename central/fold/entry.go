package fold

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/klauspost/compress/s2"

	"tillstream/kv/record"
)

// Proposal is what may become part of an entry. Head is all that a machine's Apply reads; Rest is what
// only history wants (bodies of receipts). A proposal must be idempotent: after a change of writer it
// may be proposed again though it was stored.
type Proposal struct {
	Head []byte
	Rest []byte
}

// Size is the raw bytes of the proposal.
func (p *Proposal) Size() int { return len(p.Head) + len(p.Rest) }

// Entry is one message of the journal: one transaction, all of it or nothing.
type Entry struct {
	Generation record.Generation
	Number     uint64 // 1, 2, 3, …; not the stream's sequence
	Term       uint64 // number of the writer's first entry
	Writer     uint64 // drawn by each process: no two write the same bytes, not even the first of a term
	At         int64  // Unix milliseconds; never before the entry before. The only clock a state may use
	Prev       record.Hash
	Ends       record.Generation // the generation that this entry puts an end to; zero: it goes on in its own
	Proposals  []Proposal        // empty: a new writer's first entry

	Stream uint64 // sequence of its message in the stream, once that is known; not part of the bytes

	bytes  []byte      // as they were read
	hash   record.Hash // of them, once it was asked for
	hashed bool
	packed []byte // sections not opened yet
}

// Hash is the SHA-256 of the entry's bytes, which the next entry names; zero of an entry that has none.
func (e *Entry) Hash() record.Hash {
	if !e.hashed && e.bytes != nil {
		e.hash, e.hashed = sha256.Sum256(e.bytes), true
	}
	return e.hash
}

// Sum is the hash of an entry's bytes.
func Sum(b []byte) record.Hash { return sha256.Sum256(b) }

// Versions of an entry's bytes: the usual one, and that of an entry that begins another generation.
const (
	entryVersion    = 1
	boundaryVersion = 2
)

// MaxEntry bounds the raw bytes of one entry; a single proposal may be larger, up to the message limit.
const MaxEntry = record.MaxPack

// Encoder makes the bytes of one entry after the other in the same memory.
type Encoder struct{ heads, rests, packed []byte }

// Encode gives the entry's bytes, which are the caller's, and sets its hash. Heads come in one compressed
// section and rests in another, so that a fold need not open the bodies.
func (c *Encoder) Encode(e *Entry) []byte {
	c.heads = binary.AppendUvarint(c.heads[:0], uint64(len(e.Proposals)))
	c.rests = c.rests[:0]
	for i := range e.Proposals {
		c.heads = record.AppendBlob(c.heads, e.Proposals[i].Head)
		c.rests = record.AppendBlob(c.rests, e.Proposals[i].Rest)
	}
	most := s2.MaxEncodedLen(len(c.heads)) + s2.MaxEncodedLen(len(c.rests))
	if cap(c.packed) < most {
		c.packed = make([]byte, most)
	}
	heads := s2.Encode(c.packed[:cap(c.packed)], c.heads)
	rests := s2.Encode(c.packed[len(heads):cap(c.packed)], c.rests)
	b := make([]byte, 0, fixedSize+len(heads)+len(rests)+2*binary.MaxVarintLen32)
	b = append(b, entryVersion)
	if e.Begins() {
		b[0] = boundaryVersion
	}
	b = append(b, e.Generation[:]...)
	b = binary.BigEndian.AppendUint64(b, e.Number)
	b = binary.BigEndian.AppendUint64(b, e.Term)
	b = binary.BigEndian.AppendUint64(b, e.Writer)
	b = binary.BigEndian.AppendUint64(b, uint64(e.At))
	b = append(b, e.Prev[:]...)
	if e.Begins() {
		b = append(b, e.Ends[:]...)
	}
	b = record.AppendBlob(b, heads)
	b = record.AppendBlob(b, rests)
	e.bytes, e.hashed = b, false
	return b
}

// Encode gives the entry's bytes and sets its hash.
func (e *Entry) Encode() []byte { return new(Encoder).Encode(e) }

const fixedSize = 1 + 16 + 8 + 8 + 8 + 8 + 32

// Decode reads the fixed part of an entry's bytes; Open reads the rest.
func Decode(b []byte) (*Entry, error) {
	r := record.Reader{B: b}
	version := r.U8()
	if version != entryVersion && version != boundaryVersion && r.Err == nil {
		return nil, fmt.Errorf("journal entry: %w: unknown version %d", record.ErrFormat, version)
	}
	e := &Entry{}
	r.Fill(e.Generation[:])
	e.Number, e.Term, e.Writer, e.At = r.U64(), r.U64(), r.U64(), r.I64()
	r.Fill(e.Prev[:])
	if version == boundaryVersion {
		r.Fill(e.Ends[:])
	}
	if r.Err != nil {
		return nil, fmt.Errorf("journal entry: %w", r.Err)
	}
	e.packed, e.bytes = r.B, b
	if version == boundaryVersion {
		return e, e.checkBoundary()
	}
	return e, nil
}

// Open unpacks the heads, and the rests too if asked.
func (e *Entry) Open(rests bool) error {
	_, err := e.OpenIn(nil, rests)
	return err
}

// OpenIn is Open in the memory of buf, if the heads fit; it gives the memory that it used, which the entry's
// heads lie in.
func (e *Entry) OpenIn(buf []byte, rests bool) ([]byte, error) {
	r := record.Reader{B: e.packed}
	packedHeads, packedRests := r.Blob(), r.Blob()
	if err := r.End(); err != nil {
		return buf, fmt.Errorf("journal entry %d: %w", e.Number, err)
	}
	heads, err := unpack(buf, packedHeads)
	if err != nil {
		return buf, fmt.Errorf("journal entry %d: heads: %w", e.Number, err)
	}
	hr := record.Reader{B: heads}
	e.Proposals = make([]Proposal, hr.Count(1))
	for i := range e.Proposals {
		e.Proposals[i].Head = hr.Blob()
	}
	if err := hr.End(); err != nil {
		return heads, fmt.Errorf("journal entry %d: heads: %w", e.Number, err)
	}
	if !rests {
		return heads, nil
	}
	all, err := unpack(nil, packedRests)
	if err != nil {
		return heads, fmt.Errorf("journal entry %d: rests: %w", e.Number, err)
	}
	rr := record.Reader{B: all}
	for i := range e.Proposals {
		e.Proposals[i].Rest = rr.Blob()
	}
	if err := rr.End(); err != nil {
		return heads, fmt.Errorf("journal entry %d: rests: %w", e.Number, err)
	}
	return heads, nil
}

// maxSection bounds what a section may unpack to: an entry is at most MaxEntry raw bytes, or one
// proposal that fits a NATS message.
const maxSection = 4 << 20

func unpack(buf, b []byte) ([]byte, error) {
	n, err := s2.DecodedLen(b)
	if err != nil || n > maxSection {
		return nil, record.ErrFormat
	}
	return s2.Decode(buf[:cap(buf)], b)
}
