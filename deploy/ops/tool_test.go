package ops_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alecthomas/kong"

	"tillstream/central"
	"tillstream/deploy/ops"
	"tillstream/subjects"
)

// tool runs `tillstream ops` with arguments, and gives what it prints and how it ends.
func tool(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := toolTo(within(t, time.Minute), t, &out, args...)
	return out.String(), err
}

func toolTo(ctx context.Context, t *testing.T, out io.Writer, args ...string) error {
	t.Helper()
	var c struct {
		Ops ops.Command `cmd:""`
	}
	parser, err := kong.New(&c, kong.Name("tillstream"))
	if err != nil {
		t.Fatal(err)
	}
	chosen, err := parser.Parse(append([]string{"ops"}, args...))
	if err != nil {
		return err
	}
	chosen.BindTo(ctx, (*context.Context)(nil))
	chosen.BindTo(out, (*io.Writer)(nil))
	return chosen.Run()
}

func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// prints fails unless a text has all parts.
func prints(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("want %q in:\n%s", p, text)
		}
	}
}

// fails fails unless an error says all parts.
func fails(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("no error, want one that says %q", parts)
		return
	}
	prints(t, err.Error(), parts...)
}

func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func logger(t *testing.T) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), nil))
}

func net() subjects.Net {
	return subjects.Net{
		DC: subjects.MustToken("eu1"), Env: subjects.MustToken("test"),
		Brand: subjects.BrandID{Token: subjects.MustToken("acme")},
	}
}

// settings are those of a centre of one node that no store joins.
func settings(t *testing.T) central.Config {
	return central.Config{
		DC: net().DC, Env: net().Env, Brand: net().Brand, Node: subjects.NodeID{Token: subjects.MustToken("c1")},
		Data: t.TempDir(), LeafListen: "127.0.0.1:0", AdminListen: "127.0.0.1:0",
		Stores: file(t, "[]"), CardKey: file(t, strings.Repeat("k", 32)),
	}
}

// centre runs a node until the test ends, and waits until it writes the journal. Its streams are made
// when it runs, so before can make others.
func centre(t *testing.T, cfg central.Config, before func(*central.Node)) *central.Node {
	t.Helper()
	n, err := central.Open(cfg, logger(t))
	if err != nil {
		t.Fatal(err)
	}
	before(n)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := n.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		cancel()
		wg.Wait()
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	ready := within(t, 30*time.Second)
	for n.Replica().Status().Writer == "" {
		select {
		case <-tick.C:
		case <-ready.Done():
			t.Fatal("nobody writes the journal")
		}
	}
	return n
}

func asItIs(*central.Node) {}

func decode(t *testing.T, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
}
