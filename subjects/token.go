package subjects

import (
	"errors"
	"fmt"
)

// MaxToken is the greatest length of a Token, in bytes.
const MaxToken = 64

// ErrToken means that a string is not a Token.
var ErrToken = errors.New("not a token: want 1 to 64 of a-z, 0-9, '_' and '-'")

// Token is one element of a subject. Its zero value is no token; only ParseToken makes another.
type Token struct{ s string }

// ParseToken is the only way from a string to a Token.
func ParseToken(s string) (Token, error) {
	if len(s) == 0 || len(s) > MaxToken {
		return Token{}, fmt.Errorf("%q: %w", clip(s), ErrToken)
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' && c != '-' {
			return Token{}, fmt.Errorf("%q: %w", clip(s), ErrToken)
		}
	}
	return Token{s}, nil
}

// MustToken is ParseToken for literals in code; it panics.
func MustToken(s string) Token {
	t, err := ParseToken(s)
	if err != nil {
		panic(err)
	}
	return t
}

// clip keeps an error short when someone sends a megabyte as an id.
func clip(s string) string {
	if len(s) > MaxToken {
		return s[:MaxToken] + "…"
	}
	return s
}

func (t Token) String() string { return t.s }

// IsZero reports whether t is no token.
func (t Token) IsZero() bool { return t.s == "" }

// MarshalText writes the token; the zero Token is empty text.
func (t Token) MarshalText() ([]byte, error) { return []byte(t.s), nil }

// UnmarshalText reads a token from configuration or JSON.
func (t *Token) UnmarshalText(b []byte) error {
	p, err := ParseToken(string(b))
	if err != nil {
		return err
	}
	*t = p
	return nil
}

// StoreID names a store (a shop). Store "0000" is headquarters, for the online channels.
type StoreID struct{ Token }

// TillID names a till (a checkout) within its store.
type TillID struct{ Token }

// NodeID names a node of the centre.
type NodeID struct{ Token }

// BrandID names a brand. One brand is one NATS account, one journal, one set of books.
type BrandID struct{ Token }

// ParseStoreID makes a StoreID.
func ParseStoreID(s string) (StoreID, error) { t, err := ParseToken(s); return StoreID{t}, err }

// ParseTillID makes a TillID.
func ParseTillID(s string) (TillID, error) { t, err := ParseToken(s); return TillID{t}, err }

// ParseNodeID makes a NodeID.
func ParseNodeID(s string) (NodeID, error) { t, err := ParseToken(s); return NodeID{t}, err }

// ErrReserved means that a word is the first token of subjects that are not a brand's.
var ErrReserved = errors.New("reserved: subjects of the edge and of MSQ begin with it")

// ParseBrandID makes a BrandID. It refuses the words with which subjects begin that are no brand's: a
// brand "pos" would ask its stores for subjects that never leave a node.
func ParseBrandID(s string) (BrandID, error) {
	t, err := ParseToken(s)
	if err != nil {
		return BrandID{}, err
	}
	switch s {
	case "edge", "pos", "msq":
		return BrandID{}, fmt.Errorf("brand %q: %w", s, ErrReserved)
	}
	return BrandID{t}, nil
}

// UnmarshalText reads a brand from configuration or JSON.
func (b *BrandID) UnmarshalText(text []byte) (err error) {
	*b, err = ParseBrandID(string(text))
	return
}
