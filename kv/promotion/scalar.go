package promotion

import (
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Bounds of numbers in documents.
const (
	maxMoney    = 1_000_000_000_000 // minor units
	maxRevision = 1<<53 - 1         // what every JSON reader keeps exactly
	maxPieces   = 1_000_000
	maxPoints   = 1_000_000_000
	maxDays     = 366
)

// text reads a string. Who wrote a number or a truth value most often forgot the quotes.
func (r *reader) text(at string, v any) (string, bool) {
	s, ok := v.(string)
	if !ok {
		hint := ""
		switch v.(type) {
		case number, bool:
			hint = ": write it in quotes"
		}
		r.fault(at, "want text, not %s%s", kind(v), hint)
	}
	return s, ok
}

func (r *reader) limited(at string, v any, least, most int) string {
	s, ok := r.text(at, v)
	if n := utf8.RuneCountInString(s); ok && (n < least || n > most) {
		r.fault(at, "want %d to %d characters", least, most)
	}
	if ok && strings.ContainsFunc(s, func(c rune) bool { return c < ' ' || c == 0x7f }) {
		r.fault(at, "holds a control character")
	}
	return s
}

func (r *reader) token(at string, v any) string {
	s, ok := r.text(at, v)
	if ok && !isToken(s) {
		r.fault(at, "want 1 to 64 of a-z, 0-9, '_' and '-'")
	}
	return s
}

func isToken(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && !isDigit(c) && c != '_' && c != '-' {
			return false
		}
	}
	return len(s) >= 1 && len(s) <= 64
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isDigits(s string, least, most int) bool {
	return len(s) >= least && len(s) <= most && strings.Trim(s, "0123456789") == ""
}

func (r *reader) whole(at string, v any, least, most int64) int64 {
	n, ok := v.(number)
	if !ok {
		r.fault(at, "want a whole number, not %s", kind(v))
		return least
	}
	i, err := strconv.ParseInt(string(n), 10, 64)
	if err != nil || strconv.FormatInt(i, 10) != string(n) || i < least || i > most {
		r.fault(at, "want a whole number from %d to %d", least, most)
		return least
	}
	return i
}

func (r *reader) money(at string, v any) int64 { return r.whole(at, v, 0, maxMoney) }

func (r *reader) truth(at string, v any) bool {
	b, ok := v.(bool)
	if !ok {
		r.fault(at, "want true or false, not %s", kind(v))
	}
	return b
}

func (r *reader) oneOf(at string, v any, words ...string) string {
	s, ok := r.text(at, v)
	if ok && !slices.Contains(words, s) {
		r.fault(at, "want one of %s", strings.Join(words, ", "))
		return words[0]
	}
	return s
}

// decimal reads digits, and after a point at most so many more, as a whole number of the last of them.
func decimal(s string, digits, decimals int) (int64, bool) {
	before, after, point := strings.Cut(s, ".")
	if !isDigits(before, 1, digits) || point && !isDigits(after, 1, decimals) {
		return 0, false
	}
	n, err := strconv.ParseInt(before+after+strings.Repeat("0", decimals-len(after)), 10, 64)
	return n, err == nil
}

// percent gives hundredths of a percent.
func (r *reader) percent(at string, v any) int64 {
	s, ok := r.text(at, v)
	n, good := decimal(s, 3, 2)
	if ok && (!good || n > 100_00 || n < 100_00 && strings.IndexByte(s+".", '.') > 2) {
		r.fault(at, `want a percent from "0" to "100" with at most 2 decimals, in quotes`)
	}
	return n
}

func (r *reader) factor(at string, v any) int64 {
	s, ok := r.text(at, v)
	n, good := decimal(s, 3, 2)
	if ok && (!good || n < 100) {
		r.fault(at, `want a factor from "1" to "999.99" with at most 2 decimals, in quotes`)
	}
	return n
}

// quantity gives thousandths.
func (r *reader) quantity(at string, v any) int64 {
	s, ok := r.text(at, v)
	n, good := decimal(s, 9, 3)
	if ok && (!good || n == 0) {
		r.fault(at, `want a quantity over zero with at most 9 digits and 3 decimals, in quotes`)
	}
	return n
}

func (r *reader) local(at string, v any) Local {
	s, ok := r.text(at, v)
	if !ok {
		return None
	}
	t, err := time.Parse(localLayout, s)
	if err != nil || len(s) != len(localLayout) {
		r.fault(at, `want a time of the store's clock as "2026-11-01T00:00:00", without a zone`)
		return None
	}
	return Local(t.Unix())
}

// minute reads a time of the day.
func (r *reader) minute(at string, v any) int {
	s, ok := r.text(at, v)
	if !ok {
		return 0
	}
	hour, minute, _ := strings.Cut(s, ":")
	h, _ := decimal(hour, 2, 0)
	m, _ := decimal(minute, 2, 0)
	if len(s) != 5 || !isDigits(hour, 2, 2) || !isDigits(minute, 2, 2) || m > 59 || h*60+m > 24*60 {
		r.fault(at, `want a time of the day from "00:00" to "24:00", in quotes`)
		return 0
	}
	return int(h*60 + m)
}
