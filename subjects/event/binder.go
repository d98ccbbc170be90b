package event

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"tillstream/kv/record"
	"tillstream/subjects"
)

// Envelope is what a stage of the flow knows of an event without opening its data.
type Envelope struct {
	ID      string
	Type    string
	Source  string // "/{dc}/{brand}/{component}"
	Time    time.Time
	DC      subjects.Token
	Brand   subjects.BrandID
	Attempt record.Attempt // the account is the subject
	Status  Status
	Tags    []string   // of the promotion, once DEC has added them
	Rewards []Reward   // that the event is about, once DEC has added them: TIM goes by them
	Receipt record.RID // that brought it about; zero: none
	Trace   string     // W3C traceparent; empty: none
	Stamps  Stamps
	// Decision is the documented has-decision: set by DES, nil before.
	Decision *bool
}

// Binder is a domain object and the envelope of the event that it came from, or only the stamps of one.
type Binder[T any] struct {
	Value T
	From  Envelope
}

// Bind puts the two together.
func Bind[T any](v T, from Envelope) Binder[T] { return Binder[T]{v, from} }

// Next gives the envelope of an event that a stage makes of this one: all that was known, the stage's stamp added,
// and an id that follows from the old one, so that it is the same each time. ordinal tells several apart.
func (e *Envelope) Next(at Point, typ string, ordinal uint32, now time.Time) Envelope {
	n := *e
	n.ID = NextID(e.ID, at, ordinal)
	n.Type, n.Time = typ, now
	n.Source = Source(e.DC, e.Brand, at.String())
	n.Stamps[at] = now
	return n
}

// Source is an event's source: the component that made it.
func Source(dc subjects.Token, brand subjects.BrandID, component string) string {
	return "/" + dc.String() + "/" + brand.String() + "/" + component
}

// NextID is the id of what a stage makes of an event.
func NextID(id string, at Point, ordinal uint32) string {
	b := make([]byte, 0, 96)
	b = append(append(append(b, id...), 0), at.String()...)
	return digest(binary.BigEndian.AppendUint32(append(b, 0), ordinal))
}

// FirstID is the id of an activity, which follows from what brought it about and says what it says.
func FirstID(a record.Attempt, status Status, cause string) string {
	return digest([]byte(a.String() + "\x00" + string(status) + "\x00" + cause))
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}

// Extensions of the flow's events, beside brand, dc, traceparent and the stamps.
const (
	headerPromo    = "ce-promocode"
	headerAttempt  = "ce-attemptid"
	headerStatus   = "ce-status"
	headerTags     = "ce-tags" // separated by commas
	headerRewards  = "ce-rewards"
	headerReceipt  = "ce-receipt"
	headerTrace    = "ce-traceparent"
	headerDecision = "has-decision" // no attribute of the event: document 004 names the header
)

// HasDecision is the documented header by which FRED goes, without opening the data.
const HasDecision = headerDecision

// Headers writes an event's headers in binary mode.
func (e *Envelope) Headers() map[string][]string {
	h := headers{make(map[string][]string, 24), make([]string, 0, 24)}
	h.put(headerSpecVersion, SpecVersion)
	h.put(headerID, escape(e.ID))
	h.put(headerSource, escape(e.Source))
	h.put(headerType, escape(e.Type))
	h.put(headerSubject, e.Attempt.Account.String())
	h.put(headerTime, stamp(e.Time))
	h.put(headerContentType, ContentJSON)
	h.put(headerDC, e.DC.String())
	h.put(headerBrand, e.Brand.String())
	h.put(headerPromo, e.Attempt.Promo.String())
	h.put(headerAttempt, e.Attempt.Attempt.String())
	h.put(headerStatus, string(e.Status))
	if len(e.Tags) > 0 {
		h.put(headerTags, escape(strings.Join(e.Tags, ",")))
	}
	if len(e.Rewards) > 0 {
		h.put(headerRewards, escape(writeRewards(e.Rewards)))
	}
	if e.Receipt != (record.RID{}) {
		h.put(headerReceipt, e.Receipt.String())
	}
	if e.Trace != "" {
		h.put(headerTrace, escape(e.Trace))
	}
	for p, at := range e.Stamps {
		if !at.IsZero() {
			h.put(stampHeaders[p], stamp(at))
		}
	}
	if e.Decision != nil {
		h.put(headerDecision, fmt.Sprint(*e.Decision))
	}
	return h.values
}

// stamp writes microseconds: finer than clocks of several machines agree.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z") }

// ReadEnvelope reads an event's headers in binary mode, and refuses one that is not of the flow. It is by hand: each
// event passes it five times; a test holds it to the SDK. Headers that it does not know are left alone.
func ReadEnvelope(header map[string][]string) (Envelope, error) {
	r := flowReader{header: header}
	if v := r.need(headerSpecVersion); r.err == nil && v != SpecVersion {
		r.fail(headerSpecVersion, fmt.Errorf("got %q, want %q", clip(v), SpecVersion))
	}
	e := Envelope{
		ID: r.need(headerID), Source: r.need(headerSource), Type: r.need(headerType),
		Time:   r.time(headerTime),
		Status: Status(r.need(headerStatus)),
		Trace:  r.text(headerTrace),
	}
	e.DC = take(&r, headerDC, subjects.ParseToken)
	e.Brand = take(&r, headerBrand, subjects.ParseBrandID)
	e.Attempt.Account = take(&r, headerSubject, parseAccount)
	e.Attempt.Promo = take(&r, headerPromo, record.ParsePromoCode)
	e.Attempt.Attempt = take(&r, headerAttempt, record.ParseAttemptID)
	if r.err == nil && !e.Status.Known() {
		r.fail(headerStatus, fmt.Errorf("%w %q: want one of %v", ErrStatus, clip(string(e.Status)), Statuses()))
	}
	if tags := r.text(headerTags); tags != "" {
		e.Tags = strings.Split(tags, ",")
	}
	if r.has(headerRewards) {
		e.Rewards = take(&r, headerRewards, readRewards)
	}
	if r.has(headerReceipt) {
		e.Receipt = take(&r, headerReceipt, record.ParseRID)
	}
	for p := range e.Stamps {
		if r.has(stampHeaders[p]) {
			e.Stamps[p] = r.time(stampHeaders[p])
		}
	}
	if r.has(headerDecision) {
		v := r.text(headerDecision)
		yes := v == "true"
		if !yes && v != "false" {
			r.fail(headerDecision, fmt.Errorf("got %q, want true or false", clip(v)))
		}
		e.Decision = &yes
	}
	return e, r.err
}

// flowReader keeps the first thing that is wrong.
type flowReader struct {
	header map[string][]string
	err    error
}

func (r *flowReader) fail(name string, err error) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: header %s: %w", ErrEvent, name, err)
	}
}

func (r *flowReader) has(name string) bool { return len(r.header[name]) > 0 }

func (r *flowReader) text(name string) string {
	values := r.header[name]
	switch len(values) {
	case 0:
		return ""
	case 1:
	default:
		r.fail(name, fmt.Errorf("want one value, got %d", len(values)))
	}
	v, err := unescape(values[0])
	if err != nil {
		r.fail(name, err)
	}
	return v
}

func (r *flowReader) need(name string) string {
	v := strings.TrimSpace(r.text(name)) // as the SDK does
	if v == "" && r.err == nil {
		r.err = fmt.Errorf("%w: header %s is missing", ErrEvent, name)
	}
	return v
}

func (r *flowReader) time(name string) time.Time {
	v := r.need(name)
	t, err := time.Parse(time.RFC3339Nano, v)
	t = t.UTC()
	if y := t.Year(); err != nil || y < 1 || y > 9999 { // in UTC it may be another year, which cannot be written
		r.fail(name, fmt.Errorf("%q is not an RFC 3339 time", clip(v)))
	}
	return t
}

func take[T any](r *flowReader, name string, parse func(string) (T, error)) T {
	v, err := parse(r.need(name))
	if err != nil {
		r.fail(name, err)
	}
	return v
}

// Canonical gives the headers of an event as ReadEnvelope wants their names: the binding takes them in any case,
// and other producers write "Ce-Id". Headers that are not the event's stay as they are.
func Canonical(header map[string][]string) map[string][]string {
	other := func(k string) bool {
		return len(k) > len(headerPrefix) && strings.EqualFold(k[:len(headerPrefix)], headerPrefix) && strings.ToLower(k) != k
	}
	any := false
	for k := range header {
		any = any || other(k)
	}
	if !any {
		return header
	}
	c := make(map[string][]string, len(header))
	for k, v := range header {
		if other(k) {
			k = strings.ToLower(k)
		}
		c[k] = append(c[k], v...)
	}
	return c
}
