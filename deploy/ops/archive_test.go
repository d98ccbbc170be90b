package ops_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tillstream/central/gateway"
	"tillstream/deploy/fleet"
	"tillstream/deploy/ops"
	"tillstream/deploy/sales"
)

// archived opens the smallest fleet with an archive, sells, and waits until all is posted.
func archived(t *testing.T) *fleet.Fleet {
	t.Helper()
	f, err := fleet.Open(t.Context(), fleet.Config{Dir: t.TempDir(), Nodes: 1, Archive: filepath.Join(t.TempDir(), "archive"), Log: logger(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	ctx := within(t, time.Minute)
	if err := f.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	at := f.Store(0).Till(0)
	for _, r := range sales.Generate(40, 2, time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC)) {
		body := r.Body(at.Config().Store.String(), at.Config().Till.String(), r.Customer)
		if a, err := fleet.Post(ctx, http.DefaultClient, at.URL(), r.Return, r.RID, body); err != nil || !a.Kept() {
			t.Fatalf("sell: %v, %d %s", err, a.Status, a.Body)
		}
	}
	if err := f.Settle(ctx); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestArchiveAndRebuild(t *testing.T) {
	t.Parallel()
	f := archived(t)
	node, dir, key := f.Centre()[0].Node(), f.Centre()[0].Config().Archive, f.ArchiveKey()
	status := node.Replica().Status()
	digest := status.Digest.String()
	run := func(args ...string) string {
		t.Helper()
		out, err := tool(t, append([]string{"--centre", node.URL()}, args...)...)
		if err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
		return out
	}
	last := fmt.Sprintf("  %d  ", status.Entry)
	prints(t, run("archive", "close"), "c1 ", last, digest[:12])
	prints(t, run("status"), "ARCHIVED", fmt.Sprintf("no      -         %d  ", status.Entry))
	prints(t, run("archive", "verify", dir, "--key", key), digest[:12], fmt.Sprintf("the archive of brand acme is in order up to entry %d", status.Entry))
	var v ops.Archived
	if err := json.Unmarshal([]byte(run("archive", "verify", dir, "--key", key, "--json")), &v); err != nil || len(v.Segments) != 1 || len(v.Wrong) != 0 {
		t.Errorf("as JSON: %+v, %v", v, err)
	}
	for _, args := range [][]string{{"books", "rebuild"}, {"books", "rebuild", "--archive", dir, "--key", key}} {
		prints(t, run(append(args, "--at", "2")...), digest, "digest at entry 2: ", "yes", "the books are what the journal makes")
		_, err := tool(t, append([]string{"--centre", node.URL()}, append(args, "--at", "9999")...)...)
		fails(t, err, fmt.Sprintf("the journal ends at %d", status.Entry))
	}
	_, err := tool(t, "books", "rebuild", "--archive", dir)
	fails(t, err, "--archive DIR and --key PUBLIC go together")

	// A node whose books are not what the journal makes.
	wrong := otherDigest(t, node.URL())
	out, err := tool(t, "--centre", wrong, "books", "rebuild")
	fails(t, err, "the books are wrong", "node c1 has another digest at entry")
	if !strings.Contains(out, "no\n") || strings.Contains(out, "are what the journal makes") {
		t.Errorf("it says\n%s", out)
	}

	// An archive that was changed.
	segment := filepath.Join(dir, fmt.Sprintf("%016d.segment", 1))
	b, err := os.ReadFile(segment)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := os.WriteFile(segment, b, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err = tool(t, "archive", "verify", dir, "--key", key)
	fails(t, err, "the archive is wrong", "is not the file that was signed")
	if strings.Contains(out, "in order") {
		t.Errorf("it says\n%s", out)
	}
	_, err = tool(t, "books", "rebuild", "--archive", dir, "--key", key)
	fails(t, err, "the archive is wrong")
}

func TestANodeWithoutAnArchive(t *testing.T) {
	t.Parallel()
	url := centre(t, settings(t), asItIs).URL()
	_, err := tool(t, "--centre", url, "archive", "close")
	fails(t, err, "409 no-archive", "its setting archive is empty", "ops status shows which do")
}

// otherDigest stands for a node whose books have gone wrong.
func otherDigest(t *testing.T, node string) string {
	t.Helper()
	to, err := url.Parse(node)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(to)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/status" {
			proxy.ServeHTTP(w, r)
			return
		}
		nodes, err := ops.Client{URLs: []string{node}}.Status(r.Context())
		if err != nil || len(nodes) != 1 {
			t.Errorf("status: %v", err)
			return
		}
		var s gateway.Status = nodes[0]
		s.Digest = strings.Repeat("ab", 32)
		if err := json.NewEncoder(w).Encode(s); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}
