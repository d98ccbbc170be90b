package scan

import (
	"errors"
	"fmt"
	"strings"

	"github.com/nyaruka/phonenumbers"
)

// ErrPhone means that a text is no phone number.
var ErrPhone = errors.New("not a phone number")

// maxE164 is the length of + and fifteen digits.
const maxE164 = 16

// maxPhone bounds what is read: fifteen digits, and what people write between them.
const maxPhone = 40

func isCountry(word string) bool { return phonenumbers.GetSupportedRegions()[word] }

// Phone gives a phone number in the form of E.164: + and at most fifteen digits. One without + is read by
// the rules of the chain's country. No error repeats the number.
func (s *Scanner) Phone(text string) (string, error) {
	text = strings.TrimSpace(text)
	// Letters, extensions and tel: are not what is keyed at a till, and the library's work on them is not
	// for strangers.
	if text == "" || len(text) > maxPhone || strings.Trim(text, "+0123456789 -./()") != "" || strings.LastIndexByte(text, '+') > 0 {
		return "", fmt.Errorf("%w: want at most %d digits, blanks and - . / ( ), and a + at most before them", ErrPhone, maxPhone)
	}
	n, err := phonenumbers.Parse(text, s.cfg.Country)
	if err != nil || !phonenumbers.IsValidNumber(n) {
		return "", fmt.Errorf("%w that is in use in its country", ErrPhone)
	}
	e164 := phonenumbers.Format(n, phonenumbers.E164)
	if len(e164) > maxE164 { // some countries have longer ones, which cannot be called from elsewhere
		return "", fmt.Errorf("%w: over %d digits", ErrPhone, maxE164-1)
	}
	return e164, nil
}
