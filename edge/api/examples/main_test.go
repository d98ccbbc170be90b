package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tillstream/edge"
	"tillstream/subjects"
)

const token = "a-token-for-the-examples"

// start runs a till's node that is alone.
func start(t *testing.T) (url string) {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	n, err := edge.Open(edge.Config{
		DC: subjects.MustToken("eu1"), Env: subjects.MustToken("test"), Brand: subjects.BrandID{Token: subjects.MustToken("acme")},
		Store: subjects.StoreID{Token: subjects.MustToken("0042")}, Till: subjects.TillID{Token: subjects.MustToken("01")},
		Data: filepath.Join(dir, "node"), Listen: "127.0.0.1:0", CardKey: write("card.key", strings.Repeat("k", 32)),
		POSTokens: write("pos.tokens", "lane-1 "+token+"\n"),
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
	return n.URL()
}

func TestGoProgram(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	s := &till{url: start(t), token: token, client: http.Client{Timeout: 10 * time.Second}}
	if err := sell(s, &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"to pay: 1006", "committed: 10 points", "money back: 129 verified"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
}

func TestCurl(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{"sh", "curl", "sed", "od"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("no %s on this computer", tool)
		}
	}
	out, err := exec.CommandContext(t.Context(), "sh", "sale.sh", start(t), token).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	receipt, found, ok := strings.Cut(string(out), "found:")
	if !ok || !strings.Contains(receipt, `"state":"committed"`) || strings.Contains(receipt, "/problems/quote") || !strings.Contains(found, `"state":"committed"`) {
		t.Errorf("got\n%s", out)
	}
}
