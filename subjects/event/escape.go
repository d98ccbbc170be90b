package event

import (
	"errors"
	"strings"
	"unicode/utf8"
)

// Header values are percent-encoded as in the HTTP binding: everything but visible ASCII, and of
// that the space, the double quote and the percent sign. A value cannot end its own header line.

const upperHex = "0123456789ABCDEF"

func plain(c byte) bool { return c > ' ' && c < 0x7f && c != '"' && c != '%' }

func escape(s string) string {
	i := 0
	for i < len(s) && plain(s[i]) {
		i++
	}
	if i == len(s) {
		return s
	}
	var b strings.Builder
	b.WriteString(s[:i])
	for ; i < len(s); i++ {
		if c := s[i]; plain(c) {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', upperHex[c>>4], upperHex[c&15]})
		}
	}
	return b.String()
}

var errEscape = errors.New("not percent-encoded UTF-8")

// unescape takes what escape wrote, and characters that other producers left as they are.
func unescape(s string) (string, error) {
	if strings.IndexByte(s, '%') >= 0 {
		var b strings.Builder
		for i := 0; i < len(s); i++ {
			if s[i] != '%' {
				b.WriteByte(s[i])
				continue
			}
			if i+2 >= len(s) {
				return "", errEscape
			}
			hi, ok1 := unhex(s[i+1])
			lo, ok2 := unhex(s[i+2])
			if !ok1 || !ok2 {
				return "", errEscape
			}
			b.WriteByte(hi<<4 | lo)
			i += 2
		}
		s = b.String()
	}
	if !utf8.ValidString(s) {
		return "", errEscape
	}
	return s, nil
}

func unhex(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}
