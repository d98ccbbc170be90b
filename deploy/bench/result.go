package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"text/tabwriter"
)

// Result is one row. The fields with JSON names are what --json writes.
type Result struct {
	Name         string  `json:"name"`
	Value        float64 `json:"value"` // median of the rounds
	Unit         string  `json:"unit"`
	BaselineName string  `json:"baseline_name"` // empty: nothing to compare with
	Baseline     float64 `json:"baseline"`      // in the same unit, median of the rounds
	Ratio        float64 `json:"ratio"`         // value to baseline, median of the rounds' ratios

	goal   goal
	detail bool // belongs in the second table
}

// goal is what a row should reach.
type goal struct {
	of     goalOf
	atMost bool
	bound  float64
}

type goalOf int

const (
	noGoal goalOf = iota
	ofValue
	ofRatio
)

func valueAtMost(x float64) goal  { return goal{ofValue, true, x} }
func valueAtLeast(x float64) goal { return goal{ofValue, false, x} }
func ratioAtMost(x float64) goal  { return goal{ofRatio, true, x} }
func ratioAtLeast(x float64) goal { return goal{ofRatio, false, x} }

// says gives the goal and whether the row reaches it, as the table has it.
func (g goal) says(r *Result) string {
	if g.of == noGoal {
		return ""
	}
	got := r.Value
	if g.of == ofRatio {
		got = r.Ratio
	}
	sign, met := "at least", got >= g.bound
	if g.atMost {
		sign, met = "at most", got <= g.bound
	}
	verdict := "ok"
	if !met {
		verdict = "SHORT"
	}
	return fmt.Sprintf("%s %s %s", sign, figure(g.bound), verdict)
}

// figure writes a number with three digits that count, or all that stand before the point.
func figure(x float64) string {
	switch {
	case x >= 100 || x <= -100:
		return strconv.FormatFloat(x, 'f', 0, 64)
	case x == float64(int64(x)):
		return strconv.FormatInt(int64(x), 10)
	}
	return strconv.FormatFloat(x, 'g', 3, 64)
}

// printTables prints what was asked, and below it what it is made of.
func printTables(w io.Writer, results []Result) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "name\tvalue\tunit\tbaseline\t\tratio\tgoal") // a tabwriter keeps its first error for Flush
	for i := range results {
		r := &results[i]
		if r.detail {
			continue
		}
		baseline, ratio := "", ""
		if r.BaselineName != "" {
			baseline, ratio = figure(r.Baseline), figure(r.Ratio)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.Name, figure(r.Value), r.Unit, baseline, r.BaselineName, ratio, r.goal.says(r))
	}
	more := false
	for i := range results {
		if r := &results[i]; r.detail {
			if !more {
				fmt.Fprintln(t)
			}
			more = true
			fmt.Fprintf(t, "%s\t%s\t%s\n", r.Name, figure(r.Value), r.Unit)
		}
	}
	return t.Flush()
}

func writeJSON(path string, results []Result) error {
	if results == nil {
		results = []Result{}
	}
	b, err := json.MarshalIndent(results, "", "  ")
	if err != nil {
		return fmt.Errorf("write results: %w", err)
	}
	if err := os.WriteFile(path, append(b, '\n'), 0o644); err != nil {
		return fmt.Errorf("write results: %w", err)
	}
	return nil
}
