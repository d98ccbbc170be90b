package bench

import (
	"bytes"
	"context"
	"crypto/sha256"
	"runtime/pprof"
	"slices"
	"strings"
	"testing"
	"time"
)

// What runtime/pprof writes is read: functions from the inside out, the label of the goroutine, and
// nanoseconds. (It fails while the test itself is profiled with -cpuprofile.)
func TestReadProfile(t *testing.T) {
	var b bytes.Buffer
	if err := pprof.StartCPUProfile(&b); err != nil {
		t.Skip(err)
	}
	deadline := time.Now().Add(300 * time.Millisecond)
	pprof.Do(t.Context(), pprof.Labels(tierLabel, "till"), func(context.Context) { burn(deadline) })
	pprof.StopCPUProfile()
	samples, err := readProfile(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	var found int64
	for _, s := range samples {
		at := slices.IndexFunc(s.stack, func(f string) bool { return strings.HasSuffix(f, "bench.burn") })
		if at < 0 || s.tier != "till" {
			continue
		}
		if !slices.ContainsFunc(s.stack[at:], func(f string) bool { return strings.HasSuffix(f, "bench.TestReadProfile") }) {
			t.Errorf("burn is not called by the test in %v", s.stack)
		}
		found += s.weight
	}
	if found < int64(10*time.Millisecond) {
		t.Errorf("burn took %s of CPU in %d samples, it ran for 300 ms", time.Duration(found), len(samples))
	}
}

//go:noinline
func burn(until time.Time) {
	data := make([]byte, 1<<16)
	for time.Now().Before(until) {
		sum := sha256.Sum256(data)
		copy(data, sum[:])
	}
}

func TestReadProfileRefusesRubbish(t *testing.T) {
	for _, data := range []string{"", "no gzip", "\x1f\x8b"} {
		if _, err := readProfile([]byte(data)); err == nil {
			t.Errorf("%q was read", data)
		}
	}
	for _, message := range []string{"\xff", "\x0a\x05ab", "\x09\x01", "\x0b"} {
		if err := fields([]byte(message), func(int, uint64, []byte) error { return nil }); err == nil {
			t.Errorf("message %q was read", message)
		}
	}
}

// The innermost function with a stage counts, and the rest is shared by who runs it.
func TestStageOf(t *testing.T) {
	for _, c := range []struct {
		tier  string
		stack []string
		want  string
	}{
		{"till", []string{"crypto/sha256.block", "tillstream/edge/journal.(*Journal).Commit", "tillstream/edge/api.(*API).keep"}, "till journal"},
		{"store", []string{"go.etcd.io/bbolt.(*DB).Update", "tillstream/edge/cache.(*Cache).Apply", "tillstream/edge/feed.(*Follower).pull"}, "store cache"},
		{"", []string{"tillstream/central/books.(*step).pack", "tillstream/central/books.(*Books).Apply", "tillstream/central/replica.(*Replica).advance"}, "centre apply"},
		{"", []string{"syscall.Pwrite", "os.(*File).WriteAt", "tillstream/central/replica.(*history).flushInTurn", "tillstream/central/replica.(*Replica).flush"}, "centre history"},
		{"store", []string{"runtime.memmove", "github.com/nats-io/nats-server/v2/server.(*client).readLoop"}, "store NATS server"},
		{"", []string{"runtime.scanObject", "runtime.gcBgMarkWorker.func2", "runtime.systemstack", "runtime.gcBgMarkWorker"}, "garbage collection"},
		{"", []string{"runtime.futex", "runtime.mcall"}, "scheduler, rest"},
	} {
		if got := stageOf(&sample{stack: c.stack, tier: c.tier}); got != c.want {
			t.Errorf("%s %v: got %q, want %q", c.tier, c.stack, got, c.want)
		}
	}
}

func TestShareOut(t *testing.T) {
	journal := sample{stack: []string{"tillstream/edge/journal.(*Journal).work"}, tier: "till", weight: 30}
	idle := sample{stack: []string{"runtime.mcall"}, weight: 10}
	rows := shareOut("chain", 4*time.Millisecond, 100, []sample{idle, journal})
	want := []Result{
		{Name: "chain_cpu", Value: 40, Unit: "us CPU/receipt", detail: true},
		{Name: "chain_cpu: till journal", Value: 30, Unit: "us CPU/receipt", detail: true},
		{Name: "chain_cpu: scheduler, rest", Value: 10, Unit: "us CPU/receipt", detail: true},
	}
	if !slices.Equal(rows, want) {
		t.Errorf("got %+v, want %+v", rows, want)
	}
}
