package soak

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"tillstream/deploy/laws"
)

var (
	minutes = flag.Float64("minutes", 0, "also run a soak of so many minutes")
	seed    = flag.Uint64("seed", 0, "of that soak; 0: one is drawn")
)

// The command, whole: processes, faults, and all laws at the end. How fast a till answers is a law, and the
// machines that run this may be busy: here it is a wide one.
func TestSoak(t *testing.T) {
	if *minutes == 0 {
		t.Skip("a soak wants both processors for itself: go test ./deploy/soak -run TestSoak -minutes 2, as make test does at its end")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Duration(*minutes*float64(time.Minute))+12*time.Minute)
	defer cancel()
	dir := t.TempDir()
	binary := filepath.Join(dir, "tillstream")
	if out, err := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-o", binary, "tillstream").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	args := []string{"soak", "--minutes", fmt.Sprint(*minutes), "--deadline", "30s", "--dir", filepath.Join(dir, "soak")}
	if *seed != 0 {
		args = append(args, "--seed", fmt.Sprint(*seed))
	}
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = time.Minute
	var out bytes.Buffer
	cmd.Stdout = io.MultiWriter(&out, t.Output())
	cmd.Stderr = cmd.Stdout
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	if !strings.HasPrefix(text, "seed ") || !strings.Contains(text, fmt.Sprintf(": all %d laws hold", len(laws.Laws()))) {
		t.Error("the seed is not printed first, or the laws not at the end")
	}
	// In two minutes each comes up, see TestTwoMinutesHaveEveryFault. One or two may have met a node that was
	// down already, or a centre in which nobody wrote.
	_, counted, _ := strings.Cut(text, "\nfaults ")
	counted, _, _ = strings.Cut(counted, "\n")
	var missing []fault
	for _, w := range everywhere() {
		if !strings.Contains(counted, strings.TrimSuffix(string(w.fault), ",")) {
			missing = append(missing, w.fault)
		}
	}
	if *minutes >= 2 && len(missing) > len(everywhere())/4 {
		t.Errorf("the report does not count %q", missing)
	}
	_, acts, _ := strings.Cut(text, "\nacts ")
	acts, _, _ = strings.Cut(acts, "\n")
	for _, what := range []string{
		"sales paid with points", "points refused while cut off", "holds left to die", "returns where it was sold", "returns beside it",
		"returns in another store", "returns before their sale", "voids",
	} {
		if *minutes >= 2 && !strings.Contains(acts, what) {
			t.Errorf("the report counts no %s", what)
		}
	}
}
