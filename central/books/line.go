package books

import (
	"encoding/binary"
	"fmt"

	"tillstream/kv/record"
	"tillstream/subjects"
)

// Lines of the books' history. Numbers are varints, amounts of points zigzag varints. Accounts and chains
// are named by the numbers that lines before gave them.
//
//	account   1 number id16
//	chain     2 number after id16 store till        number stands for the chain's records after a seq
//	fate      3 fate entry chain seq rid16          no rid if the fate is start
//	posting   4 kind entry at chain seq rid16 account back shopper debt issued returned
//	incident  5 entry back text                     text goes to the end
//	more      6 cause entry at rid16 account back kind (chain seq) shopper debt issued returned held redeemed expired
//	policy    7 entry revision days minutes
//
// A posting that moves nothing held, redeemed or expired is a posting; each other one is "more", of a record as
// it came if its cause is 0 or CauseWaits, which then has its place in a chain.
//
// back is how far the line before of the same account lies before this one, or of the incidents; zero if
// there is none. These bytes are on disk: never change one, add another.
const (
	lineAccount  = 1
	lineChain    = 2
	lineFate     = 3
	linePosting  = 4
	lineIncident = 5
	lineMore     = 6
	linePolicy   = 7
)

// Fate is what became of a record.
type Fate byte

// Fates of a record.
const (
	FatePosted Fate = 1
	FateRepeat Fate = 2 // its rid had been posted: only the mark moved
	FateStart  Fate = 3 // begins a chain
)

// Cause says why points move that no record moves as it comes.
type Cause byte

// Causes of a posting.
const (
	CausePlaced   Cause = 1 // a hold
	CauseReleased Cause = 2 // by the store that placed it
	CauseLetGo    Cause = 3 // past its time, as its till is known to be
	CauseOps      Cause = 4 // released by ops
	CauseExpired  Cause = 5 // of a lot
	CauseWaits    Cause = 6 // a return whose sale has not come: nothing moves
	CauseSale     Cause = 7 // that sale has come
	CauseAlone    Cause = 8 // it has not come for 45 days
)

func (c Cause) String() string {
	switch c {
	case 0:
		return "receipt"
	case CausePlaced:
		return "hold placed"
	case CauseReleased:
		return "hold released"
	case CauseLetGo:
		return "hold past its time"
	case CauseOps:
		return "hold released by ops"
	case CauseExpired:
		return "points expired"
	case CauseWaits:
		return "waits for its sale"
	case CauseSale:
		return "its sale has come"
	case CauseAlone:
		return "its sale never came"
	}
	return fmt.Sprintf("cause-%d", byte(c))
}

// Posting is one transaction's lines in a shopper's account. The seven amounts sum to zero.
type Posting struct {
	Entry    uint64
	At       int64       // Unix milliseconds of the entry
	RID      record.RID  // of the receipt, or of the hold
	Kind     record.Kind // zero: no receipt
	Cause    Cause
	Shopper  int64 // into SHOPPER: + earned, - taken back
	Debt     int64 // into DEBT: + repaid, - owed
	Issued   int64 // into ISSUED: never positive
	Returned int64 // into RETURNED: never negative
	Held     int64 // into HELD: + set aside
	Redeemed int64 // into REDEEMED: + spent, - given back
	Expired  int64 // into EXPIRED: never negative
}

// OfRecord reports whether a posting is of a record as it came, and not of what became of it, of a hold or of a
// lot later.
func (p *Posting) OfRecord() bool { return p.Cause == 0 || p.Cause == CauseWaits }

// Sum is zero of every posting.
func (p *Posting) Sum() int64 {
	return p.Shopper + p.Debt + p.Issued + p.Returned + p.Held + p.Redeemed + p.Expired
}

// line is one line of history, taken apart.
type line struct {
	kind    byte
	number  uint32 // of what an account or chain line names
	id      [16]byte
	store   subjects.StoreID
	till    subjects.TillID
	after   uint64
	fate    Fate // of a fate or a posting
	chain   uint32
	seq     uint64
	account uint32
	back    uint64
	text    string
	policy  Policy
	Posting
}

func (l *line) append(b []byte) []byte {
	num := binary.AppendUvarint
	b = append(b, l.kind)
	switch l.kind {
	case lineAccount:
		b = append(num(b, uint64(l.number)), l.id[:]...)
	case lineChain:
		b = num(num(b, uint64(l.number)), l.after)
		b = append(b, l.id[:]...)
		b = record.AppendBlob(b, []byte(l.store.String()))
		b = record.AppendBlob(b, []byte(l.till.String()))
	case lineFate:
		b = num(num(num(append(b, byte(l.fate)), l.Entry), uint64(l.chain)), l.seq)
		if l.fate != FateStart {
			b = append(b, l.RID[:]...)
		}
	case linePosting:
		b = num(num(append(b, byte(l.Kind)), l.Entry), uint64(l.At))
		b = append(num(num(b, uint64(l.chain)), l.seq), l.RID[:]...)
		b = num(num(b, uint64(l.account)), l.back)
		for _, v := range [...]int64{l.Shopper, l.Debt, l.Issued, l.Returned} {
			b = binary.AppendVarint(b, v)
		}
	case lineIncident:
		b = append(num(num(b, l.Entry), l.back), l.text...)
	case lineMore:
		b = l.appendMore(b)
	case linePolicy:
		b = l.policy.append(num(b, l.Entry))
	}
	return b
}

func (l *line) appendMore(b []byte) []byte {
	num := binary.AppendUvarint
	b = num(num(append(b, byte(l.Cause)), l.Entry), uint64(l.At))
	b = append(b, l.RID[:]...)
	b = append(num(num(b, uint64(l.account)), l.back), byte(l.Kind))
	if l.OfRecord() {
		b = num(num(b, uint64(l.chain)), l.seq)
	}
	for _, v := range [...]int64{l.Shopper, l.Debt, l.Issued, l.Returned, l.Held, l.Redeemed, l.Expired} {
		b = binary.AppendVarint(b, v)
	}
	return b
}

func (l *line) readMore(r *record.Reader) {
	l.Cause, l.Entry, l.At = Cause(r.U8()), r.Uvarint(), int64(r.Uvarint())
	r.Fill(l.RID[:])
	l.account, l.back, l.Kind = number(r), r.Uvarint(), record.Kind(r.U8())
	if l.Cause > CauseAlone {
		r.Err = record.ErrFormat
	}
	if l.OfRecord() {
		l.fate, l.chain, l.seq = FatePosted, number(r), r.Uvarint()
	}
	l.Shopper, l.Debt, l.Issued, l.Returned = amount(r), amount(r), amount(r), amount(r)
	l.Held, l.Redeemed, l.Expired = amount(r), amount(r), amount(r)
}

// readLine takes a line apart.
func readLine(b []byte) (l line, err error) {
	r := record.Reader{B: b}
	l.kind = r.U8()
	switch l.kind {
	case lineAccount:
		l.number = number(&r)
		r.Fill(l.id[:])
	case lineChain:
		l.number, l.after = number(&r), r.Uvarint()
		r.Fill(l.id[:])
		err = l.readLane(&r)
	case lineFate:
		l.fate, l.Entry, l.chain, l.seq = Fate(r.U8()), r.Uvarint(), number(&r), r.Uvarint()
		if l.fate != FateStart {
			r.Fill(l.RID[:])
		}
		if l.fate < FatePosted || l.fate > FateStart {
			r.Err = record.ErrFormat
		}
	case linePosting:
		l.fate = FatePosted
		l.Kind, l.Entry, l.At = record.Kind(r.U8()), r.Uvarint(), int64(r.Uvarint())
		l.chain, l.seq = number(&r), r.Uvarint()
		r.Fill(l.RID[:])
		l.account, l.back = number(&r), r.Uvarint()
		l.Shopper, l.Debt, l.Issued, l.Returned = amount(&r), amount(&r), amount(&r), amount(&r)
	case lineIncident:
		l.Entry, l.back = r.Uvarint(), r.Uvarint()
		l.text = string(r.Bytes(len(r.B)))
	case lineMore:
		l.readMore(&r)
	case linePolicy:
		l.Entry, l.policy = r.Uvarint(), readPolicy(&r)
	default:
		r.Err = record.ErrFormat
	}
	if e := r.End(); e != nil && err == nil {
		err = e
	}
	if err != nil {
		return line{}, fmt.Errorf("line of history: %w", err)
	}
	return l, nil
}

func (l *line) readLane(r *record.Reader) (err error) {
	store, till := string(r.Blob()), string(r.Blob())
	if r.Err != nil {
		return r.Err
	}
	if l.store, err = subjects.ParseStoreID(store); err == nil {
		l.till, err = subjects.ParseTillID(till)
	}
	return err
}

// number takes a varint of 32 bits.
func number(r *record.Reader) uint32 {
	v := r.Uvarint()
	if v > 1<<32-1 {
		r.Err = record.ErrFormat
	}
	return uint32(v)
}

// amount takes a zigzag varint.
func amount(r *record.Reader) int64 {
	v := r.Uvarint()
	return int64(v>>1) ^ -int64(v&1)
}
