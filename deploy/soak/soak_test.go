package soak

import (
	"bytes"
	"context"
	"flag"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

var whole = flag.Bool("whole", false, "also run a soak of half a minute")

// The command, whole: processes, faults, and all laws at the end.
func TestSoak(t *testing.T) {
	if !*whole {
		t.Skip("a soak takes three quarters of a minute and both processors: go test ./deploy/soak -whole, or make soak")
	}
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	dir := t.TempDir()
	binary := filepath.Join(dir, "tillstream")
	if out, err := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-o", binary, "tillstream").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	cmd := exec.CommandContext(ctx, binary, "soak", "--minutes", "0.5", "--seed", "5", "--stores", "2", "--tills", "1", "--rate", "60",
		"--dir", filepath.Join(dir, "soak"))
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = time.Minute
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	t.Log(out.String())
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(out.String(), "seed 5") || !strings.Contains(out.String(), "seed 5: all 14 laws hold") {
		t.Error("the seed is not printed first, or the laws not at the end")
	}
}
