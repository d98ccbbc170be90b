package bench

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime/pprof"
	"slices"
	"strings"
	"time"
)

// tierLabel is the profile label under which a till's or a store's goroutines run.
const tierLabel = "tier"

// stage says where a function's CPU is spent. Of a stack the innermost function with a stage counts, so
// what a stage calls in packages without one (codecs, hashes, bbolt) is its own.
type stage struct {
	prefix string // of the function's name
	name   string // "*" stands for the tier
}

func stageTable() []stage {
	const ours = "tillstream/"
	return []stage{
		{ours + "edge/api.", "* answers, JSON"},
		{ours + "edge/journal.", "* journal"},
		{ours + "edge/cache.", "* cache"},
		{ours + "edge/feed.", "* feed"},
		{ours + "edge/uplink.", "* uplink"},
		{ours + "central/ingest.", "centre ingest"},
		{ours + "central/books.(*Books).Apply", "centre apply"},
		{ours + "central/replica.(*Replica).read", "centre journal reader"},
		{ours + "central/replica.(*Replica).write", "centre writer"},
		{ours + "central/replica.(*Replica).append", "centre writer"},
		{ours + "central/replica.(*Replica).advance", "centre apply"},
		{ours + "central/replica.(*history)", "centre history"},
		{ours + "central/replica.(*Replica).flush", "centre history"},
		{ours + "central/replica.(*Replica).save", "centre snapshot"},
		{ours + "central/replica.", "centre replica, rest"},
		{ours + "central.(*announcer)", "centre posted events"},
		{ours + "central/feed.", "centre feed"},
		{ours + "central/flow/", "flow's components"},
		{ours + "central/stage.", "flow's stages"},
		{ours + "subjects/event.", "flow's headers, JSON"},
		{ours + "subjects/service.", "flow's questions"},
		{ours + "kv.", "flow's buckets"},
		{ours + "deploy/relay.", "fleet's relays"},
		{ours + "deploy/", "driver"},
	}
}

// outer are stages of stacks in which nothing of ours is.
func outer() []stage {
	return []stage{
		{"runtime.gcBgMarkWorker", "garbage collection"},
		{"runtime.bgsweep", "garbage collection"},
		{"runtime.bgscavenge", "garbage collection"},
		{"github.com/nats-io/nats-server/", "* NATS server"},
		{"github.com/nats-io/nats.go", "* NATS client"},
		{"net/http.", "* HTTP"},
	}
}

// stageOf names the stage of a sample.
func stageOf(s *sample) string {
	tier := cmp.Or(s.tier, "centre")
	for _, f := range s.stack {
		for _, st := range stageTable() {
			if strings.HasPrefix(f, st.prefix) {
				return strings.Replace(st.name, "*", tier, 1)
			}
		}
	}
	for _, st := range outer() {
		for _, f := range s.stack {
			if strings.HasPrefix(f, st.prefix) {
				return strings.Replace(st.name, "*", tier, 1)
			}
		}
	}
	return "scheduler, rest"
}

// stages runs work, which gives its number of receipts, or of events of the flow, under a CPU profile, and gives the CPU
// per receipt by stage. The sum is the process's own count; the profile shares it out.
func (b *bench) stages(ctx context.Context, name string, work func(context.Context) (int, error)) ([]Result, error) {
	if b.late() {
		b.note("no CPU by stage: time is up")
		return nil, nil
	}
	var profile bytes.Buffer
	if err := pprof.StartCPUProfile(&profile); err != nil {
		b.note("no CPU by stage: %v", err) // somebody else profiles this process
		return nil, nil
	}
	before := cpuTime()
	receipts, err := work(ctx)
	used := cpuTime() - before
	pprof.StopCPUProfile()
	if err = errors.Join(err, b.keepProfiles(name, profile.Bytes())); err != nil || used == 0 {
		return nil, err
	}
	samples, err := readProfile(profile.Bytes())
	if err != nil {
		return nil, err
	}
	return shareOut(name, used, receipts, samples), nil
}

// shareOut makes rows of a profile, the most expensive stage first, and their sum before all.
func shareOut(name string, used time.Duration, receipts int, samples []sample) []Result {
	weights, all := map[string]int64{}, int64(0)
	for i := range samples {
		weights[stageOf(&samples[i])] += samples[i].weight
		all += samples[i].weight
	}
	const unit = "us CPU/receipt"
	each := micros(used) / float64(max(receipts, 1))
	rows := []Result{{Name: name + "_cpu", Value: each, Unit: unit, detail: true}}
	names := slices.SortedFunc(maps.Keys(weights), func(a, b string) int {
		return cmp.Or(cmp.Compare(weights[b], weights[a]), cmp.Compare(a, b))
	})
	for _, n := range names {
		rows = append(rows, Result{
			Name: name + "_cpu: " + n, Value: each * float64(weights[n]) / float64(max(all, 1)), Unit: unit, detail: true,
		})
	}
	return rows
}

// keepProfiles writes the profiles if asked for; the one of allocations counts since the process began.
func (b *bench) keepProfiles(name string, cpu []byte) error {
	if b.cmd.Profiles == "" {
		return nil
	}
	var allocs bytes.Buffer
	if err := pprof.Lookup("allocs").WriteTo(&allocs, 0); err != nil {
		return fmt.Errorf("write profile: %w", err)
	}
	for kind, data := range map[string][]byte{"cpu": cpu, "allocs": allocs.Bytes()} {
		if err := os.WriteFile(filepath.Join(b.cmd.Profiles, name+"."+kind+".pprof"), data, 0o644); err != nil {
			return fmt.Errorf("write profile: %w", err)
		}
	}
	return nil
}
