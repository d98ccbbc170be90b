package scrub_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tillstream/central/fold"
	"tillstream/central/hub"
	"tillstream/central/scrub"
	"tillstream/central/streams"
	"tillstream/kv/record"
	"tillstream/subjects"
)

var (
	acme = subjects.Net{
		DC: subjects.MustToken("eu1"), Env: subjects.MustToken("test"), Brand: subjects.BrandID{Token: subjects.MustToken("acme")},
	}
	c1 = subjects.NodeID{Token: subjects.MustToken("c1")}
)

// node is a centre node of which there is only what a scrub needs.
type node struct {
	t   *testing.T
	dir string
	hub *hub.Hub
	nc  *nats.Conn
	js  jetstream.JetStream

	mu   sync.Mutex
	tip  *fold.Entry // guarded by mu; what the node has folded
	wait time.Duration
}

func open(t *testing.T) *node {
	t.Parallel()
	n := &node{t: t, dir: t.TempDir(), tip: &fold.Entry{Generation: record.NewGeneration(time.Now())}}
	n.start()
	_, err := streams.Apply(t.Context(), n.js, streams.Want(acme, 1))
	n.must(err)
	t.Cleanup(n.stop)
	return n
}

func (n *node) must(err error) {
	n.t.Helper()
	if err != nil {
		n.t.Fatal(err)
	}
}

func (n *node) log() *slog.Logger { return slog.New(slog.NewTextHandler(n.t.Output(), nil)) }

func (n *node) start() {
	n.t.Helper()
	var err error
	n.hub, err = hub.Open(hub.Config{Node: c1, Brands: []hub.Brand{{Net: acme}}, DataDir: n.dir, Log: n.log()})
	n.must(err)
	n.must(n.hub.Ready(n.t.Context()))
	n.nc, err = n.hub.Connect(acme.Brand, "test")
	n.must(err)
	n.js, err = jetstream.New(n.nc)
	n.must(err)
}

func (n *node) stop() {
	n.t.Helper()
	n.nc.Close()
	n.must(n.hub.Close())
}

// append writes the next entry, as the writer would, or as change makes it.
func (n *node) append(change func(*fold.Entry)) {
	n.t.Helper()
	e := &fold.Entry{Generation: n.tip.Generation, Number: n.tip.Number + 1, Term: 1, Prev: n.tip.Hash(),
		Proposals: []fold.Proposal{{Head: make([]byte, 300)}}}
	if change != nil {
		change(e)
	}
	n.put(e.Encode())
	n.mu.Lock()
	defer n.mu.Unlock()
	n.tip = e
}

func (n *node) put(b []byte) {
	n.t.Helper()
	_, err := n.js.Publish(n.t.Context(), acme.Journal(), b)
	n.must(err)
}

func (n *node) scrub() *scrub.Scrub {
	return scrub.New(scrub.Config{
		Node: c1, Net: acme, Conn: n.nc, JS: n.js, Hub: n.hub, Wait: n.wait, Log: n.log(),
		Folded: func() (uint64, record.Hash) {
			n.mu.Lock()
			defer n.mu.Unlock()
			return n.tip.Number, n.tip.Hash()
		},
	})
}

// found gives what a pass finds, in words.
func (n *node) found() []string {
	n.t.Helper()
	v, err := n.scrub().Pass(n.t.Context(), 0)
	n.must(err)
	var out []string
	for _, d := range v.Damages {
		out = append(out, d.String())
	}
	if v.Entry != n.tip.Number && len(out) == 0 {
		n.t.Errorf("clean up to entry %d, want %d", v.Entry, n.tip.Number)
	}
	return out
}

// says wants one finding with a text in it, or none.
func (n *node) says(want string) {
	n.t.Helper()
	got := n.found()
	if want == "" && len(got) == 0 {
		return
	}
	if len(got) != 1 || want == "" || !strings.Contains(got[0], want) {
		n.t.Errorf("found %q, want one with %q", got, want)
	}
}

func TestAnEmptyJournalIsClean(t *testing.T) {
	n := open(t)
	n.says("")
}

func TestAWholeCopyIsClean(t *testing.T) {
	n := open(t)
	for range 100 {
		n.append(nil)
	}
	n.says("")
}

// A writer that heard no acknowledgement sends the same bytes again.
func TestAnEntryMayBeStoredTwice(t *testing.T) {
	n := open(t)
	n.append(nil)
	n.append(nil)
	n.put(n.tip.Encode())
	n.append(nil)
	n.says("")
}

func TestWhatIsNoChainIsFound(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*fold.Entry)
		want   string
	}{
		"a number left out":       {func(e *fold.Entry) { e.Number++ }, "message 4 (entry 5): comes after entry 3"},
		"a number twice":          {func(e *fold.Entry) { e.Number-- }, "message 4 (entry 3): comes after entry 3"},
		"another hash before":     {func(e *fold.Entry) { e.Prev[7] ^= 1 }, "message 4 (entry 4): does not follow entry 3"},
		"another journal's entry": {func(e *fold.Entry) { e.Generation[0] ^= 1 }, "message 4 (entry 4): is of another journal"},
	} {
		t.Run(name, func(t *testing.T) {
			n := open(t)
			for range 3 {
				n.append(nil)
			}
			n.append(c.change)
			n.append(nil)
			n.put(n.tip.Encode()) // twice, or the pass waits for the entry whose number was left out
			n.says(c.want)
		})
	}
}

func TestRubbishIsFound(t *testing.T) {
	n := open(t)
	n.append(nil)
	n.put([]byte("rubbish"))
	n.append(nil)
	n.says("message 2: journal entry")
}

// The copy is whole in itself, and not what this node has folded.
func TestACopyOfSomethingElseIsFound(t *testing.T) {
	n := open(t)
	for range 3 {
		n.append(nil)
	}
	folded := *n.tip
	folded.At++
	folded.Encode()
	n.tip = &folded
	n.says("message 3 (entry 3): is another entry than this node has folded")
}

// A node has come further than its copy reaches: the copy's end is lost, and nothing else tells.
func TestACopyThatEndsEarlyIsFound(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for what never comes")
	}
	n := open(t)
	for range 3 {
		n.append(nil)
	}
	n.tip = &fold.Entry{Number: 5}
	n.tip.Encode()
	n.says("message 4 (entries 4 to 5): the copy ends before what this node has folded")
}

// A byte flips in the middle of a block while the node, which is alone, is down: nats-server starts, and
// what lay behind is gone.
func TestAFlippedByteIsFound(t *testing.T) {
	n := open(t)
	for range 100 {
		n.append(nil)
	}
	n.stop()
	blocks, err := filepath.Glob(filepath.Join(n.dir, "jetstream", "acme", "streams", acme.JournalStream(), "msgs", "*.blk"))
	n.must(err)
	b, err := os.ReadFile(blocks[0])
	n.must(err)
	b[len(b)/2] ^= 1
	n.must(os.WriteFile(blocks[0], b, 0o600))
	n.start()
	if got := n.found(); len(got) == 0 || !strings.Contains(got[len(got)-1], "to 100") {
		t.Errorf("found %q, want the entries up to 100 to be missing", got)
	}
}

// The pass in the background finds it too, and a repair of a node that is alone is refused.
func TestTheBackgroundPassAndARepairAlone(t *testing.T) {
	n := open(t)
	n.wait = time.Millisecond
	n.append(nil)
	n.append(func(e *fold.Entry) { e.Prev[7] ^= 1 })
	s := n.scrub()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	for s.Last() == nil {
		select {
		case err := <-done:
			t.Fatalf("ended: %v", err)
		case <-time.After(time.Millisecond):
		}
	}
	if v := s.Last(); len(v.Damages) != 1 {
		t.Errorf("found %v, want one", v.Damages)
	}
	cancel()
	n.must(<-done)
	if _, err := s.Repair(t.Context()); !errors.Is(err, scrub.ErrUnsafe) {
		t.Errorf("repair: %v, want %v", err, scrub.ErrUnsafe)
	}
}

func TestOnePassAtATime(t *testing.T) {
	n := open(t)
	for range 50 {
		n.append(nil)
	}
	s := n.scrub()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := s.Pass(ctx, 1) // a byte a second
		done <- err
	}()
	for p, ok := s.Progress(); !ok || p.Message == 0; p, ok = s.Progress() {
		select {
		case err := <-done:
			t.Fatal(err)
		case <-time.After(time.Millisecond):
		}
	}
	if _, err := s.Pass(t.Context(), 0); !errors.Is(err, scrub.ErrBusy) {
		t.Errorf("a second pass: %v, want %v", err, scrub.ErrBusy)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("a pass that is given up: %v", err)
	}
	if v := s.Last(); v != nil {
		t.Errorf("a pass that was given up has a verdict: %+v", v)
	}
	if _, err := s.Pass(t.Context(), 0); err != nil {
		t.Error(fmt.Errorf("the next pass: %w", err))
	}
}
