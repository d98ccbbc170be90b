package archive_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"

	"tillstream/central"
	"tillstream/central/archive"
	"tillstream/central/fold"
	"tillstream/subjects"
)

const patience = time.Minute

// centre is a centre of one node, and an archive of its journal that the test starts and stops.
type centre struct {
	*central.Node
	t   *testing.T
	key nkeys.KeyPair
	cfg archive.Config
}

func logger(t *testing.T) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelInfo}))
}

func open(t *testing.T) *centre {
	t.Helper()
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		must(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	cfg := central.Config{
		DC: subjects.MustToken("eu1"), Env: subjects.MustToken("test"),
		Brand: subjects.BrandID{Token: subjects.MustToken("acme")}, Node: subjects.NodeID{Token: subjects.MustToken("c1")},
		Data: filepath.Join(dir, "data"), LeafListen: "127.0.0.1:0", AdminListen: "127.0.0.1:0",
		Stores: write("stores.yaml", "[]\n"), CardKey: write("cards.key", "00112233445566778899aabbccddeeff\n"),
	}
	node, err := central.Open(cfg, logger(t))
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- node.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-done, node.Close()); err != nil {
			t.Error(err)
		}
	})
	c := &centre{Node: node, t: t}
	c.key, err = nkeys.CreateAccount()
	must(t, err)
	js, err := jetstream.New(node.Conn())
	must(t, err)
	c.cfg = archive.Config{
		Dir: filepath.Join(dir, "archive"), Net: cfg.Net(), JS: js, Replica: node.Replica(), Key: c.key,
		Segment: 2000, Log: logger(t),
	}
	return c
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// await asks again until it has come true.
func await(t *testing.T, what string, done func() error) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	ctx := within(t)
	for err := done(); err != nil; err = done() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%s: %v", what, err)
		}
	}
}

// grow adds entries to the journal, each of which changes the books.
func (c *centre) grow(n int) {
	c.t.Helper()
	for i := range n {
		_, _, err := c.Replica().Propose(within(c.t), fold.Proposal{
			Head: fmt.Append([]byte{9}, "nobody can read this ", i), Rest: make([]byte, 50),
		})
		must(c.t, err)
	}
}

// run runs an archiver until the function that it gives is called.
func (c *centre) run() (a *archive.Archiver, stop func()) {
	c.t.Helper()
	a = archive.New(c.cfg)
	ctx, cancel := context.WithCancel(c.t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := a.Run(ctx); err != nil {
			c.t.Errorf("archive: %v", err)
		}
	})
	stop = sync.OnceFunc(func() { cancel(); wg.Wait() })
	c.t.Cleanup(stop)
	return a, stop
}

// archived waits until all of the journal is copied.
func (c *centre) archived(a *archive.Archiver) {
	c.t.Helper()
	await(c.t, "archive the journal", func() error {
		if s, want := a.Status(), c.Replica().Status().Entry; s.Entry < want || s.Paused != "" {
			return fmt.Errorf("%+v, want entry %d", s, want)
		}
		return nil
	})
}

func (c *centre) public() string {
	c.t.Helper()
	p, err := c.key.PublicKey()
	must(c.t, err)
	return p
}

// copied gives a copy of the archive.
func (c *centre) copied() string {
	c.t.Helper()
	to := filepath.Join(c.t.TempDir(), "copy")
	must(c.t, os.CopyFS(to, os.DirFS(c.cfg.Dir)))
	return to
}
