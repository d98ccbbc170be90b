package bench

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// Two cheap parts, run as a shell would: every row is in the table and in the file, and nothing is left
// behind.
func TestQuick(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "results.json")
	c := Command{Only: []string{"till_commit", "lone"}, JSON: path, Quick: true, Rounds: 1, Dir: dir}
	var out bytes.Buffer
	err := c.Run(t.Context(), &out, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if errors.Is(err, errInMemory) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var rows []Result
	if err := json.Unmarshal(data, &rows); err != nil {
		t.Fatal(err)
	}
	want := []string{"till_commit_1", "till_commit_1_rate", "till_commit_8", "till_commit_8_to_lone", "till_commit_8_rate",
		"lone_answered_p50", "lone_answered_p99", "lone_posted_p50", "lone_posted_p99"}
	var got []string
	for _, r := range rows {
		got = append(got, r.Name)
		if r.Value <= 0 || r.Unit == "" || (r.BaselineName == "") != (r.Ratio == 0) {
			t.Errorf("row %+v", r)
		}
		if !strings.Contains(out.String(), r.Name) {
			t.Errorf("%s is not in the table:\n%s", r.Name, &out)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got rows %v, want %v", got, want)
	}
	left, err := filepath.Glob(filepath.Join(dir, "tillstream-bench-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// The flow runs on a cluster of three, and each event is written six times and given to four stages.
func TestFlow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "results.json")
	c := Command{Only: []string{"flow"}, JSON: path, Quick: true, Rounds: 1, Dir: t.TempDir()}
	err := c.Run(t.Context(), t.Output(), slog.New(slog.NewTextHandler(t.Output(), nil)))
	if errors.Is(err, errInMemory) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var rows []Result
	if err := json.Unmarshal(data, &rows); err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, r := range rows {
		got[r.Name] = r.Value
	}
	if got["flow"] <= 0 || got["flow_publishes"] < 6 || got["flow_deliveries"] < 4 {
		t.Errorf("got %v, want 6 publishes and 4 deliveries an event, or hardly more", got)
	}
}

func TestPricing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "results.json")
	c := Command{Only: []string{"pricing"}, JSON: path, Quick: true, Rounds: 1, Dir: t.TempDir()}
	if err := c.Run(t.Context(), t.Output(), slog.New(slog.NewTextHandler(t.Output(), nil))); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var rows []Result
	if err := json.Unmarshal(data, &rows); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range rows {
		if got = append(got, r.Name); r.Value <= 0 {
			t.Errorf("row %+v", r)
		}
	}
	if want := []string{"pricing", "pricing_allocations", "pricing_allocated", "pricing_1114_lines", "pricing_10000_idle"}; !slices.Equal(got, want) {
		t.Errorf("got rows %v, want %v", got, want)
	}
}

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		cmd  Command
		want string // part of the error; empty: none
	}{
		{Command{}, ""},
		{Command{Only: names(), Rounds: 100}, ""},
		{Command{Only: []string{"chain", "chair"}}, "--only chair: there is no such part; there are pricing, "},
		{Command{Rounds: 101}, "--rounds 101: want 1 to 100"},
		{Command{Rounds: -1}, "--rounds -1"},
	} {
		err := c.cmd.check()
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: got %v, want %q", c.cmd, err, c.want)
		}
	}
}

// The help of --only names every part, in their order.
func TestHelpNamesParts(t *testing.T) {
	f, _ := reflect.TypeFor[Command]().FieldByName("Only")
	if want := strings.Join(names(), ", "); !strings.Contains(f.Tag.Get("help"), want+".") {
		t.Errorf("help is %q, want it to name %s", f.Tag.Get("help"), want)
	}
}

// The keys of a row are those that others read.
func TestResultJSON(t *testing.T) {
	b, err := json.Marshal(Result{Name: "chain", Value: 5000, Unit: "receipts/s", BaselineName: "bare", Baseline: 20000, Ratio: 0.25})
	const want = `{"name":"chain","value":5000,"unit":"receipts/s","baseline_name":"bare","baseline":20000,"ratio":0.25}`
	if err != nil || string(b) != want {
		t.Errorf("got %s, %v, want %s", b, err, want)
	}
}
