package pos_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/alecthomas/kong"

	"tillstream/deploy/fleet"
	"tillstream/deploy/pos"
	"tillstream/edge"
	"tillstream/subjects"
)

// till runs a till's node that is alone, and gives a command line on it.
func till(t *testing.T) func(args ...string) (string, error) {
	t.Helper()
	dir := t.TempDir()
	key := filepath.Join(dir, "card.key")
	if err := os.WriteFile(key, []byte(strings.Repeat("k", 32)), 0o600); err != nil {
		t.Fatal(err)
	}
	tokens, err := fleet.TokensFile(dir)
	if err != nil {
		t.Fatal(err)
	}
	n, err := edge.Open(edge.Config{
		DC: subjects.MustToken("eu1"), Env: subjects.MustToken("test"), Brand: subjects.BrandID{Token: subjects.MustToken("acme")},
		Store: subjects.StoreID{Token: subjects.MustToken("0042")}, Till: subjects.TillID{Token: subjects.MustToken("01")},
		Data: filepath.Join(dir, "node"), Listen: "unix:" + filepath.Join(dir, "door"), CardKey: key, POSTokens: tokens,
	}, "test", slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := errors.Join(n.Run(ctx), n.Close()); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
	return func(args ...string) (string, error) {
		var c pos.Command
		parser, err := kong.New(&c)
		if err != nil {
			t.Fatal(err)
		}
		chosen, err := parser.Parse(append([]string{"--till", n.URL(), "--token-file", tokens}, args...))
		if err != nil {
			return "", err
		}
		var out strings.Builder
		chosen.BindTo(ctx, (*context.Context)(nil))
		chosen.BindTo(&out, (*io.Writer)(nil))
		err = chosen.Run()
		return out.String(), err
	}
}

// A sale from the terminal: looked up, quoted, paid, found, and given back in part.
func TestSale(t *testing.T) {
	t.Parallel()
	run := till(t)
	say := func(want string, args ...string) string {
		t.Helper()
		out, err := run(args...)
		if err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
		if !regexp.MustCompile(want).MatchString(out) {
			t.Fatalf("%v: no %s in\n%s", args, want, out)
		}
		return out
	}
	basket := []string{"--card", "2000017", "8076800195057x4@129", "2512340004900x0.412kg@1190"}
	say(`\*017: nobody could say`, "look", "--card", "2000017")
	say(`TOTAL EUR +10\.06`, append([]string{"quote"}, basket...)...)
	paid := say(`sale \S+: committed`, append([]string{"pay"}, basket...)...)
	rid := regexp.MustCompile(`sale (\S+):`).FindStringSubmatch(paid)[1]
	if !strings.Contains(paid, "points: +10, follow") {
		t.Errorf("no points in\n%s", paid)
	}
	say(`sale `+rid, "find", rid)
	if out := say(`(?s)line 1, 3 back +3\.87.*points: -4 taken back`, "return", rid, "1=3"); strings.Contains(out, "flagged") {
		t.Errorf("nobody else sells, and others may have given back of it:\n%s", out)
	}
	if out, err := run("return", rid, "1=2"); err == nil || !strings.Contains(err.Error(), "return-too-much") || !strings.Contains(err.Error(), "Left: 1.") {
		t.Errorf("two of one: %v\n%s", err, out)
	}
	say(`(?s)TRAINING.*training`, append([]string{"pay", "--training"}, basket...)...)
	// Nobody can hold here: the cashier reads why, and the sale goes on.
	say(`sale \S+: committed`, append([]string{"pay", "--points", "useful"}, basket...)...)
}

func TestJSON(t *testing.T) {
	t.Parallel()
	run := till(t)
	out, err := run("--json", "pay", "1x2@100")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != 2 {
		t.Fatalf("got %d lines, want the quote's and the receipt's:\n%s", len(lines), out)
	}
	for _, l := range lines {
		if !json.Valid([]byte(l)) {
			t.Errorf("%s is no JSON", l)
		}
	}
}

func TestWhatIsWrongIsSaid(t *testing.T) {
	t.Parallel()
	run := till(t)
	for want, args := range map[string][]string{
		"want ITEM":            {"quote", "1x2"},
		"whom?":                {"look"},
		"want LINE=QUANTITY":   {"return", "0199c1b2-7c40-7d7e-9a52-3f6f0b1c2d3e", "1"},
		"invalid-field":        {"quote", "1x0@100"},
		"not-found":            {"find", "0199c1b2-7c40-7d7e-9a52-3f6f0b1c2d3e"},
		"phone-invalid":        {"look", "--phone", "12"},
		"payment-card-refused": {"look", "--card", "4111111111111111"},
	} {
		if out, err := run(args...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: got %v, want %s\n%s", args, err, want, out)
		}
	}
}
