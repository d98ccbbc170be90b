package demo_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"tillstream/deploy/demo"
	"tillstream/deploy/fleet"
	"tillstream/deploy/sales"
)

// fleets bounds how many run at once, whatever -parallel says: a run waits for elections and disks most of
// its time, but a year of receipts takes all the processors there are.
var fleets = make(chan struct{}, 2)

// begin makes a test one of those that run at once.
func begin(t *testing.T) {
	t.Helper()
	t.Parallel()
	select {
	case fleets <- struct{}{}:
		t.Cleanup(func() { <-fleets })
	case <-t.Context().Done():
		t.Fatal(t.Context().Err())
	}
}

// output is what a demo prints, for those who read while it runs.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// command is a run of two stores with two tills each, at full speed, to its end.
func command(t *testing.T) demo.Command {
	t.Helper()
	dir := t.TempDir()
	return demo.Command{
		Generate: 300, Stores: 2, Tills: 2, Speed: "max", Exit: true,
		Data: filepath.Join(dir, "data"), JSON: filepath.Join(dir, "out.json"), Balances: filepath.Join(dir, "out.csv"),
	}
}

func logger(t *testing.T) *slog.Logger { return slog.New(slog.NewTextHandler(t.Output(), nil)) }

// play runs a demo that must end well, and gives its figures and what it printed.
func play(t *testing.T, c demo.Command) (figures map[string]any, printed string) {
	t.Helper()
	var out output
	if err := c.Run(t.Context(), &out, logger(t)); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	b, err := os.ReadFile(c.JSON)
	if err == nil {
		err = json.Unmarshal(b, &figures)
	}
	if err != nil {
		t.Fatal(err)
	}
	return figures, out.String()
}

// wantFigures wants figures to be so.
func wantFigures(t *testing.T, got, want map[string]any) {
	t.Helper()
	for _, k := range slices.Sorted(maps.Keys(want)) {
		w := want[k]
		if n, ok := w.(int); ok {
			w = float64(n)
		}
		if n, ok := w.(int64); ok {
			w = float64(n)
		}
		if got[k] != w {
			t.Errorf("%s: got %v, want %v", k, got[k], w)
		}
	}
}

// wantBalances wants the file to name each customer once, sorted, with what an independent count gives.
func wantBalances(t *testing.T, path string, want map[string]sales.Account) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != len(want)+1 || strings.Join(rows[0], ",") != "customer,points,debt" {
		t.Fatalf("got %d rows under %q, want %d", len(rows)-1, rows[0], len(want))
	}
	rows = rows[1:]
	if !slices.IsSortedFunc(rows, func(a, b []string) int { return strings.Compare(a[0], b[0]) }) {
		t.Error("the customers are not sorted")
	}
	for _, r := range rows {
		w, ok := want[r[0]]
		if !ok || r[1] != strconv.FormatInt(w.Points, 10) || r[2] != strconv.FormatInt(w.Debt, 10) {
			t.Errorf("customer %s: got %s points and %s of debt, want %+v", r[0], r[1], r[2], w)
		}
	}
}

// await waits until done is true.
func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err := fleet.Await(ctx, what, func() error {
		if !done() {
			return errors.New("not yet")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
