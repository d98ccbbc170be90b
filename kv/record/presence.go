package record

import (
	"fmt"
	"unicode/utf8"

	"tillstream/subjects"
)

// Presence is a word about which shopper is at a till: a till tells its store, a store the centre.
type Presence struct {
	Till    subjects.TillID // a till's own word may leave it out: its store knows who speaks
	Account AccountID       // never zero
	Here    bool            // false: no longer
	At      int64           // Unix milliseconds by the till's clock, which tells its older words from its newer ones
}

const presenceVersion = 1

// Append appends the word's binary form to b.
func (p *Presence) Append(b []byte) []byte {
	here := byte(0)
	if p.Here {
		here = 1
	}
	b = append(b, presenceVersion, here)
	b = append(b, p.Account[:]...)
	b = AppendU64(b, uint64(p.At))
	return AppendBlob(b, []byte(p.Till.String()))
}

// ReadPresence reads what Append wrote.
func ReadPresence(b []byte) (p Presence, err error) {
	r := Reader{B: b}
	version, here := r.U8(), r.U8()
	p.Here = here == 1
	r.Fill(p.Account[:])
	p.At = r.I64()
	p.Till = readTill(&r)
	if err := r.End(); err != nil || version != presenceVersion || here > 1 || p.Account.IsZero() {
		return Presence{}, fmt.Errorf("read a shopper's presence: %w", ErrFormat)
	}
	return p, nil
}

// readTill takes a till's name, or none.
func readTill(r *Reader) (t subjects.TillID) {
	name := r.Blob()
	if len(name) == 0 {
		return t
	}
	t, err := subjects.ParseTillID(string(name))
	if err != nil {
		r.Err = ErrFormat
	}
	return t
}

// Limits of what a screen shows, in bytes.
const (
	MaxScreenID    = 64 // also what a till's own API takes
	MaxScreenShort = 256
	MaxScreenText  = 4096
)

// Screen is a message for the shopper at a till: OSG asks a store, a store its till. It is shown only to that
// shopper.
//
// Try numbers what was asked of screens about one message: more each time that another screen is chosen, or one
// again. A screen that has said no to a try does not show the message for that try any more, so that a question
// which comes late cannot show what another screen has shown since.
type Screen struct {
	Till     subjects.TillID // a store may leave it out when it asks: its till knows its name
	Account  AccountID       // never zero
	Try      uint64          // never zero
	Full     bool            // the full screen; false: a toast
	ID       string          // hexadecimal digits; one message, however often it is asked for
	Title    string
	Text     string // plain; never empty
	Code     string // of a coupon
	Language string // BCP 47
	Expires  int64  // Unix milliseconds
}

const screenVersion = 1

// Append appends the question's binary form to b.
func (s *Screen) Append(b []byte) []byte {
	full := byte(0)
	if s.Full {
		full = 1
	}
	b = append(b, screenVersion, full)
	b = append(b, s.Account[:]...)
	b = AppendU64(b, s.Try)
	b = AppendU64(b, uint64(s.Expires))
	for _, text := range [...]string{s.Till.String(), s.ID, s.Title, s.Text, s.Code, s.Language} {
		b = AppendBlob(b, []byte(text))
	}
	return b
}

// ReadScreen reads what Append wrote.
func ReadScreen(b []byte) (s Screen, err error) {
	r := Reader{B: b}
	version, full := r.U8(), r.U8()
	s.Full = full == 1
	r.Fill(s.Account[:])
	s.Try, s.Expires = r.U64(), r.I64()
	s.Till = readTill(&r)
	s.ID, s.Title, s.Text, s.Code, s.Language = string(r.Blob()), string(r.Blob()), string(r.Blob()), string(r.Blob()), string(r.Blob())
	if err := r.End(); err != nil || version != screenVersion || full > 1 {
		return Screen{}, fmt.Errorf("read a message for a screen: %w", ErrFormat)
	}
	if err := s.Check(); err != nil {
		return Screen{}, err
	}
	return s, nil
}

// Check reports what of a message no screen shows.
func (s *Screen) Check() error {
	fits := len(s.ID) <= MaxScreenID && len(s.Title) <= MaxScreenShort && len(s.Text) <= MaxScreenText &&
		len(s.Code) <= MaxScreenShort && len(s.Language) <= MaxScreenShort
	switch {
	case s.Account.IsZero() || s.Try == 0 || s.Text == "" || !IsMessageID(s.ID):
		return fmt.Errorf("message for a screen: %w: want an account, a try, a text, and an id of hexadecimal digits", ErrFormat)
	case !fits:
		return fmt.Errorf("message for a screen: %w: want a text of at most %d bytes, and at most %d of title, code and language", ErrFormat, MaxScreenText, MaxScreenShort)
	}
	for _, text := range [...]string{s.Title, s.Text, s.Code, s.Language} {
		if !utf8.ValidString(text) {
			return fmt.Errorf("message for a screen: %w: want UTF-8", ErrFormat)
		}
	}
	return nil
}

// IsMessageID reports whether an id can be an onsite message's: 1 to 64 hexadecimal digits, which are safe in keys,
// paths and streams of server-sent events.
func IsMessageID(id string) bool {
	for i := range len(id) {
		if c := id[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return len(id) > 0 && len(id) <= MaxScreenID
}
