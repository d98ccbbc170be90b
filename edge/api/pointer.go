package api

import (
	"errors"
	"reflect"
	"strings"

	"github.com/goccy/go-json/jsontext"
	"github.com/goccy/go-json/v2"
)

// pointer gives the part of p that repeats nothing of a caller's making: names as the contract has
// them, and places in a list. An unknown field may be called after a card number.
func pointer(p jsontext.Pointer) string {
	var b strings.Builder
	for tok := range p.Tokens() {
		if !isName(tok) && !isPlace(tok) {
			break
		}
		b.WriteByte('/')
		b.WriteString(tok)
	}
	return b.String()
}

func isName(tok string) bool {
	for i := range len(tok) {
		if c := tok[i]; c != '_' && (c < 'a' || c > 'z') {
			return false
		}
	}
	return tok != "" && len(tok) <= 32
}

func isPlace(tok string) bool {
	for i := range len(tok) {
		if tok[i] < '0' || tok[i] > '9' {
			return false
		}
	}
	return tok != "" && len(tok) <= 6
}

// senseReason says why a value does not fit its field, without the value.
func senseReason(e *json.SemanticError) string {
	if errors.Is(e.Err, json.ErrUnknownName) {
		return "There is no such field."
	}
	want := "another kind of value"
	if e.GoType != nil {
		switch e.GoType.Kind() {
		case reflect.String:
			want = "a string"
		case reflect.Int64, reflect.Pointer:
			want = "a whole number without exponent, within its range"
		case reflect.Slice:
			want = "a list"
		case reflect.Struct:
			want = "an object"
		}
	}
	return "Want " + want + "."
}
