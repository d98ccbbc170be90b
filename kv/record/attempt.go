package record

import (
	"errors"
	"fmt"
)

// MaxCode is the greatest length of a PromoCode or an AttemptID, in bytes.
const MaxCode = 64

// ErrCode means that a text is no PromoCode or AttemptID.
var ErrCode = errors.New("want 1 to 64 of A-Z, a-z, 0-9, '_' and '-'")

// PromoCode names a progress promotion (document 004). Its zero value is none.
type PromoCode struct{ code }

// AttemptID names one cycle of a progress promotion, such as 2011-W48 (document 004). Its zero value is none.
type AttemptID struct{ code }

// ParsePromoCode makes a PromoCode.
func ParsePromoCode(s string) (PromoCode, error) {
	c, err := parseCode("promo code", s)
	return PromoCode{c}, err
}

// ParseAttemptID makes an AttemptID.
func ParseAttemptID(s string) (AttemptID, error) {
	c, err := parseCode("attempt", s)
	return AttemptID{c}, err
}

// Attempt is one shopper's cycle of one promotion: what the flow keeps a state of.
type Attempt struct {
	Account AccountID
	Promo   PromoCode
	Attempt AttemptID
}

func (a Attempt) String() string {
	return a.Account.String() + "/" + a.Promo.String() + "/" + a.Attempt.String()
}

// code is a text that is safe as a part of a key.
type code struct{ s string }

func parseCode(what, s string) (code, error) {
	if len(s) == 0 || len(s) > MaxCode {
		return code{}, fmt.Errorf("%s %q: %w", what, clip(s), ErrCode)
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' && c != '-' {
			return code{}, fmt.Errorf("%s %q: %w", what, clip(s), ErrCode)
		}
	}
	return code{s}, nil
}

func (c code) String() string { return c.s }

// IsZero reports whether it is none.
func (c code) IsZero() bool { return c.s == "" }

// MarshalText writes the code.
func (c code) MarshalText() ([]byte, error) { return []byte(c.s), nil }

// UnmarshalText reads a promotion's code.
func (p *PromoCode) UnmarshalText(b []byte) (err error) { *p, err = ParsePromoCode(string(b)); return }

// UnmarshalText reads an attempt's name.
func (a *AttemptID) UnmarshalText(b []byte) (err error) { *a, err = ParseAttemptID(string(b)); return }
