package books

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"slices"

	"tillstream/kv/record"
	"tillstream/subjects"
)

const snapshotVersion = 1

// Snapshot writes the books. Its frame (position, checksum) is package replica's.
func (b *Books) Snapshot(w io.Writer) error {
	out := bufio.NewWriterSize(w, 1<<16)
	buf := []byte{snapshotVersion}
	put := func() { out.Write(buf); buf = buf[:0] } // a bufio.Writer keeps its first error for Flush
	buf = b.totals.append(buf)
	for _, v := range b.digest {
		buf = record.AppendU64(buf, v)
	}
	buf = binary.AppendUvarint(buf, uint64(len(b.stores)-1))
	for _, s := range b.stores[1:] {
		buf = record.AppendBlob(buf, []byte(s.String()))
	}
	buf = binary.AppendUvarint(buf, uint64(len(b.chains)))
	put()
	for i := range b.chains {
		buf = b.chains[i].append(buf)
		put()
	}
	buf = binary.AppendUvarint(buf, uint64(b.accounts.len()))
	for i := range uint32(b.accounts.len()) {
		buf = b.accounts.at(i).append(buf)
		put()
	}
	buf = binary.AppendUvarint(buf, uint64(len(b.far)))
	for _, i := range slices.Sorted(maps.Keys(b.far)) {
		buf = binary.BigEndian.AppendUint32(buf, i)
		buf = binary.AppendUvarint(buf, uint64(len(b.far[i])))
		for _, s := range b.far[i] {
			buf = s.append(buf)
		}
		put()
	}
	buf = binary.AppendUvarint(buf, uint64(len(b.rids.parts)))
	for _, part := range b.rids.parts {
		buf = record.AppendU64(buf, uint64(part.first))
		buf = binary.AppendUvarint(buf, uint64(len(part.rids)))
		for rid, p := range part.rids {
			buf = append(buf, rid[:]...)
			buf = binary.BigEndian.AppendUint32(buf, p.chain)
			buf = binary.BigEndian.AppendUint32(buf, p.seq)
			put()
		}
		put()
	}
	put()
	return out.Flush()
}

// Restore reads a snapshot into empty books.
func (b *Books) Restore(in io.Reader) error {
	data, err := io.ReadAll(in)
	if err != nil {
		return fmt.Errorf("read books: %w", err)
	}
	r := &record.Reader{B: data}
	if v := r.U8(); v != snapshotVersion && r.Err == nil {
		return fmt.Errorf("read books: %w: unknown version %d", record.ErrFormat, v)
	}
	b.totals = readTotals(r)
	for i := range b.digest {
		b.digest[i] = r.U64()
	}
	for range r.Count(1) {
		id, err := subjects.ParseStoreID(string(r.Blob()))
		if err != nil {
			return fmt.Errorf("read books: %w", err)
		}
		b.store(id)
	}
	b.chains = make([]chain, r.Count(chainSize))
	for i := range b.chains {
		if err := b.chains[i].read(r); err != nil {
			return fmt.Errorf("read books: %w", err)
		}
		c := &b.chains[i]
		b.byChain[c.id] = uint32(i)
		b.byStore[c.store] = append(b.byStore[c.store], uint32(i))
	}
	n := r.Count(accountSize)
	b.accounts.index = make(map[record.AccountID]uint32, n)
	for range n {
		var acc account
		acc.read(r)
		dst, _, _ := b.accounts.open(acc.id)
		*dst = acc
	}
	for range r.Count(5) {
		i := r.U32()
		far := make([]sighting, r.Count(4))
		for k := range far {
			far[k].read(r)
		}
		b.far[i] = far
	}
	for range r.Count(9) {
		part := ridPart{first: int64(r.U64())}
		n := r.Count(24)
		part.rids = make(map[record.RID]place, n)
		for range n {
			var rid record.RID
			r.Fill(rid[:])
			part.rids[rid] = place{r.U32(), r.U32()}
		}
		b.rids.parts = append(b.rids.parts, part)
	}
	if err := r.End(); err != nil {
		return fmt.Errorf("read books: %w", err)
	}
	return nil
}

func (t *Totals) append(b []byte) []byte {
	for _, v := range [...]uint64{t.Posted, t.Repeats, t.Anonymous, t.Transactions, t.Incidents,
		uint64(t.Shopper), uint64(t.Debt), uint64(t.Issued), uint64(t.Returned)} {
		b = record.AppendU64(b, v)
	}
	return b
}

func readTotals(r *record.Reader) Totals {
	return Totals{
		Posted: r.U64(), Repeats: r.U64(), Anonymous: r.U64(), Transactions: r.U64(), Incidents: r.U64(),
		Shopper: r.I64(), Debt: r.I64(), Issued: r.I64(), Returned: r.I64(),
	}
}

func (s sighting) append(b []byte) []byte {
	return binary.BigEndian.AppendUint32(b, uint32(s.store)<<16|uint32(s.day))
}

func (s *sighting) read(r *record.Reader) {
	v := r.U32()
	s.store, s.day = uint16(v>>16), uint16(v)
}

const accountSize = 16 + 8*4 + 4*inline

func (acc *account) append(b []byte) []byte {
	b = append(b, acc.id[:]...)
	for _, v := range [...]uint64{uint64(acc.balance), uint64(acc.debt), acc.changed, uint64(acc.at)} {
		b = record.AppendU64(b, v)
	}
	for _, s := range acc.seen {
		b = s.append(b)
	}
	return b
}

func (acc *account) read(r *record.Reader) {
	r.Fill(acc.id[:])
	acc.balance, acc.debt, acc.changed, acc.at = r.I64(), r.I64(), r.U64(), r.I64()
	for i := range acc.seen {
		acc.seen[i].read(r)
	}
}

const chainSize = 16 + 4 + 1 + 8 + 32 + 8 + 8 + 16 + 8 + 32 + 1

func (c *chain) append(b []byte) []byte {
	b = append(b, c.id[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(c.store))
	b = record.AppendBlob(b, []byte(c.till.String()))
	b = record.AppendU64(b, c.seq)
	b = append(b, c.hash[:]...)
	b = record.AppendU64(b, c.changed)
	b = record.AppendU64(b, uint64(c.begun))
	b = append(b, c.found.Chain[:]...)
	b = record.AppendU64(b, c.found.Seq)
	b = append(b, c.found.Hash[:]...)
	if c.fork {
		return append(b, 1)
	}
	return append(b, 0)
}

func (c *chain) read(r *record.Reader) (err error) {
	r.Fill(c.id[:])
	c.store = uint16(r.U32())
	till := string(r.Blob())
	c.seq = r.U64()
	r.Fill(c.hash[:])
	c.changed, c.begun = r.U64(), r.I64()
	r.Fill(c.found.Chain[:])
	c.found.Seq = r.U64()
	r.Fill(c.found.Hash[:])
	c.fork = r.U8() == 1
	if r.Err != nil {
		return r.Err
	}
	c.till, err = subjects.ParseTillID(till)
	return err
}
