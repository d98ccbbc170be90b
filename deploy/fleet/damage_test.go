package fleet_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"tillstream/central/scrub"
	"tillstream/deploy/fleet"
	"tillstream/deploy/laws"
	"tillstream/deploy/ops"
	"tillstream/kv/record"
	"tillstream/subjects"
)

var (
	damages    = flag.Int("damages", 0, "how many random damages of each kind a centre node's files get; 0: one of a handful of kinds")
	damageKind = flag.String("damage-kind", "", "only kinds of damage whose name contains this")
	damageSeed = flag.Uint64("damage-seed", 1, "seed of the random damages")
)

// damage is a way in which a file can go bad.
type damage struct {
	name string
	do   func(r *rand.Rand, path string) error
}

const pageSize = 4096

// edit changes a file's bytes.
func edit(change func(r *rand.Rand, b []byte) []byte) func(*rand.Rand, string) error {
	return func(r *rand.Rand, path string) error {
		b, err := os.ReadFile(path)
		if err != nil || len(b) == 0 {
			return err
		}
		return os.WriteFile(path, change(r, b), 0o600)
	}
}

func damageKinds() []damage {
	page := func(r *rand.Rand, b []byte) []byte { // a whole one where there is one
		n := max(1, len(b)/pageSize)
		i := r.IntN(n) * pageSize
		return b[i:min(len(b), i+pageSize)]
	}
	return []damage{
		{"a byte flipped", edit(func(r *rand.Rand, b []byte) []byte {
			b[r.IntN(len(b))] ^= byte(1 + r.IntN(255))
			return b
		})},
		{"truncated", edit(func(r *rand.Rand, b []byte) []byte { return b[:r.IntN(len(b))] })},
		{"a page of zeros", edit(func(r *rand.Rand, b []byte) []byte { clear(page(r, b)); return b })},
		{"two pages swapped", edit(func(r *rand.Rand, b []byte) []byte {
			p, q := page(r, b), page(r, b)
			if len(p) > len(q) {
				p, q = q, p
			}
			old := slices.Clone(p)
			copy(p, q)
			copy(q, old)
			return b
		})},
		{"deleted", func(_ *rand.Rand, path string) error { return os.Remove(path) }},
	}
}

// places are the files of a centre node that a damage may befall, below its JetStream directory.
var places = []struct{ name, glob string }{
	{"block", "acme/streams/journal_acme/msgs/*.blk"},
	{"index", "acme/streams/journal_acme/msgs/index.db"},
	{"stream's description", "acme/streams/journal_acme/meta.*"},
	{"log of the cluster", "$SYS/_js_/S-*/msgs/*.blk"},
	{"index of the log", "$SYS/_js_/S-*/msgs/index.db"},
	{"snapshot of the log", "$SYS/_js_/S-*/snapshots/*"},
	{"vote or peers", "$SYS/_js_/S-*/*.idx"},
	{"log's description", "$SYS/_js_/S-*/meta.*"},
	{"log of the meta group", "$SYS/_js_/_meta_/msgs/*.blk"},
	{"snapshot of the meta group", "$SYS/_js_/_meta_/snapshots/*"},
	{"vote or peers of the meta group", "$SYS/_js_/_meta_/*.idx"},
	{"description of the meta group", "$SYS/_js_/_meta_/meta.*"},
}

// handful are the kinds of damage of a test that is not asked for more: one of each way in which it ends.
var handful = []string{
	"block: a byte flipped", "block: truncated", "index: deleted", "log of the cluster: truncated",
	"snapshot of the meta group: a byte flipped",
}

// wanted reports whether a kind of damage was asked for.
func wanted(kind string) bool {
	if *damages == 0 && *damageKind == "" {
		return slices.Contains(handful, kind)
	}
	return strings.Contains(kind, *damageKind)
}

// A stopped node's files are damaged in every way. Started again, either nats-server has put them right
// itself, or scrub names that node, and that one alone; and after a repair (or, where the node does not
// come up, without its JetStream directory) its copy is whole and the books of all are equal.
func TestDamagedFilesOfACentreNode(t *testing.T) {
	f := open(t, fleet.Config{Stores: 1, Tills: 1})
	sold := generate(300, 41)
	sell(t, f, sold[:200])
	settle(t, f, sold[:200])
	fatten(t, f)
	r := rand.New(rand.NewPCG(*damageSeed, 0))
	for _, place := range places {
		for _, d := range damageKinds() {
			kind := place.name + ": " + d.name
			if !wanted(kind) {
				continue
			}
			tally := map[string]int{}
			for range max(1, *damages) {
				outcome := damageOne(t, f, r, place.glob, d)
				tally[outcome]++
				if t.Failed() {
					t.Fatalf("after %s (seed %d)", kind, *damageSeed)
				}
			}
			t.Logf("DAMAGE %-55s %v", kind, tally)
		}
	}
	sell(t, f, sold[200:])
	settleBooks(t, f)
}

// settleBooks holds the nodes to each other.
func settleBooks(t *testing.T, f *fleet.Fleet) {
	t.Helper()
	must(t, f.Settle(within(t, patience)))
	_, err := f.CheckBooks(within(t, patience))
	must(t, err)
}

// damageOne damages a file of one node, and says what it took to put it right.
func damageOne(t *testing.T, f *fleet.Fleet, r *rand.Rand, glob string, d damage) string {
	t.Helper()
	victim := f.Centre()[r.IntN(len(f.Centre()))]
	if r.IntN(2) == 0 {
		must(t, victim.Stop())
	} else {
		must(t, victim.Crash())
	}
	root := filepath.Join(victim.Config().Data, "jetstream", "jetstream")
	files, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(glob)))
	must(t, err)
	if len(files) == 0 {
		must(t, victim.Start())
		awaitClean(t, f)
		return "no such file"
	}
	must(t, d.do(r, files[r.IntN(len(files))]))

	outcome := "put right by nats-server"
	if err := victim.Start(); err != nil {
		t.Logf("node %s does not start: %v", victim.Name(), err)
		outcome = "does not start; its directory removed"
		wipe(t, victim, root)
	}
	if !comesUp(t, f, victim) {
		outcome = "does not come up; its directory removed"
		must(t, victim.Crash())
		wipe(t, victim, root)
	}
	if damaged := scrubAll(t, f); len(damaged) > 0 {
		if len(damaged) != 1 || damaged[0].Node != victim.Name() {
			t.Errorf("scrub finds %v, want node %s", damaged, victim.Name())
		}
		if differs(t, f, victim) == 0 {
			t.Errorf("scrub finds %v in a copy that is whole", damaged[0].Damages)
		}
		c := client(f)
		_, err := c.Repair(within(t, patience), victim.Name(), 0, io.Discard)
		must(t, err)
		outcome = "found and repaired"
	}
	if n := differs(t, f, victim); n > 0 {
		t.Errorf("%d messages of node %s are not as the others', and scrub finds nothing (%s)", n, victim.Name(), outcome)
	}
	awaitClean(t, f)
	return outcome
}

func wipe(t *testing.T, victim *fleet.Centre, root string) {
	t.Helper()
	must(t, os.RemoveAll(filepath.Dir(root)))
	must(t, victim.Start())
}

func client(f *fleet.Fleet) ops.Client {
	var c ops.Client
	for _, n := range f.Centre() {
		c.URLs = append(c.URLs, n.Node().URL())
	}
	return c
}

func client1(c *fleet.Centre) ops.Client { return ops.Client{URLs: []string{c.Node().URL()}} }

// comesUp waits until a node can read its copy to the end of what the others have; false: it does not get
// there.
func comesUp(t *testing.T, f *fleet.Fleet, victim *fleet.Centre) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
	defer cancel()
	for {
		v, err := client1(victim).Scrub(ctx, 0, io.Discard)
		if err == nil {
			others := endsOf(t, f, victim)
			if v[0].Last >= others {
				return true
			}
			err = fmt.Errorf("ends at %d, others at %d", v[0].Last, others)
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			t.Logf("node %s does not come up: %v", victim.Name(), err)
			return false
		}
	}
}

// endsOf gives the end of the copies of the others.
func endsOf(t *testing.T, f *fleet.Fleet, victim *fleet.Centre) (last uint64) {
	t.Helper()
	for _, n := range f.Centre() {
		if n != victim {
			last = max(last, endOf(t, n))
		}
	}
	return last
}

func endOf(t *testing.T, n *fleet.Centre) uint64 {
	t.Helper()
	v, err := client1(n).Scrub(within(t, patience), 0, io.Discard)
	must(t, err)
	return v[0].Last
}

// scrubAll gives the verdicts that are not clean.
func scrubAll(t *testing.T, f *fleet.Fleet) (damaged []scrub.Verdict) {
	t.Helper()
	var verdicts []scrub.Verdict
	await(t, "scrub", func() (err error) {
		verdicts, err = client(f).Scrub(within(t, patience), 0, io.Discard)
		return err
	})
	for _, v := range verdicts {
		if !v.Clean() {
			damaged = append(damaged, v)
		}
	}
	return damaged
}

// awaitClean waits until all is well: every copy clean, somebody writes, all level.
func awaitClean(t *testing.T, f *fleet.Fleet) {
	t.Helper()
	must(t, f.Ready(within(t, patience)))
	if d := scrubAll(t, f); len(d) > 0 {
		t.Errorf("still damaged: %+v", d)
	}
	settleBooks(t, f)
}

// differs counts the messages of a node's copy that another's has differently: what scrub must find,
// counted without it.
func differs(t *testing.T, f *fleet.Fleet, victim *fleet.Centre) (n int) {
	t.Helper()
	other := f.Centre()[0]
	if other == victim {
		other = f.Centre()[1]
	}
	last := min(endOf(t, victim), endOf(t, other)) // what is written meanwhile is not compared
	mine, theirs := copyOf(t, f, victim, last), copyOf(t, f, other, last)
	for seq, sum := range theirs {
		if mine[seq] != sum {
			n++
		}
	}
	return n
}

// copyOf reads a node's copy up to a message.
func copyOf(t *testing.T, f *fleet.Fleet, at *fleet.Centre, last uint64) map[uint64]record.Hash {
	t.Helper()
	out := map[uint64]record.Hash{}
	for seq := uint64(1); seq <= last; seq++ {
		var m *nats.Msg
		await(t, "read a copy", func() (err error) {
			m, err = at.Node().Conn().Request(subjects.StreamCopy(f.Net().JournalStream()), fmt.Appendf(nil, `{"seq":%d}`, seq), time.Second)
			return err
		})
		switch status := m.Header.Get("Status"); status {
		case "":
			out[seq] = sha256.Sum256(m.Data)
		case "404":
		default:
			t.Fatal(errors.New(status))
		}
	}
	return out
}

// fatten makes the journal so large that it has a second block: 9 MB of what does not compress, in one
// chain that gives no points, with many small entries between.
func fatten(t *testing.T, f *fleet.Fleet) {
	t.Helper()
	recs := newChain(f, "0001", "01")
	rnd := rand.NewChaCha8([32]byte{})
	for i := range 18 * 6 {
		body := make([]byte, 100)
		if i%6 == 0 {
			body = make([]byte, record.MaxBody)
		}
		_, _ = rnd.Read(body)
		last := &recs[len(recs)-1]
		h := record.Header{Kind: record.KindSale, Day: 20260105, Rules: 1, Seq: last.Seq + 1, Chain: last.Chain,
			RID: record.NewRID(time.Now()), Prev: last.Hash(), Body: sha256.Sum256(body), BodySize: uint32(len(body))}
		recs = append(recs, record.Receipt{Header: h, Data: body})
		f.Sent().Send(laws.Sale{RID: h.RID, Kind: h.Kind, Body: h.Body, At: f.Store(0).Till(0).Place(), Answered: time.Now()})
		part := recs[len(recs)-1:]
		if i == 0 {
			part = recs
		}
		p := proposalOf("0001", part)
		_, _, err := f.Centre()[0].Node().Replica().Propose(within(t, patience), p.Proposal())
		must(t, err)
	}
}
