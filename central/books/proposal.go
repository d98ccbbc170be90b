package books

import (
	"encoding/binary"
	"fmt"

	"tillstream/central/fold"
	"tillstream/kv/record"
	"tillstream/subjects"
)

// Operations are the first bytes of proposals' heads. Their values are in the journal: never change one.
const (
	opReceipts = 1
	opHold     = 2
	opPolicy   = 3
	opRelease  = 4
)

// Pack is what a store sent, unpacked: per run the records, in order.
type Pack struct {
	Store subjects.StoreID
	Runs  [][]record.Receipt
}

// Proposal gives the pack's form in the journal: headers (and the bodies of start records, which the
// books read) in the head, the other bodies in the rest.
func (p *Pack) Proposal() fold.Proposal {
	n, bodies := 0, 0
	for _, run := range p.Runs {
		n += len(run)
		for i := range run {
			bodies += len(run[i].Data) + binary.MaxVarintLen32
		}
	}
	head := make([]byte, 0, n*(record.HeaderSize+1)+64*len(p.Runs)+16)
	rest := make([]byte, 0, bodies)
	head = append(head, opReceipts)
	head = record.AppendBlob(head, []byte(p.Store.String()))
	head = binary.AppendUvarint(head, uint64(len(p.Runs)))
	for _, run := range p.Runs {
		head = binary.AppendUvarint(head, uint64(len(run)))
		for i := range run {
			head = run[i].Header.Append(head)
			if run[i].Kind == record.KindStart {
				head = append(head, run[i].Data...)
				continue
			}
			rest = record.AppendBlob(rest, run[i].Data)
		}
	}
	return fold.Proposal{Head: head, Rest: rest}
}

// ReadPack reads a proposal's head; the bodies of receipts are not in it.
func ReadPack(head []byte) (Pack, error) {
	var in packReader
	k, err := in.read(head)
	if err != nil {
		return Pack{}, err
	}
	p := Pack{Runs: make([][]record.Receipt, len(k.runs))}
	recs := k.recs
	for i, n := range k.runs {
		p.Runs[i], recs = recs[:n:n], recs[n:]
	}
	if p.Store, err = subjects.ParseStoreID(string(k.store)); err != nil {
		return Pack{}, fmt.Errorf("proposal: %w", err)
	}
	return p, nil
}

// packReader takes the heads of an entry's proposals apart, entry after entry in the same memory.
type packReader struct {
	runs    []int // how long they are
	recs    []record.Receipt
	headers [][]byte // of the records, as they stand in the heads
}

// readPack is a head taken apart.
type readPack struct {
	store   []byte // its name, not parsed
	runs    []int
	recs    []record.Receipt
	headers [][]byte
}

// hash is the hash of a record's header. To write the header again for it took longer than to hash it.
func (p *readPack) hash(i int) record.Hash { return sumOf(p.headers[i]) }

// next begins another entry.
func (in *packReader) next() {
	in.runs, in.recs, in.headers = in.runs[:0], in.recs[:0], in.headers[:0]
}

func (in *packReader) read(head []byte) (p readPack, err error) {
	r := record.Reader{B: head}
	if op := r.U8(); op != opReceipts && r.Err == nil {
		return p, fmt.Errorf("proposal: %w: unknown operation %d", record.ErrFormat, op)
	}
	p.store = r.Blob()
	runs, recs := len(in.runs), len(in.recs)
	for range r.Count(record.HeaderSize) {
		n := r.Count(record.HeaderSize)
		in.runs = append(in.runs, n)
		for range n {
			before := r.B
			in.recs = append(in.recs, record.Receipt{})
			rec := &in.recs[len(in.recs)-1]
			rec.Header = record.ReadHeader(&r)
			in.headers = append(in.headers, before[:len(before)-len(r.B)])
			if rec.Kind == record.KindStart {
				rec.Data = r.Bytes(int(rec.BodySize))
			}
		}
	}
	p.runs, p.recs, p.headers = in.runs[runs:], in.recs[recs:], in.headers[recs:]
	if err := r.End(); err != nil {
		in.runs, in.recs, in.headers = in.runs[:runs], in.recs[:recs], in.headers[:recs]
		return readPack{}, fmt.Errorf("proposal: %w", err)
	}
	return p, nil
}

// ReadBodies fills in the bodies of a pack from its proposal's rest.
func (p *Pack) ReadBodies(rest []byte) error {
	r := record.Reader{B: rest}
	for _, run := range p.Runs {
		for k := range run {
			if run[k].Kind != record.KindStart {
				run[k].Data = r.Blob()
			}
		}
	}
	if err := r.End(); err != nil {
		return fmt.Errorf("bodies of a proposal: %w", err)
	}
	return nil
}
