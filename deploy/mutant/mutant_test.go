package mutant

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

var (
	all  = flag.Bool("mutants", false, "apply every change and run the test that must fail then: a quarter of an hour")
	only = flag.String("mutant", "", "apply the changes whose names match this expression")
)

// mayTake bounds one test under a change: one that waits for what cannot come gives up before.
const mayTake = 5 * time.Minute

const root = "../.."

// change gives the changed file's text, or why the change does not fit.
func (m *mutant) change() (string, error) {
	b, err := os.ReadFile(filepath.Join(root, m.file))
	if err != nil {
		return "", err
	}
	if n := strings.Count(string(b), m.old); n != 1 {
		return "", fmt.Errorf("%s has %d places with %q, want one: where is the guard now?", m.file, n, m.old)
	}
	if m.old == m.new {
		return "", errors.New("it changes nothing")
	}
	return strings.Replace(string(b), m.old, m.new, 1), nil
}

// Every guard is where the table says, and every test is there.
func TestMutantsFit(t *testing.T) {
	t.Parallel()
	for _, m := range mutants() {
		if _, err := m.change(); err != nil {
			t.Errorf("%s: %v", m.name, err)
		}
		if !declared(t, filepath.Join(root, m.in), m.test) {
			t.Errorf("%s: there is no %s in %s", m.name, m.test, m.in)
		}
	}
}

// declared reports whether a package has a test.
func declared(t *testing.T, dir, test string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(b), "\nfunc "+test+"(t *testing.T)") {
			return true
		}
	}
	return false
}

// The README's table is this one.
func TestMutantsAreInThePaper(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile(filepath.Join(root, "deploy", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	rest := string(b)
	for _, m := range mutants() {
		row := fmt.Sprintf("| %s | `%s` | `%s` `%s` |", m.name, m.file, m.in, m.test)
		i := strings.Index(rest, row)
		if i < 0 {
			t.Errorf("deploy/README.md does not have, in the table's order:\n%s", row)
			continue
		}
		rest = rest[i:]
	}
}

// With any one guard taken away, the test that is named for it fails.
func TestMutants(t *testing.T) {
	if !*all && *only == "" {
		t.Skip("a quarter of an hour, one change after the other: make mutants")
	}
	match, err := regexp.Compile(*only)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range mutants() {
		if !match.MatchString(m.name) {
			continue
		}
		t.Run(m.name, func(t *testing.T) {
			if m.root && os.Geteuid() != 0 {
				t.Skip("its test needs root, loop devices and mount")
			}
			m.apply(t)
		})
	}
}

// apply compiles the package's tests with the change and runs the one that must fail.
func (m *mutant) apply(t *testing.T) {
	dir := t.TempDir()
	text, err := m.change()
	if err != nil {
		t.Fatal(err)
	}
	source, err := filepath.Abs(filepath.Join(root, m.file))
	if err != nil {
		t.Fatal(err)
	}
	changed, overlay, binary := filepath.Join(dir, "changed.go"), filepath.Join(dir, "overlay.json"), filepath.Join(dir, "tests")
	b, err := json.Marshal(map[string]any{"Replace": map[string]string{source: changed}})
	if err := errors.Join(err, os.WriteFile(changed, []byte(text), 0o600), os.WriteFile(overlay, b, 0o600)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*mayTake)
	defer cancel()
	build := exec.CommandContext(ctx, "go", "test", "-c", "-overlay", overlay, "-o", binary, "./"+m.in)
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("it does not compile: %v\n%s", err, out)
	}
	began := time.Now()
	run := exec.CommandContext(ctx, binary, "-test.run", "^"+m.test+"$", "-test.timeout", mayTake.String())
	run.Dir = filepath.Join(root, m.in)
	out, err := run.CombinedOutput()
	took := time.Since(began).Round(100 * time.Millisecond)
	switch exit := (*exec.ExitError)(nil); {
	case err == nil:
		t.Errorf("%s passes without it", m.test)
	case !errors.As(err, &exit) || !strings.Contains(string(out), "--- FAIL: "+m.test):
		t.Errorf("%s ends otherwise than by failing: %v\n%s", m.test, err, out[:min(len(out), 1000)])
	default:
		t.Logf("| %s | `%s` | `%s` `%s` | %s |", m.name, m.file, m.in, m.test, took)
	}
}
