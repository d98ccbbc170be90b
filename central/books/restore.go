package books

import (
	"fmt"
	"io"
	"math"

	"tillstream/kv/record"
	"tillstream/subjects"
)

// Sizes of what lies in a snapshot one after the other.
const (
	accountSize = 16 + 8*5 + 1 + 1 // at least
	chainSize   = 4 + 16 + 32 + 8 + 8 + 4 + 2*3 + 1 + 8 + 16
	ridSize     = 16 + 4 + 4
	restedSize  = 16 + 8 + 4 + 4
	changeSize  = 8 + 4 + 2 + 1
)

// Restore is [fold.Machine]'s.
func (b *Books) Restore(part func() ([]byte, error)) error {
	in := restoring{Books: New()}
	for {
		p, err := part()
		if err == io.EOF {
			break
		}
		if err == nil {
			err = in.take(p)
		}
		if err != nil {
			return fmt.Errorf("read books: %w", err)
		}
	}
	if err := in.whole(); err != nil {
		return fmt.Errorf("read books: %w", err)
	}
	*b = *in.Books
	return nil
}

// restoring is books that are being read. They may be of any bytes: whoever made these parts has written
// a sum behind them, which is not known yet.
type restoring struct {
	*Books
	headed bool
	lanesN int // that the head promises, like all below
	up     uint64
	restsN uint32
	accN   int
	ridsN  int
	blocks int
	feeds  []int

	holds, coupons, deals, waits poolHead
}

func (in *restoring) take(p []byte) error {
	r := &record.Reader{B: p}
	kind := r.U8()
	if in.headed == (kind == partHead) {
		return fmt.Errorf("%w: part %q", record.ErrFormat, kind)
	}
	var err error
	switch kind {
	case partHead:
		err = in.takeHead(r)
	case partLanes:
		err = in.takeLanes(r)
	case partChains:
		err = in.takeChains(r)
	case partRested:
		err = in.takeRested(r)
	case partAccounts:
		err = in.takeAccounts(r)
	case partFeed:
		err = in.takeFeed(r)
	case partRids:
		err = in.takeRids(r)
	case partBlocks:
		err = in.takeBlocks(r)
	case partHolds:
		err = in.Books.holds.takePart(r, in.holds)
	case partCoupons:
		err = in.Books.coupons.takePart(r, in.coupons)
	case partDeals:
		err = in.Books.deals.takePart(r, in.deals)
	case partWaiting:
		err = in.Books.waits.takePart(r, in.waits)
	default:
		r.Err = record.ErrFormat
	}
	if err == nil {
		err = r.End()
	}
	return err
}

// limit takes a varint up to a bound.
func limit(r *record.Reader, most uint64) uint64 {
	v := r.Uvarint()
	if v > most {
		r.Err = record.ErrFormat
		return 0
	}
	return v
}

func (in *restoring) takeHead(r *record.Reader) error {
	if v := r.U8(); v != snapshotVersion && r.Err == nil {
		return fmt.Errorf("%w: unknown version %d", record.ErrFormat, v)
	}
	in.headed = true
	in.totals = readTotals(r)
	in.policy = readPolicy(r)
	in.policy.shortest = uint16(limit(r, MaxExpireDays))
	in.dated = in.policy.shortest != 0
	for i := range in.digest {
		in.digest[i] = r.U64()
	}
	in.incident, in.day = r.Uvarint(), uint16(limit(r, math.MaxUint16))
	in.entry, in.at, in.swept = r.U64(), r.I64(), readRound(r)
	b := in.Books
	in.holds, in.coupons = b.holds.readHead(r), b.coupons.readHead(r)
	in.deals, in.waits = b.deals.readHead(r), b.waits.readHead(r)
	in.blocks = int(limit(r, math.MaxUint32))
	in.lanesN = int(limit(r, math.MaxUint32))
	in.chains.n, in.up = uint32(limit(r, atRest-1)), limit(r, atRest-1)
	in.restsN, in.accN = uint32(limit(r, atRest-1)), int(limit(r, math.MaxUint32))
	begin := uint32(limit(r, math.MaxUint32))
	in.rids.first, in.rids.begin, in.rids.next = begin, begin, begin
	in.ridsN = int(limit(r, math.MaxUint32))
	for range r.Count(2) {
		d := ridDays{day: int64(r.Uvarint())}
		d.begin = begin + uint32(limit(r, math.MaxUint32))
		in.rids.days = append(in.rids.days, d)
	}
	in.feeds = []int{0}
	for range r.Count(4) {
		id, err := subjects.ParseStoreID(string(r.Blob()))
		if err != nil {
			return err
		}
		s := in.stores[in.storeNumber(id)]
		in.feeds = append(in.feeds, int(limit(r, math.MaxUint32)))
		s.kept, s.gone = int(limit(r, math.MaxUint32)), r.Uvarint()
	}
	if len(in.feeds) != len(in.stores) || len(in.stores) > math.MaxUint16 {
		return record.ErrFormat // a store twice
	}
	return nil
}

func (in *restoring) takeLanes(r *record.Reader) error {
	for len(r.B) > 0 && r.Err == nil {
		l := lane{store: u16(r)}
		till := string(r.Blob())
		if r.Err != nil || int(l.store) >= len(in.stores) || l.store == 0 {
			return record.ErrFormat
		}
		var err error
		if l.till, err = subjects.ParseTillID(till); err != nil {
			return err
		}
		if n := len(in.lanes); in.laneNumber(l) != uint32(n) {
			return record.ErrFormat // a till twice
		}
	}
	return nil
}

func (in *restoring) takeChains(r *record.Reader) error {
	for len(r.B) > 0 && r.Err == nil {
		var c chain
		n := r.U32()
		r.Fill(c.id[:])
		r.Fill(c.hash[:])
		c.seq, c.changed, c.lane = r.U64(), r.U64(), r.U32()
		c.begun, c.moved, c.closed = u16(r), u16(r), u16(r)
		c.fork = r.U8() == 1
		c.end = r.U64()
		r.Fill(c.found[:])
		if r.Err != nil || n >= in.chains.n || int(c.lane) >= len(in.lanes) || c.id.IsZero() {
			return record.ErrFormat
		}
		home := in.stores[in.lanes[c.lane].store]
		if k := len(home.chains); k > 0 && home.chains[k-1] >= n {
			return record.ErrFormat // out of order
		}
		home.chains = append(home.chains, n)
		in.chains.place(n, c)
	}
	return nil
}

// takeRested comes after the chains, of which some may have been at rest.
func (in *restoring) takeRested(r *record.Reader) error {
	for len(r.B) > 0 && r.Err == nil {
		var c rested
		r.Fill(c.id[:])
		r.Fill(c.tail[:])
		c.seq, c.lane = r.U32(), r.U32()
		if r.Err != nil || int(c.lane) >= len(in.lanes) || in.chains.rests >= in.restsN {
			return record.ErrFormat
		}
		awake, ok := in.chains.find(&c.id)
		in.chains.lay(c)
		if ok && awake&atRest == 0 {
			in.chains.put(&c.id, awake)
		}
	}
	return nil
}

func (in *restoring) takeAccounts(r *record.Reader) error {
	if in.accounts.n == 0 {
		in.accounts.index.expect(in.room(in.accN, accountSize, len(r.B)))
	}
	index := &in.accounts.index
	for len(r.B) > 0 && r.Err == nil {
		if in.accounts.n >= in.accN {
			return record.ErrFormat
		}
		acc, i := in.accounts.push()
		r.Fill(acc.id[:])
		acc.balance, acc.debt, acc.changed, acc.at, acc.last = r.I64(), r.I64(), r.U64(), r.I64(), r.U64()
		if err := in.takeLots(r, acc); err != nil {
			return err
		}
		for range r.Count(4) {
			var v sighting
			if v.read(r); v.store == 0 || int(v.store) >= len(in.stores) {
				return record.ErrFormat
			}
			in.far.see(acc, v.store, v.day)
		}
		index.put(index.hash((*[16]byte)(&acc.id)), i, func(uint32) bool { return false })
	}
	return nil
}

// takeLots reads when an account's balance expires.
func (in *restoring) takeLots(r *record.Reader, acc *account) error {
	switch r.U8() {
	case 0:
	case 1:
		acc.lots = oneLot | uint32(u16(r))
	case 2:
		if acc.lots = readWords(r, in.lists); acc.lots == 0 {
			return record.ErrFormat
		}
	default:
		return record.ErrFormat
	}
	return r.Err
}

// room bounds what is made ready for things of which the head promises n: it may promise anything.
func (in *restoring) room(n, size, part int) int {
	if part < size*slabSize { // a last part: there are no more than in it
		return min(n, part/size)
	}
	return n
}

func (in *restoring) takeFeed(r *record.Reader) error {
	n := int(u16(r))
	if r.Err != nil || n >= len(in.stores) {
		return record.ErrFormat
	}
	s := in.stores[n]
	if s.feed == nil {
		s.feed = make([]change, 0, min(in.feeds[n], len(r.B)/changeSize*2))
	}
	for len(r.B) > 0 && r.Err == nil {
		c := change{r.U64(), r.U32(), u16(r), r.U8() == 1}
		if r.Err != nil || int(c.account) >= in.accounts.n || len(s.feed) >= in.feeds[n] {
			return record.ErrFormat
		}
		s.feed = append(s.feed, c)
	}
	return nil
}

func (in *restoring) takeRids(r *record.Reader) error {
	if in.rids.len() == 0 {
		in.rids.index.expect(in.room(in.ridsN, ridSize, len(r.B)))
	}
	for len(r.B) > 0 && r.Err == nil {
		var rid record.RID
		r.Fill(rid[:])
		if in.rids.len() >= in.ridsN {
			return record.ErrFormat
		}
		n, _, _ := in.rids.push(&rid)
		*in.rids.sold(n) = sold{r.U32(), r.U32()}
		if in.rids.sold(n).account&^notSale > uint32(in.accounts.n) {
			return record.ErrFormat
		}
	}
	return nil
}

func (in *restoring) takeBlocks(r *record.Reader) error {
	for len(r.B) > 0 && r.Err == nil {
		bl := block{entry: r.U64(), begin: r.U32(), lot: u16(r)}
		if len(in.rids.blocks) >= in.blocks {
			return record.ErrFormat
		}
		in.rids.blocks = append(in.rids.blocks, bl)
	}
	return nil
}

// stand finds the holds that stand, at their accounts, chains and stores; with what a snapshot says of them
// they could lie anywhere.
func (in *restoring) stand() error {
	b := in.Books
	for i := range b.holds.n {
		s := b.holds.slot(i)
		if !s.used {
			continue
		}
		h := &s.v
		if int(h.account) > b.accounts.n || int(h.lane) >= len(b.lanes) ||
			h.stands() && (h.chain >= b.chains.n || !b.chains.awake(h.chain)) {
			return record.ErrFormat
		}
		if h.stands() {
			b.stand(i)
		}
	}
	for i := range b.deals.n {
		d := &b.deals.slot(i).v
		if int(d.account) > b.accounts.n || d.hold > b.holds.n {
			return record.ErrFormat
		}
	}
	return nil
}

// whole reports whether all came that the head had promised.
func (in *restoring) whole() error {
	ok := in.headed && len(in.lanes) == in.lanesN && uint64(in.chains.up) == in.up && in.chains.rests == in.restsN &&
		in.accounts.n == in.accN && in.rids.len() == in.ridsN && len(in.rids.blocks) == in.blocks &&
		in.Books.holds.n == in.holds.n && in.Books.coupons.n == in.coupons.n &&
		in.Books.deals.n == in.deals.n && in.Books.waits.n == in.waits.n
	for i := range in.feeds {
		ok = ok && len(in.stores[i].feed) == in.feeds[i]
	}
	if !ok {
		return fmt.Errorf("%w: a part is missing", record.ErrFormat)
	}
	return in.stand()
}

func readTotals(r *record.Reader) Totals {
	return Totals{
		Posted: r.U64(), Repeats: r.U64(), Anonymous: r.U64(), Transactions: r.U64(), Incidents: r.U64(),
		Shopper: r.I64(), Debt: r.I64(), Issued: r.I64(), Returned: r.I64(),
		Moves: r.U64(), Held: r.I64(), Redeemed: r.I64(), Expired: r.I64(),
	}
}

func (s *sighting) read(r *record.Reader) {
	v := r.U32()
	s.store, s.day = uint16(v>>16), uint16(v)
}

func u16(r *record.Reader) uint16 {
	b := r.Bytes(2)
	if b == nil {
		return 0
	}
	return uint16(b[0])<<8 | uint16(b[1])
}
