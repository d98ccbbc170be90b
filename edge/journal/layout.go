package journal

import (
	"encoding/binary"
	"fmt"
	"slices"

	"tillstream/kv/record"
	"tillstream/kv/seal"
)

// What lies in the file. All numbers are big-endian; goldens are not kept, because a journal of
// another version is refused (ErrVersion), and another version means a way to read this one.
var (
	bucketMeta   = []byte("meta")
	bucketChains = []byte("chains")
	bucketRuns   = []byte("runs")
	bucketRIDs   = []byte("rids")
	bucketAside  = []byte("aside")
	keyVersion   = []byte("version")
)

const (
	versionText = "tillstream journal " // and the number
	version     = "2"
	versionOld  = "1" // the rid of every record was indexed with it; read, and written on as version 2
)

const (
	chainKeySize = 16
	runKeySize   = chainKeySize + 8
	prefixSize   = 1 + 8 + 8 + 4
	runVersion   = 1
	chainVersion = 2
	chainOld     = 1 // without indexed and moved
)

func runKey(c record.ChainID, first uint64) []byte {
	return binary.BigEndian.AppendUint64(c[:], first) // c is a copy: appending never writes to the caller's
}

func splitRunKey(k []byte) (c record.ChainID, seq uint64, ok bool) {
	if len(k) != runKeySize {
		return c, 0, false
	}
	copy(c[:], k)
	return c, binary.BigEndian.Uint64(k[chainKeySize:]), true
}

// place is what a sealed value is bound to.
func place(bucket, key, prefix []byte) []byte {
	return slices.Concat([]byte("journal\x00"), bucket, []byte{0}, key, prefix)
}

// prefix is the clear front of a run's value: enough to check that chains have no holes and to say
// how old a run is, without a key.
type prefix struct {
	kept int64 // Unix milliseconds
	last uint64
	raw  uint32
}

func (p prefix) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(append(b, runVersion), uint64(p.kept))
	b = binary.BigEndian.AppendUint64(b, p.last)
	return binary.BigEndian.AppendUint32(b, p.raw)
}

func readPrefix(v []byte) (p prefix, err error) {
	r := record.Reader{B: v}
	if r.U8() != runVersion {
		return p, fmt.Errorf("%w: run of an unknown form", ErrDamaged)
	}
	p = prefix{kept: r.I64(), last: r.U64(), raw: r.U32()}
	if r.Err != nil {
		return p, fmt.Errorf("%w: run is cut short", ErrDamaged)
	}
	return p, nil
}

// sealRun makes a run's value.
func sealRun(ring *seal.Ring, bucket []byte, run record.Run, kept int64) []byte {
	v := make([]byte, 0, prefixSize+64+len(run.Packed))
	v = prefix{kept: kept, last: run.Last, raw: run.Raw}.append(v)
	return ring.Seal(v, place(bucket, runKey(run.Chain, run.First), v), run.Packed)
}

// openRun reads a run's key and value. The run aliases neither.
func openRun(ring *seal.Ring, bucket, k, v []byte) (run record.Run, p prefix, err error) {
	chain, first, ok := splitRunKey(k)
	if !ok {
		return run, p, fmt.Errorf("%w: key %x is not a run's", ErrDamaged, k)
	}
	if p, err = readPrefix(v); err != nil {
		return run, p, err
	}
	packed, err := ring.Open(place(bucket, k, v[:prefixSize]), v[prefixSize:])
	if err != nil {
		return run, p, fmt.Errorf("%w: run of chain %s at seq %d: %w", ErrDamaged, chain, first, err)
	}
	return record.Run{Chain: chain, First: first, Last: p.last, Raw: p.raw, Packed: packed}, p, nil
}

// state is what the file says of a chain. In memory it is changed by whoever has the turn, and then
// under Journal.mu.
type state struct {
	id     record.ChainID
	start  record.Start
	own    bool          // begun here, not accepted
	swept  bool          // its runs are going or gone; the entry stays a while to say so
	closed record.Status // StatusFork: nothing is accepted any more; otherwise 0
	order  uint64        // of chains on this disk, by when they came
	tip    record.Tip
	kept   int64 // Unix milliseconds: when the last record was kept

	moved   uint64 // the records up to here go on in another chain too, because upstream will not have this one
	indexed uint64 // the rids of the chain's records up to here are in the file's index; of own chains
}

const (
	flagOwn   = 1
	flagSwept = 2
)

func sealChain(ring *seal.Ring, s *state, confirmed, posted uint64) []byte {
	var flags byte
	if s.own {
		flags |= flagOwn
	}
	if s.swept {
		flags |= flagSwept
	}
	b := append(make([]byte, 0, 192), chainVersion, flags, byte(s.closed))
	b = binary.BigEndian.AppendUint64(b, s.order)
	b = binary.BigEndian.AppendUint64(b, s.tip.Seq)
	b = append(b, s.tip.Hash[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(s.kept))
	b = binary.BigEndian.AppendUint64(b, confirmed)
	b = binary.BigEndian.AppendUint64(b, posted)
	b = binary.BigEndian.AppendUint64(b, s.indexed)
	b = binary.BigEndian.AppendUint64(b, s.moved)
	b = s.start.Append(b)
	return ring.Seal(make([]byte, 0, len(b)+64), place(bucketChains, s.id[:], nil), b)
}

func openChain(ring *seal.Ring, k, v []byte) (*chain, error) {
	if len(k) != chainKeySize {
		return nil, fmt.Errorf("%w: key %x is not a chain's", ErrDamaged, k)
	}
	c := &chain{state: state{id: record.ChainID(k)}}
	b, err := ring.Open(place(bucketChains, k, nil), v)
	if err != nil {
		return nil, fmt.Errorf("%w: chain %s: %w", ErrDamaged, c.id, err)
	}
	r := record.Reader{B: b}
	form, flags := r.U8(), r.U8()
	c.own, c.swept = flags&flagOwn != 0, flags&flagSwept != 0
	c.closed = record.Status(r.U8())
	c.order = r.U64()
	c.tip = record.Tip{Chain: c.id, Seq: r.U64()}
	r.Fill(c.tip.Hash[:])
	c.kept, c.confirmed, c.posted = r.I64(), r.U64(), r.U64()
	if form != chainOld {
		c.indexed, c.moved = r.U64(), r.U64()
	} else if c.own {
		c.indexed = c.tip.Seq
	}
	if r.Err != nil || form != chainVersion && form != chainOld || c.tip.Seq == 0 || max(c.indexed, c.moved) > c.tip.Seq {
		return nil, fmt.Errorf("%w: chain %s is malformed", ErrDamaged, c.id)
	}
	if c.start, err = record.ReadStart(r.B); err != nil {
		return nil, fmt.Errorf("%w: start of chain %s: %w", ErrDamaged, c.id, err)
	}
	return c, nil
}

// at says where the record of a rid is.
type at struct {
	chain record.ChainID
	seq   uint64
}

func (a at) bytes() []byte { return runKey(a.chain, a.seq) }
