package record_test

import (
	"errors"
	"strings"
	"testing"

	"tillstream/kv/record"
)

// What no screen could show, or what a stream of server-sent events would be cut by, is refused wherever it comes in.
func TestMalformedScreens(t *testing.T) {
	good := record.Screen{Account: account, Try: 1, ID: "a1", Text: "t"}
	if _, err := record.ReadScreen(good.Append(nil)); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(s *record.Screen){
		"nobody's":           func(s *record.Screen) { s.Account = record.AccountID{} },
		"no try":             func(s *record.Screen) { s.Try = 0 },
		"no text":            func(s *record.Screen) { s.Text = "" },
		"no id":              func(s *record.Screen) { s.ID = "" },
		"an id with a line":  func(s *record.Screen) { s.ID = "a1\ndata: x" },
		"a long id":          func(s *record.Screen) { s.ID = strings.Repeat("a", record.MaxScreenID+1) },
		"a long text":        func(s *record.Screen) { s.Text = strings.Repeat("x", record.MaxScreenText+1) },
		"a long title":       func(s *record.Screen) { s.Title = strings.Repeat("x", record.MaxScreenShort+1) },
		"a text that is not": func(s *record.Screen) { s.Text = "\xff" },
	} {
		s := good
		spoil(&s)
		if err := s.Check(); !errors.Is(err, record.ErrFormat) {
			t.Errorf("%s: check: %v", name, err)
		}
		if got, err := record.ReadScreen(s.Append(nil)); !errors.Is(err, record.ErrFormat) {
			t.Errorf("%s: read %+v, %v", name, got, err)
		}
	}
}

func TestMalformedPresence(t *testing.T) {
	good := record.Presence{Account: account, Here: true}
	for name, spoil := range map[string]func(b []byte) []byte{
		"neither here nor gone": func(b []byte) []byte { b[1] = 2; return b },
		"of nobody":             func([]byte) []byte { return (&record.Presence{Here: true}).Append(nil) },
		"a till that is none":   func(b []byte) []byte { return append(b[:len(b)-1], 1, '*') },
	} {
		if got, err := record.ReadPresence(spoil(good.Append(nil))); !errors.Is(err, record.ErrFormat) {
			t.Errorf("%s: read %+v, %v", name, got, err)
		}
	}
}
