package record

import "fmt"

// CouponID names a coupon code in the books: a keyed hash of it.
type CouponID [16]byte

// HoldVerb is what is asked about a hold. Its values travel: never change one.
type HoldVerb uint8

// Verbs.
const (
	HoldPlace   HoldVerb = 1
	HoldFind    HoldVerb = 2
	HoldRelease HoldVerb = 3
)

// MaxHeldCoupons bounds the coupons of one hold.
const MaxHeldCoupons = 20

// HoldQuestion is what a store asks the centre: points and single-use coupons of one basket, set aside
// until its receipt is posted. ID is the question's idempotency key.
//
// From is the newest record of the till's chain when the hold was asked for: whatever uses the hold up
// comes after it. A hold past its time is only due; it is let go of when all that the till kept before
// then is known to have come.
type HoldQuestion struct {
	Verb    HoldVerb
	ID      RID // of the hold; a UUID of version 7 as a receipt's, and never a receipt's
	RID     RID // of the basket; zero but with HoldPlace
	Account AccountID
	Points  int64
	Coupons []CouponID
	From    Tip // zero but with HoldPlace; its hash is not needed, and zero
}

const holdVersion = 1

// Append appends the question's binary form to b.
func (q *HoldQuestion) Append(b []byte) []byte {
	b = append(b, holdVersion, byte(q.Verb))
	b = append(b, q.ID[:]...)
	b = append(b, q.RID[:]...)
	b = append(b, q.Account[:]...)
	b = AppendU64(b, uint64(q.Points))
	b = append(b, byte(len(q.Coupons)))
	for i := range q.Coupons {
		b = append(b, q.Coupons[i][:]...)
	}
	b = append(b, q.From.Chain[:]...)
	return AppendU64(b, q.From.Seq)
}

// ReadHoldQuestion reads what Append wrote.
func ReadHoldQuestion(b []byte) (q HoldQuestion, err error) {
	r := Reader{B: b}
	version := r.U8()
	q.Verb = HoldVerb(r.U8())
	r.Fill(q.ID[:])
	r.Fill(q.RID[:])
	r.Fill(q.Account[:])
	q.Points = r.I64()
	n := int(r.U8())
	if version != holdVersion || q.Verb < HoldPlace || q.Verb > HoldRelease || q.Points < 0 || q.Points > MaxPoints || n > MaxHeldCoupons {
		return q, fmt.Errorf("read question about a hold: %w", ErrFormat)
	}
	for range n {
		var c CouponID
		r.Fill(c[:])
		q.Coupons = append(q.Coupons, c)
	}
	r.Fill(q.From.Chain[:])
	q.From.Seq = r.U64()
	if err := r.End(); err != nil {
		return q, fmt.Errorf("read question about a hold: %w", err)
	}
	return q, nil
}

// HoldState is what became of a hold. Its values travel: never change one.
type HoldState uint8

// States.
const (
	HoldUnavailable HoldState = 0 // the centre cannot say
	HoldPlaced      HoldState = 1
	HoldReleased    HoldState = 2
	HoldUsed        HoldState = 3
	HoldExpired     HoldState = 4
	HoldUnknown     HoldState = 5
	HoldNoPoints    HoldState = 6 // refused: the balance does not have them
	HoldNoCoupon    HoldState = 7 // refused: a coupon is used, held elsewhere or none
	HoldOther       HoldState = 8 // refused: another question was asked under this id
	HoldTooMany     HoldState = 9 // refused: too many stand, of this shopper, this till or this store
)

// HoldAnswer is what the centre says.
type HoldAnswer struct {
	State   HoldState
	Again   bool // it stood already
	Points  int64
	Coupons uint8
	RID     RID
	Expires int64 // Unix milliseconds
}

// Append appends the answer's binary form to b.
func (a *HoldAnswer) Append(b []byte) []byte {
	again := byte(0)
	if a.Again {
		again = 1
	}
	b = append(b, holdVersion, byte(a.State), again)
	b = AppendU64(b, uint64(a.Points))
	b = append(b, a.Coupons)
	b = append(b, a.RID[:]...)
	return AppendU64(b, uint64(a.Expires))
}

// ReadHoldAnswer reads what Append wrote.
func ReadHoldAnswer(b []byte) (a HoldAnswer, err error) {
	r := Reader{B: b}
	version := r.U8()
	a.State = HoldState(r.U8())
	again := r.U8()
	a.Again = again == 1
	a.Points = r.I64()
	a.Coupons = r.U8()
	r.Fill(a.RID[:])
	a.Expires = r.I64()
	if err := r.End(); err != nil || version != holdVersion || again > 1 || a.State > HoldTooMany {
		return a, fmt.Errorf("read answer about a hold: %w", ErrFormat)
	}
	return a, nil
}
