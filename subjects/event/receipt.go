package event

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"tillstream/kv/record"
	"tillstream/subjects"
)

// TypeReceiptPosted is the type of a ReceiptPosted. A change that an old consumer could not read
// gets another version and is published beside it.
const TypeReceiptPosted = "tillstream.receipt.posted.v1"

// ContentJSON is the content type of a receipt's body.
const ContentJSON = "application/json"

// ReceiptPosted says that the books have posted a receipt. A consumer knows one that comes twice by
// its id, and one that it missed by a gap in Sequence.
type ReceiptPosted struct {
	RID      record.RID
	Store    subjects.StoreID
	Till     subjects.TillID
	Kind     record.Kind      // sale, return or void
	Account  record.AccountID // zero: no shopper
	Points   int64            // sale: earned; return: taken back; 0 to record.MaxPoints
	Entry    uint64           // journal entry that posted it, from 1
	Sequence uint64           // number among the posted receipts of the brand, from 1, without a gap
	PostedAt time.Time        // the centre's time, kept in UTC; of years 0 to 9999
	Body     []byte           // the receipt as the till kept it, at most record.MaxBody bytes
}

// Extensions of a ReceiptPosted, beside brand and dc. Points and entry are decimal strings: an
// integer of CloudEvents has 32 bits. The sequence is padded to 20 digits, because the extension of
// that name must sort as text.
const (
	headerStore    = "ce-store"
	headerTill     = "ce-till"
	headerKind     = "ce-kind"
	headerAccount  = "ce-account"
	headerPoints   = "ce-points"
	headerEntry    = "ce-entry"
	headerSequence = "ce-sequence"
)

// idSuffix tells this event of a receipt from others that may come to have its rid.
const idSuffix = ".posted"

// Encode gives the event as headers and data. The data is Body itself, not a copy. Nothing needs
// percent-encoding: every value is made of tokens, digits and hexadecimal digits.
func (r *ReceiptPosted) Encode(net subjects.Net) (header map[string][]string, data []byte) {
	id := r.RID.String() + idSuffix
	dc, brand := net.DC.String(), net.Brand.String()
	h := headers{make(map[string][]string, 16), make([]string, 0, 16)}
	h.put(headerSpecVersion, SpecVersion)
	h.put(headerID, id)
	h.put(headerSource, source(dc, brand))
	h.put(headerType, TypeReceiptPosted)
	h.put(headerSubject, id[:len(id)-len(idSuffix)])
	h.put(headerTime, r.PostedAt.UTC().Format(time.RFC3339Nano))
	h.put(headerContentType, ContentJSON)
	h.put(headerDC, dc)
	h.put(headerBrand, brand)
	h.put(headerStore, r.Store.String())
	h.put(headerTill, r.Till.String())
	h.put(headerKind, r.Kind.String())
	if !r.Account.IsZero() {
		h.put(headerAccount, r.Account.String())
	}
	h.put(headerPoints, strconv.FormatInt(r.Points, 10))
	h.put(headerEntry, strconv.FormatUint(r.Entry, 10))
	h.put(headerSequence, padded(r.Sequence))
	return h.values, r.Body
}

// headers are values that lie in one array, each its own slice of it: one allocation, not one each.
type headers struct {
	values map[string][]string
	array  []string
}

func (h *headers) put(name, value string) {
	h.array = append(h.array, value)
	n := len(h.array)
	h.values[name] = h.array[n-1 : n : n]
}

func source(dc, brand string) string { return "/" + dc + "/" + brand + "/books" }

func padded(n uint64) string {
	var b [20]byte // the digits of the greatest uint64
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = '0' + byte(n%10)
		n /= 10
	}
	return string(b[:])
}

// Decode reads what Encode wrote, by way of the CloudEvents SDK. The receipt's Body aliases data and
// is not looked into. Extensions that it does not know are left alone.
func Decode(header map[string][]string, data []byte) (ReceiptPosted, error) {
	e, err := FromHeaders(header, data)
	if err != nil {
		return ReceiptPosted{}, err
	}
	a := reader{extensions: e.Extensions()}
	a.want("type", e.Type(), TypeReceiptPosted)
	a.want("datacontenttype", e.DataContentType(), ContentJSON)
	r := ReceiptPosted{
		RID:      parsed(&a, "subject", e.Subject(), record.ParseRID),
		Store:    parsed(&a, "store", a.text("store"), subjects.ParseStoreID),
		Till:     parsed(&a, "till", a.text("till"), subjects.ParseTillID),
		Kind:     parsed(&a, "kind", a.text("kind"), parseKind),
		Points:   int64(a.number("points", 0, record.MaxPoints)),
		Entry:    a.number("entry", 1, math.MaxUint64),
		Sequence: a.number("sequence", 1, math.MaxUint64),
		PostedAt: e.Time().UTC(),
		Body:     data,
	}
	if s, ok := a.extensions["account"]; ok {
		r.Account = parsed(&a, "account", fmt.Sprint(s), parseAccount)
	}
	dc := parsed(&a, "dc", a.text("dc"), subjects.ParseToken)
	brand := parsed(&a, "brand", a.text("brand"), subjects.ParseToken)
	a.want("id", e.ID(), r.RID.String()+idSuffix)
	a.want("source", e.Source(), source(dc.String(), brand.String()))
	switch {
	case a.err != nil:
		return ReceiptPosted{}, fmt.Errorf("receipt posted: %w", a.err)
	case e.Time().IsZero():
		return ReceiptPosted{}, fmt.Errorf("receipt posted: %w: header ce-time is missing", ErrEvent)
	case len(data) > record.MaxBody:
		return ReceiptPosted{}, fmt.Errorf("receipt posted: %w: body of %d bytes, want at most %d",
			ErrEvent, len(data), record.MaxBody)
	}
	return r, nil
}

func parseKind(s string) (record.Kind, error) {
	for _, k := range []record.Kind{record.KindSale, record.KindReturn, record.KindVoid} {
		if s == k.String() {
			return k, nil
		}
	}
	return 0, errors.New("want sale, return or void")
}

func parseAccount(s string) (record.AccountID, error) {
	a, err := record.ParseAccountID(s)
	if err == nil && a.IsZero() {
		return a, errors.New("want no account, not the zero one")
	}
	return a, err
}

// reader keeps the first thing that is wrong.
type reader struct {
	extensions map[string]any
	err        error
}

func (a *reader) fail(name string, err error) {
	if a.err == nil {
		a.err = fmt.Errorf("%w: header ce-%s: %w", ErrEvent, name, err)
	}
}

func (a *reader) want(name, got, want string) {
	if got != want {
		a.fail(name, fmt.Errorf("got %q, want %q", clip(got), clip(want)))
	}
}

func (a *reader) text(name string) string {
	v, ok := a.extensions[name].(string)
	if !ok && a.err == nil {
		a.err = fmt.Errorf("%w: header ce-%s is missing", ErrEvent, name)
	}
	return v
}

func (a *reader) number(name string, least, most uint64) uint64 {
	s := a.text(name)
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || n < least || n > most {
		a.fail(name, fmt.Errorf("got %q, want a number of %d to %d", clip(s), least, most))
	}
	return n
}

func parsed[T any](a *reader, name, s string, parse func(string) (T, error)) T {
	v, err := parse(s)
	if err != nil {
		a.fail(name, err)
	}
	return v
}
