package subjects_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"tillstream/subjects"
)

func TestParseToken(t *testing.T) {
	for _, s := range []string{"a", "0000", "store-1", "a_b", strings.Repeat("x", subjects.MaxToken)} {
		got, err := subjects.ParseToken(s)
		if err != nil || got.String() != s || got.IsZero() {
			t.Errorf("ParseToken(%q) = %q, %v", s, got, err)
		}
	}
	for _, s := range []string{
		"", "*", ">", "a.b", ".", "a b", "A", "é", "a\n", "a\x00", "$SRV", "_INBOX", "{store}",
		strings.Repeat("x", subjects.MaxToken+1),
	} {
		if got, err := subjects.ParseToken(s); !errors.Is(err, subjects.ErrToken) || !got.IsZero() {
			t.Errorf("ParseToken(%q) = %q, %v, want %v", s, got, err, subjects.ErrToken)
		}
	}
	if _, err := subjects.ParseToken(strings.Repeat("*", 1<<20)); len(err.Error()) > 300 {
		t.Errorf("the error repeats the whole id: %d bytes", len(err.Error()))
	}
}

// Configuration and JSON must not be a way around the parser.
func TestTokensOfConfiguration(t *testing.T) {
	type config struct {
		Store subjects.StoreID
		Till  subjects.TillID
		Brand subjects.BrandID
		DC    subjects.Token
	}
	var c config
	if err := json.Unmarshal([]byte(`{"Store":"0042","Till":"t1","Brand":"acme","DC":"eu1"}`), &c); err != nil {
		t.Fatal(err)
	}
	if c.Store != store || c.Till != till || c.Brand != net.Brand || c.DC != net.DC {
		t.Errorf("got %+v", c)
	}
	if b, err := json.Marshal(c); err != nil || string(b) != `{"Store":"0042","Till":"t1","Brand":"acme","DC":"eu1"}` {
		t.Errorf("got %s, %v", b, err)
	}
	for _, bad := range []string{`{"Store":"*"}`, `{"Till":"a.b"}`, `{"Brand":">"}`, `{"DC":""}`} {
		if err := json.Unmarshal([]byte(bad), &c); !errors.Is(err, subjects.ErrToken) {
			t.Errorf("%s: got %v, want %v", bad, err, subjects.ErrToken)
		}
	}
	for _, bad := range []string{"edge", "pos", "msq"} {
		if err := json.Unmarshal([]byte(`{"Brand":"`+bad+`"}`), &c); !errors.Is(err, subjects.ErrReserved) {
			t.Errorf("brand %s: got %v, want %v", bad, err, subjects.ErrReserved)
		}
	}
}

func FuzzParseToken(f *testing.F) {
	for _, s := range []string{"a", "*", ">", "a.b", "a b", "é", "$SRV", "store-1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		token, err := subjects.ParseToken(s)
		if err != nil {
			return
		}
		if token.String() != s {
			t.Fatalf("%q became %q", s, token)
		}
		subject := net.Ingest(subjects.StoreID{Token: token})
		parts := strings.Split(subject, ".")
		if len(parts) != 3 || parts[2] != s || strings.ContainsAny(subject, "*> \t\r\n") {
			t.Fatalf("%q made the subject %q", s, subject)
		}
	})
}
