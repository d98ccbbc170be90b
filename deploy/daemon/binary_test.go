package daemon_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"tillstream/deploy/fleet"
	"tillstream/deploy/sales"
)

// build builds the binary as a shell would run it.
func build(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tillstream")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", path, "tillstream").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return path
}

// process is a daemon that runs.
type process struct {
	t    *testing.T
	cmd  *exec.Cmd
	up   string // its line "... is up"
	read sync.WaitGroup
}

// start runs a daemon until it says that it is up.
func start(t *testing.T, binary string, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.CommandContext(t.Context(), binary, args...)}
	log, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	up := make(chan string, 1)
	p.read.Go(func() {
		defer close(up)
		for lines := bufio.NewScanner(log); lines.Scan(); {
			t.Log(lines.Text())
			if strings.Contains(lines.Text(), "is up") {
				up <- lines.Text()
			}
		}
	})
	p.up = <-up
	if p.up == "" {
		t.Fatalf("%s has ended: %v", strings.Join(args, " "), p.wait())
	}
	return p
}

// says gives what the line says of a key.
func (p *process) says(key string) string {
	p.t.Helper()
	m := regexp.MustCompile(` ` + key + `=(\S+)`).FindStringSubmatch(p.up)
	if m == nil {
		p.t.Fatalf("no %s in %q", key, p.up)
	}
	return m[1]
}

func (p *process) wait() error {
	p.read.Wait()
	return p.cmd.Wait()
}

// stop asks as systemd does, and wants the status of a success.
func (p *process) stop() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	if err := p.wait(); err != nil {
		p.t.Errorf("after SIGTERM: %v", err)
	}
}

// The example configurations, run as processes: a receipt given to the till comes to the books, and
// central ops find it there.
func TestProcesses(t *testing.T) {
	t.Parallel()
	binary, s := build(t), newSite(t)
	anyPort := func(node string, settings ...string) {
		for _, k := range settings {
			s.change(node+".yaml", k, "127.0.0.1:0")
		}
	}
	anyPort("central", "127.0.0.1:7422", "127.0.0.1:8470")
	centre := start(t, binary, "central", "--config", s.path("central.yaml"))

	anyPort("store", "127.0.0.1:8372", "127.0.0.1:7423")
	s.change("store.yaml", "127.0.0.1:7422", centre.says("stores_join"))
	store := start(t, binary, "edge", "--config", s.path("store.yaml"))

	anyPort("till", "127.0.0.1:8371")
	s.change("till.yaml", "127.0.0.1:7423", store.says("tills_join"))
	till := start(t, binary, "--log-level", "debug", "edge", "--config", s.path("till.yaml"))

	r := sales.Generate(1, 1, time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC))[0]
	a, err := fleet.Post(t.Context(), http.DefaultClient, till.says("pos"), r.Return, r.RID, r.Body("0042", "01", "2000017"))
	if err != nil || !a.Kept() {
		t.Fatalf("sell: %v, %d %s", err, a.Status, a.Body)
	}
	account := []string{"ops", "--centre", centre.says("admin"), "books", "account", "2000017", "--not-before", "2"}
	eventually(t, r.RID.String(), binary, account...)
	till.stop()
	store.stop()
	centre.stop()
}

// eventually runs a command until it succeeds and prints a text.
func eventually(t *testing.T, text, binary string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		out, err := exec.CommandContext(ctx, binary, args...).CombinedOutput()
		if err == nil && strings.Contains(string(out), text) {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%s: %v, without %q:\n%s", strings.Join(args, " "), err, text, out)
		}
	}
}

// Errors are one message on standard error and status 1; help and version are no errors.
func TestStatus(t *testing.T) {
	t.Parallel()
	binary := build(t)
	for _, c := range []struct {
		args   []string
		status int
		stdout string
		stderr string
	}{
		{[]string{"--version"}, 0, "\n", ""},
		{[]string{"--help"}, 0, "Usage: tillstream", ""},
		{nil, 1, "", "tillstream: expected one of"},
		{[]string{"sell"}, 1, "", "tillstream: unexpected argument sell"},
		{[]string{"edge"}, 1, "", "tillstream: missing flags: --config=FILE"},
		{[]string{"--log-level", "loud", "ops", "status"}, 1, "", "--log-level"},
		{[]string{"edge", "--config", "gone.yaml", "--check"}, 1, "", "tillstream: read configuration: open gone.yaml"},
	} {
		cmd := exec.CommandContext(t.Context(), binary, c.args...)
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		err := cmd.Run()
		if exit, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok || ok && exit.ExitCode() != c.status || !ok && c.status != 0 {
			t.Errorf("%v: got %v, want status %d", c.args, err, c.status)
		}
		if !strings.Contains(stdout.String(), c.stdout) || c.stdout == "" && stdout.Len() > 0 {
			t.Errorf("%v: standard output is %q, want %q", c.args, &stdout, c.stdout)
		}
		if !strings.Contains(stderr.String(), c.stderr) || c.stderr == "" && stderr.Len() > 0 {
			t.Errorf("%v: standard error is %q, want %q", c.args, &stderr, c.stderr)
		}
	}
}
