package record

import (
	"encoding/binary"
	"fmt"

	"github.com/klauspost/compress/s2"
)

// Sizes of what travels. A pack in the raw is at most MaxPack unless its one record is larger; both
// stay under the 1 MiB that a NATS message may have.
const (
	MaxRun  = 256 << 10 // raw bytes after which a run is closed
	MaxPack = 768 << 10 // raw bytes of a pack, and of the journal message made from packs
)

// maxRaw bounds what one run may unpack to: a run is closed by the record that takes it past MaxRun.
const maxRaw = MaxRun + MaxHeaderSize + MaxBody

// Run is consecutive records of one chain. It is the unit that a journal keeps and that a pack
// carries: compressed once at the till, and moved as it is.
type Run struct {
	Chain       ChainID
	First, Last uint64
	Raw         uint32 // bytes before compression
	Packed      []byte // S2 block of the records' binary forms, one after the other
}

// PackRun makes a run of records that follow each other in one chain. There must be one at least.
func PackRun(recs []Receipt) Run {
	n := 0
	for i := range recs {
		n += recs[i].Size() + len(recs[i].Data)
	}
	raw := make([]byte, 0, n)
	for i := range recs {
		raw = recs[i].Append(raw)
	}
	return Run{
		Chain: recs[0].Chain, First: recs[0].Seq, Last: recs[len(recs)-1].Seq,
		Raw: uint32(len(raw)), Packed: s2.Encode(nil, raw),
	}
}

// Receipts unpacks the run. It refuses a run whose records do not follow each other, by number and by
// hash; whether the first follows what the holder has is the holder's question. Bodies are checked
// against their headers only if bodies is true: the store does that once, nobody above does again.
func (r *Run) Receipts(bodies bool) ([]Receipt, error) {
	n, err := s2.DecodedLen(r.Packed)
	if err != nil || n != int(r.Raw) || n > maxRaw {
		return nil, fmt.Errorf("run of chain %s: %w: bad size", r.Chain, ErrFormat)
	}
	raw, err := s2.Decode(nil, r.Packed)
	if err != nil {
		return nil, fmt.Errorf("run of chain %s: %w: %w", r.Chain, ErrFormat, err)
	}
	rd := Reader{B: raw}
	recs := make([]Receipt, 0, min(r.Last-r.First+1, uint64(n/HeaderSize+1)))
	for seq := r.First; len(rd.B) > 0; seq++ {
		rec := ReadReceipt(&rd)
		if rd.Err != nil {
			return nil, fmt.Errorf("run of chain %s at seq %d: %w", r.Chain, seq, rd.Err)
		}
		if rec.Chain != r.Chain || rec.Seq != seq {
			return nil, fmt.Errorf("run of chain %s: %w: want seq %d, got %d of chain %s",
				r.Chain, ErrFormat, seq, rec.Seq, rec.Chain)
		}
		if k := len(recs); k > 0 && rec.Prev != recs[k-1].Hash() {
			return nil, fmt.Errorf("run of chain %s at seq %d: %w: it does not follow", r.Chain, seq, ErrFormat)
		}
		if bodies && !rec.CheckBody() {
			return nil, fmt.Errorf("run of chain %s at seq %d: %w: body does not match its hash",
				r.Chain, seq, ErrFormat)
		}
		recs = append(recs, rec)
	}
	if len(recs) == 0 || recs[len(recs)-1].Seq != r.Last {
		return nil, fmt.Errorf("run of chain %s: %w: want last seq %d", r.Chain, ErrFormat, r.Last)
	}
	return recs, nil
}

// Append appends the run's binary form to b.
func (r *Run) Append(b []byte) []byte {
	b = append(b, r.Chain[:]...)
	b = binary.BigEndian.AppendUint64(b, r.First)
	b = binary.BigEndian.AppendUint64(b, r.Last)
	b = binary.BigEndian.AppendUint32(b, r.Raw)
	return AppendBlob(b, r.Packed)
}

const runSize = 16 + 8 + 8 + 4 + 1 // least bytes of a run

// ReadRun takes a run off r.
func ReadRun(r *Reader) (run Run) {
	r.Fill(run.Chain[:])
	run.First, run.Last, run.Raw = r.U64(), r.U64(), r.U32()
	run.Packed = r.Blob()
	if r.Err == nil && (run.Chain.IsZero() || run.First == 0 || run.Last < run.First) {
		r.Err = ErrFormat
	}
	return run
}

// Pack is what an uplink sends: runs, at most MaxPack raw bytes of them, and chains whose marks it
// wants to know. A pack without runs is the question an uplink asks when it has connected.
type Pack struct {
	Runs []Run
	Ask  []ChainID
}

const packVersion = 1

// Append appends the pack's binary form to b.
func (p *Pack) Append(b []byte) []byte {
	b = append(b, packVersion)
	b = binary.AppendUvarint(b, uint64(len(p.Runs)))
	for i := range p.Runs {
		b = p.Runs[i].Append(b)
	}
	b = binary.AppendUvarint(b, uint64(len(p.Ask)))
	for _, c := range p.Ask {
		b = append(b, c[:]...)
	}
	return b
}

// ReadPack reads what Append wrote. Runs alias b. It refuses a pack whose runs name more raw bytes than
// MaxPack and a last run: small runs of a short message could unpack to gigabytes.
func ReadPack(b []byte) (p Pack, err error) {
	r := Reader{B: b}
	if r.U8() != packVersion && r.Err == nil {
		return p, fmt.Errorf("pack: %w: unknown version", ErrFormat)
	}
	if n := r.Count(runSize); n > 0 {
		p.Runs = make([]Run, n)
		raw := 0
		for i := range p.Runs {
			p.Runs[i] = ReadRun(&r)
			raw += int(p.Runs[i].Raw)
		}
		if r.Err == nil && raw > MaxPack+maxRaw {
			return Pack{}, fmt.Errorf("pack: %w: %d raw bytes", ErrFormat, raw)
		}
	}
	if n := r.Count(len(ChainID{})); n > 0 {
		p.Ask = make([]ChainID, n)
		for i := range p.Ask {
			r.Fill(p.Ask[i][:])
		}
	}
	if err := r.End(); err != nil {
		return Pack{}, fmt.Errorf("pack: %w", err)
	}
	return p, nil
}
