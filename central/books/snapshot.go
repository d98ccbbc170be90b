package books

import (
	"encoding/binary"

	"tillstream/kv/record"
)

// A snapshot is parts, each of which begins with a byte that says what is in it; package replica frames
// them. They are a pure function of the journal: the same bytes on every node. The head comes first and
// says how much there is of each; then, in this order:
const (
	partHead     = 'h'
	partLanes    = 'l' // store 2, till
	partChains   = 'c' // number 4, chain
	partRested   = 'r'
	partAccounts = 'a' // account, its sightings
	partFeed     = 'f' // store 2, then rows of it
	partRids     = 'i' // rid, what it earned
	partBlocks   = 'b' // where their records lie
	partHolds    = 'H' // this and the next: pools
	partCoupons  = 'C'
	partDeals    = 'D'
	partWaiting  = 'W'
)

// snapshotVersion is 3 since holds and lots. One of before is refused, and the journal is folded from its
// beginning: what each sale earned, which returns are held to, is not in it.
const snapshotVersion = 3

// How many things there are in a part.
const (
	lanesInPart = 4096
	rowsInPart  = 1 << 14
	ridsInPart  = 1 << 14
)

// image is a snapshot under way: what the books were when it began. What is only appended to is kept by
// its length then. Of accounts and chains that have changed since and are not written yet it holds the
// bytes from before.
type image struct {
	b    *Books
	head []byte
	step int // of the order above
	at   int // within it: what is done

	lanes    []lane
	rest     []*[restSlab]rested
	rests    int
	feeds    [][]change
	rids     rids // without its index
	accounts kept
	chains   kept
	pools    []func(*image, []byte) ([]byte, bool)
}

// kept are things that may change while the image is written.
type kept struct {
	n    uint32 // there were when it began
	done uint32 // are written, the first of them
	old  map[uint32][]byte
}

// keep holds what a thing was, before it is changed for the first time.
func (k *kept) keep(i uint32, bytes func() []byte) {
	if i >= k.n || i < k.done {
		return
	}
	if _, ok := k.old[i]; !ok {
		k.old[i] = bytes()
	}
}

// keepAccount is called before an account is changed.
func (b *Books) keepAccount(i uint32) {
	if b.frozen != nil {
		b.frozen.accounts.keep(i, func() []byte { return b.appendAccount(nil, i) })
	}
}

// keepChain is called before a chain is changed.
func (b *Books) keepChain(n uint32) {
	if b.frozen != nil {
		b.frozen.chains.keep(n, func() []byte { return b.chains.at(n).append(nil, n) })
	}
}

// Freeze is [fold.Machine]'s.
func (b *Books) Freeze() func([]byte) ([]byte, bool) {
	m := &image{
		b: b, lanes: b.lanes, rest: b.chains.rest, rests: int(b.chains.rests), rids: b.rids,
		accounts: kept{n: uint32(b.accounts.n), old: map[uint32][]byte{}},
		chains:   kept{n: b.chains.n, old: map[uint32][]byte{}},
	}
	m.rids.index = index{}
	for _, s := range b.stores {
		m.feeds = append(m.feeds, s.feed)
	}
	m.head = b.appendHead([]byte{partHead, snapshotVersion})
	m.pools = []func(*image, []byte) ([]byte, bool){b.holds.freeze(), b.coupons.freeze(), b.deals.freeze(), b.waits.freeze()}
	b.frozen = m
	return m.next
}

// Thaw is [fold.Machine]'s.
func (b *Books) Thaw() {
	b.frozen = nil
	b.holds.kept, b.coupons.kept, b.deals.kept, b.waits.kept = nil, nil, nil, nil
}

// next appends the next part.
func (m *image) next(dst []byte) ([]byte, bool) {
	steps := [...]func([]byte) ([]byte, bool){
		m.nextHead, m.nextLanes, m.nextChains, m.nextRested, m.nextAccounts, m.nextFeed, m.nextRids, m.nextBlocks,
	}
	for m.step < len(steps)+len(m.pools) {
		out, ok := dst, false
		if m.step < len(steps) {
			out, ok = steps[m.step](dst)
		} else {
			out, ok = m.pools[m.step-len(steps)](m, dst)
		}
		if ok {
			return out, true
		}
		m.step, m.at = m.step+1, 0
	}
	return dst, false
}

func (m *image) nextHead(dst []byte) ([]byte, bool) {
	if m.head == nil {
		return dst, false
	}
	dst, m.head = append(dst, m.head...), nil
	return dst, true
}

// take gives the bounds of the next n of all.
func (m *image) take(n, all int) (from, to int) {
	from = m.at
	m.at = min(from+n, all)
	return from, m.at
}

func (m *image) nextLanes(dst []byte) ([]byte, bool) {
	from, to := m.take(lanesInPart, len(m.lanes))
	if from == to {
		return dst, false
	}
	dst = append(dst, partLanes)
	for _, l := range m.lanes[from:to] {
		dst = binary.BigEndian.AppendUint16(dst, l.store)
		dst = record.AppendBlob(dst, []byte(l.till.String()))
	}
	return dst, true
}

// nextChains goes on until it finds a slab with chains.
func (m *image) nextChains(dst []byte) ([]byte, bool) {
	chains := &m.b.chains
	begin := len(dst)
	dst = append(dst, partChains)
	for len(dst) == begin+1 {
		from, to := m.take(chainSlab, int(m.chains.n))
		if from == to {
			return dst[:begin], false
		}
		for n := uint32(from); n < uint32(to); n++ {
			if old, ok := m.chains.old[n]; ok {
				dst = append(dst, old...)
				delete(m.chains.old, n)
			} else if chains.awake(n) {
				dst = chains.at(n).append(dst, n)
			}
		}
		m.chains.done = uint32(to)
	}
	return dst, true
}

func (m *image) nextRested(dst []byte) ([]byte, bool) {
	from, to := m.take(restSlab, m.rests)
	if from == to {
		return dst, false
	}
	dst = append(dst, partRested)
	for i := range m.rest[from/restSlab][:to-from] {
		dst = m.rest[from/restSlab][i].append(dst)
	}
	return dst, true
}

func (m *image) nextAccounts(dst []byte) ([]byte, bool) {
	from, to := m.take(slabSize, int(m.accounts.n))
	if from == to {
		return dst, false
	}
	dst = append(dst, partAccounts)
	for i := uint32(from); i < uint32(to); i++ {
		if old, ok := m.accounts.old[i]; ok {
			dst = append(dst, old...)
			delete(m.accounts.old, i)
		} else {
			dst = m.b.appendAccount(dst, i)
		}
	}
	m.accounts.done = uint32(to)
	return dst, true
}

func (m *image) nextFeed(dst []byte) ([]byte, bool) {
	for ; m.at < len(m.feeds); m.at++ {
		rows := m.feeds[m.at]
		if len(rows) == 0 {
			continue
		}
		n := min(rowsInPart, len(rows))
		m.feeds[m.at] = rows[n:]
		dst = append(dst, partFeed)
		dst = binary.BigEndian.AppendUint16(dst, uint16(m.at))
		for i := range rows[:n] {
			dst = rows[i].append(dst)
		}
		return dst, true
	}
	return dst, false
}

func (m *image) nextRids(dst []byte) ([]byte, bool) {
	from, to := m.take(ridsInPart, m.rids.len())
	if from == to {
		return dst, false
	}
	dst = append(dst, partRids)
	for i := from; i < to; i++ {
		n := m.rids.begin + uint32(i)
		s := m.rids.sold(n)
		dst = append(dst, m.rids.at(n)[:]...)
		dst = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(dst, s.account), s.earned)
	}
	return dst, true
}

func (m *image) nextBlocks(dst []byte) ([]byte, bool) {
	from, to := m.take(ridsInPart, len(m.rids.blocks))
	if from == to {
		return dst, false
	}
	dst = append(dst, partBlocks)
	for _, bl := range m.rids.blocks[from:to] {
		dst = binary.BigEndian.AppendUint32(record.AppendU64(dst, bl.entry), bl.begin)
		dst = binary.BigEndian.AppendUint16(dst, bl.lot)
	}
	return dst, true
}

func (b *Books) appendHead(dst []byte) []byte {
	num := binary.AppendUvarint
	dst = b.totals.appendMore(b.totals.append(dst))
	dst = num(b.policy.append(dst), uint64(b.policy.shortest))
	for _, v := range b.digest {
		dst = record.AppendU64(dst, v)
	}
	dst = num(num(dst, b.incident), uint64(b.day))
	dst = record.AppendU64(record.AppendU64(dst, b.entry), uint64(b.at))
	dst = b.swept.append(dst)
	for _, head := range [...]func([]byte) []byte{b.holds.appendHead, b.coupons.appendHead, b.deals.appendHead, b.waits.appendHead} {
		dst = head(dst)
	}
	dst = num(dst, uint64(len(b.rids.blocks)))
	dst = num(num(num(dst, uint64(len(b.lanes))), uint64(b.chains.n)), uint64(b.chains.up))
	dst = num(num(dst, uint64(b.chains.rests)), uint64(b.accounts.n))
	dst = num(num(dst, uint64(b.rids.begin)), uint64(b.rids.len()))
	dst = num(dst, uint64(len(b.rids.days)))
	for _, d := range b.rids.days {
		dst = num(num(dst, uint64(d.day)), uint64(d.begin-b.rids.begin))
	}
	dst = num(dst, uint64(len(b.stores)-1))
	for _, s := range b.stores[1:] {
		dst = record.AppendBlob(dst, []byte(s.id.String()))
		dst = num(num(num(dst, uint64(len(s.feed))), uint64(s.kept)), s.gone)
	}
	return dst
}

func (t *Totals) append(b []byte) []byte {
	for _, v := range [...]uint64{t.Posted, t.Repeats, t.Anonymous, t.Transactions, t.Incidents,
		uint64(t.Shopper), uint64(t.Debt), uint64(t.Issued), uint64(t.Returned)} {
		b = record.AppendU64(b, v)
	}
	return b
}

// appendMore appends what there has been since there are holds and lots.
func (t *Totals) appendMore(b []byte) []byte {
	for _, v := range [...]uint64{t.Moves, uint64(t.Held), uint64(t.Redeemed), uint64(t.Expired)} {
		b = record.AppendU64(b, v)
	}
	return b
}

func (s sighting) append(b []byte) []byte {
	return binary.BigEndian.AppendUint32(b, uint32(s.store)<<16|uint32(s.day))
}

// appendAccount appends an account with its lots and all its sightings.
func (b *Books) appendAccount(dst []byte, i uint32) []byte {
	acc := b.accounts.at(i)
	dst = append(dst, acc.id[:]...)
	for _, v := range [...]uint64{uint64(acc.balance), uint64(acc.debt), acc.changed, uint64(acc.at), acc.last} {
		dst = record.AppendU64(dst, v)
	}
	switch {
	case acc.lots == 0:
		dst = append(dst, 0)
	case acc.lots&oneLot != 0:
		dst = binary.BigEndian.AppendUint16(append(dst, 1), uint16(acc.lots))
	default:
		dst = appendWords(append(dst, 2), b.lists, acc.lots)
	}
	var few [16]sighting
	seen := b.far.all(few[:0], acc)
	dst = binary.AppendUvarint(dst, uint64(len(seen)))
	for _, s := range seen {
		dst = s.append(dst)
	}
	return dst
}

func (c *chain) append(b []byte, number uint32) []byte {
	b = binary.BigEndian.AppendUint32(b, number)
	b = append(b, c.id[:]...)
	b = append(b, c.hash[:]...)
	b = record.AppendU64(b, c.seq)
	b = record.AppendU64(b, c.changed)
	b = binary.BigEndian.AppendUint32(b, c.lane)
	for _, v := range [...]uint16{c.begun, c.moved, c.closed} {
		b = binary.BigEndian.AppendUint16(b, v)
	}
	b = record.AppendU64(append(b, byte(b2u(c.fork))), c.end)
	return append(b, c.found[:]...)
}

func (r *rested) append(b []byte) []byte {
	b = append(append(b, r.id[:]...), r.tail[:]...)
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(b, r.seq), r.lane)
}

func (c *change) append(b []byte) []byte {
	b = record.AppendU64(b, c.entry)
	b = binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint32(b, c.account), c.day)
	if c.gone {
		return append(b, 1)
	}
	return append(b, 0)
}
