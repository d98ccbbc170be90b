package record

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"time"
)

// ErrID means that a text is not the id it should be.
var ErrID = errors.New("not an id")

// AccountID names an account in the books: a keyed hash of a card number. Zero: no shopper.
type AccountID [16]byte

// ChainID names one run of a till process: a UUIDv7 drawn when the process starts.
type ChainID [16]byte

// RID names a receipt: a UUIDv7 drawn when the basket opens. It is the receipt's idempotency key.
type RID [16]byte

// Hash is a SHA-256.
type Hash [32]byte

// Generation names one life of a journal or of a cache: cursors of another life are void.
type Generation [16]byte

func (a AccountID) String() string  { return hex.EncodeToString(a[:]) }
func (c ChainID) String() string    { return formatUUID(c) }
func (r RID) String() string        { return formatUUID(r) }
func (h Hash) String() string       { return hex.EncodeToString(h[:]) }
func (g Generation) String() string { return formatUUID(g) }

// IsZero reports whether a names no account.
func (a AccountID) IsZero() bool { return a == AccountID{} }

// IsZero reports whether c names no chain.
func (c ChainID) IsZero() bool { return c == ChainID{} }

// MarshalText writes the account as 32 hexadecimal digits.
func (a AccountID) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (a *AccountID) UnmarshalText(b []byte) (err error) { *a, err = ParseAccountID(string(b)); return }

// MarshalText writes the rid as a UUID.
func (r RID) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads a UUID.
func (r *RID) UnmarshalText(b []byte) (err error) { *r, err = ParseRID(string(b)); return }

// MarshalText writes the chain as a UUID.
func (c ChainID) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// MarshalText writes the hash as 64 hexadecimal digits.
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// MarshalText writes the generation as a UUID.
func (g Generation) MarshalText() ([]byte, error) { return []byte(g.String()), nil }

// UnmarshalText reads a journal's generation.
func (g *Generation) UnmarshalText(b []byte) error {
	u, ok := parseUUID(string(b))
	if !ok {
		return fmt.Errorf("generation %q: %w: want a UUID", clip(string(b)), ErrID)
	}
	*g = Generation(u)
	return nil
}

// ParseAccountID reads 32 hexadecimal digits.
func ParseAccountID(s string) (a AccountID, err error) {
	if len(s) != 32 {
		return a, fmt.Errorf("account %q: %w: want 32 hexadecimal digits", clip(s), ErrID)
	}
	if _, err := hex.Decode(a[:], []byte(s)); err != nil {
		return AccountID{}, fmt.Errorf("account %q: %w: want 32 hexadecimal digits", clip(s), ErrID)
	}
	return a, nil
}

// ParseRID reads a UUIDv7 in its usual form, lower or upper case.
func ParseRID(s string) (RID, error) {
	u, ok := parseUUID(s)
	if !ok || u[6]>>4 != 7 || u[8]>>6 != 2 {
		return RID{}, fmt.Errorf("rid %q: %w: want a UUID of version 7", clip(s), ErrID)
	}
	return RID(u), nil
}

// NewChainID draws a chain id.
func NewChainID(now time.Time) ChainID { return ChainID(newUUID(now)) }

// NewRID draws a rid.
func NewRID(now time.Time) RID { return RID(newUUID(now)) }

// NewGeneration draws a generation.
func NewGeneration(now time.Time) Generation { return Generation(newUUID(now)) }

// RIDFrom makes the rid of a receipt that has none of its own (imported from a file): the time of
// the sale and 74 bits of a seed that names it, so that importing it again gives the same rid.
func RIDFrom(at time.Time, seed Hash) RID {
	var u [16]byte
	copy(u[6:], seed[:])
	return RID(stamp(u, at))
}

// Time is when a receipt's basket was opened, by the POS's clock.
func (r RID) Time() time.Time {
	ms := int64(r[0])<<40 | int64(r[1])<<32 | int64(r[2])<<24 | int64(r[3])<<16 | int64(r[4])<<8 | int64(r[5])
	return time.UnixMilli(ms)
}

func newUUID(now time.Time) [16]byte {
	var u [16]byte
	rand.Read(u[6:]) // never fails since Go 1.24
	return stamp(u, now)
}

// stamp writes the time and the marks of a UUIDv7 (RFC 9562 §5.7) over u.
func stamp(u [16]byte, at time.Time) [16]byte {
	ms := uint64(max(at.UnixMilli(), 0))
	u[0], u[1], u[2] = byte(ms>>40), byte(ms>>32), byte(ms>>24)
	u[3], u[4], u[5] = byte(ms>>16), byte(ms>>8), byte(ms)
	u[6] = u[6]&0x0f | 0x70
	u[8] = u[8]&0x3f | 0x80
	return u
}

func formatUUID(u [16]byte) string {
	var b [36]byte
	hex.Encode(b[0:8], u[0:4])
	hex.Encode(b[9:13], u[4:6])
	hex.Encode(b[14:18], u[6:8])
	hex.Encode(b[19:23], u[8:10])
	hex.Encode(b[24:36], u[10:16])
	b[8], b[13], b[18], b[23] = '-', '-', '-', '-'
	return string(b[:])
}

func parseUUID(s string) (u [16]byte, ok bool) {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return u, false
	}
	digits := s[0:8] + s[9:13] + s[14:18] + s[19:23] + s[24:36]
	_, err := hex.Decode(u[:], []byte(digits))
	return u, err == nil
}

// clip keeps an error short when someone sends a megabyte as an id.
func clip(s string) string {
	if len(s) > 64 {
		return s[:64] + "…"
	}
	return s
}
