package trial_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"
)

var (
	images = flag.Int("images", 6, "how many images power cuts leave, over till, store and centre")
	again  = flag.Bool("again", false, "for tests only: this process was started by a test, to run that test alone")
)

// apart runs the calling test again in a process of its own, and reports whether this is that process.
func apart(t *testing.T, attr *syscall.SysProcAttr, env ...string) bool {
	t.Helper()
	t.Parallel()
	if *again {
		return true
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.parallel=4",
		"-again", fmt.Sprintf("-images=%d", *images))
	var said bytes.Buffer
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout = io.MultiWriter(t.Output(), &said)
	cmd.Stderr, cmd.SysProcAttr = cmd.Stdout, attr
	err := cmd.Run()
	switch {
	case errors.Is(err, os.ErrPermission):
		t.Skipf("no process of its own: %v", err)
	case err != nil:
		t.Errorf("in a process of its own: %v", err)
	case bytes.Contains(said.Bytes(), []byte("--- SKIP: "+t.Name())):
		t.Skip("skipped in a process of its own, which says why")
	}
	return false
}
