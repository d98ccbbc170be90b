package api

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"maps"
	"math"
	"slices"

	"tillstream/edge/pricing"
	"tillstream/kv/record"
)

// facts are what a basket is priced by, beside itself and the revision. They travel sealed in the quote's
// context, so that the receipt is priced by the same although nothing is kept. Items are not among them: the
// revision, which this node has for as long as the context is good, has them.
type facts struct {
	made     int64 // when, by the node's clock, Unix milliseconds
	at       int64 // for which moment
	training bool
	cut      bool   // nobody could set points or coupons aside
	revision uint32 // that it was priced by

	known, stale    bool // whether there is a balance, and how old
	available, asOf int64
	shopper         ShopperFacts

	tenders []string
	coupons []CouponFacts // of the basket's coupons, in its order

	left int // guesses; not sealed
}

const contextVersion = 2

// errContext means that a context is not of this basket, not of this node, or damaged.
var errContext = errors.New("the quote's context does not open")

func contextPlace(rid string) []byte { return []byte("quote/" + rid) }

// seal gives an offer's context.
func (a *API) seal(o *offer) string {
	sheet := a.sheets.take()
	defer a.sheets.give(sheet)
	*sheet = o.facts.append((*sheet)[:0], o)
	return base64.RawURLEncoding.EncodeToString(a.cfg.Ring.Seal(nil, contextPlace(o.basket.RID), *sheet))
}

func (f *facts) append(b []byte, o *offer) []byte {
	flags := byte(0)
	for i, on := range [...]bool{f.training, f.known, f.stale, f.shopper.FirstPurchase, f.cut} {
		if on {
			flags |= 1 << i
		}
	}
	b = append(b, contextVersion, flags)
	for _, v := range [...]int64{f.made, f.at, f.available, f.asOf} {
		b = record.AppendU64(b, uint64(v))
	}
	b = append(binary.AppendUvarint(b, uint64(f.revision)), o.account[:]...)
	b = appendText(b, f.shopper.Tier, f.shopper.Birthday)
	b = appendTexts(b, f.shopper.Segments)
	b = appendTexts(b, f.tenders)
	b = appendLimits(b, f.shopper.Limits)
	b = binary.AppendUvarint(b, uint64(len(f.coupons)))
	for i := range f.coupons {
		c := &f.coupons[i]
		b = appendText(b, o.basket.Coupons[i].Code, c.State, c.Pool, c.Promotion, c.From, c.Until)
		b = append(b, bit(c.SingleUse))
	}
	return b
}

func appendLimits(b []byte, limits map[string]pricing.Limit) []byte {
	b = binary.AppendUvarint(b, uint64(len(limits)))
	for _, id := range slices.Sorted(maps.Keys(limits)) {
		l := limits[id]
		b = appendText(b, id, l.Limit, l.ResetsAt)
		for _, v := range [...]*int64{l.Remaining, l.Budget} {
			if v == nil {
				b = append(b, 0)
				continue
			}
			b = record.AppendU64(append(b, 1), uint64(*v))
		}
	}
	return b
}

func appendText(b []byte, texts ...string) []byte {
	for _, s := range texts {
		b = append(binary.AppendUvarint(b, uint64(len(s))), s...)
	}
	return b
}

func appendTexts(b []byte, texts []string) []byte {
	return appendText(binary.AppendUvarint(b, uint64(len(texts))), texts...)
}

func bit(on bool) byte {
	if on {
		return 1
	}
	return 0
}

// unseal gives the facts of a basket that is quoted already. The account and the coupons must be those
// of the quote; that the lines are, the digest shows.
func (a *API) unseal(o *offer, context string) error {
	sealed, err := base64.RawURLEncoding.DecodeString(context)
	if err != nil {
		return errContext
	}
	b, err := a.cfg.Ring.Open(contextPlace(o.basket.RID), sealed)
	if err != nil {
		return errContext
	}
	return o.facts.read(&record.Reader{B: b}, o)
}

func (f *facts) read(r *record.Reader, o *offer) error {
	if r.U8() != contextVersion {
		return errContext
	}
	flags := r.U8()
	f.training, f.known, f.stale, f.shopper.FirstPurchase = flags&1 != 0, flags&2 != 0, flags&4 != 0, flags&8 != 0
	f.cut = flags&16 != 0
	f.made, f.at, f.available, f.asOf = r.I64(), r.I64(), r.I64(), r.I64()
	f.revision = uint32(min(r.Uvarint(), math.MaxUint32))
	var account record.AccountID
	r.Fill(account[:])
	if account != o.account {
		return errContext
	}
	f.shopper.Tier, f.shopper.Birthday = readText(r), readText(r)
	f.shopper.Segments = readTexts(r)
	f.tenders = readTexts(r)
	f.shopper.Limits = readLimits(r)
	n := r.Count(1)
	known := make(map[string]CouponFacts, n)
	for range n {
		code := readText(r)
		c := CouponFacts{State: readText(r), Pool: readText(r), Promotion: readText(r), From: readText(r), Until: readText(r)}
		c.SingleUse = r.U8() == 1
		known[code] = c
	}
	f.coupons = f.coupons[:0]
	for i := range o.basket.Coupons {
		c, ok := known[o.basket.Coupons[i].Code]
		if !ok {
			return errContext
		}
		f.coupons = append(f.coupons, c)
	}
	if r.End() != nil {
		return errContext
	}
	return nil
}

func readLimits(r *record.Reader) map[string]pricing.Limit {
	n := r.Count(1)
	if n == 0 {
		return nil
	}
	limits := make(map[string]pricing.Limit, n)
	for range n {
		id := readText(r)
		l := pricing.Limit{Limit: readText(r), ResetsAt: readText(r)}
		for _, at := range [...]**int64{&l.Remaining, &l.Budget} {
			if r.U8() == 1 {
				v := r.I64()
				*at = &v
			}
		}
		limits[id] = l
	}
	return limits
}

func readText(r *record.Reader) string { return string(r.Blob()) }

func readTexts(r *record.Reader) []string {
	var texts []string
	for range r.Count(1) {
		texts = append(texts, readText(r))
	}
	return texts
}
