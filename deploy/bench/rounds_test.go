package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"
)

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   float64
	}{
		{nil, 0}, {[]float64{3}, 3}, {[]float64{9, 1}, 5}, {[]float64{9, 1, 2}, 2}, {[]float64{4, 1, 3, 2}, 2.5},
	} {
		in := slices.Clone(c.values)
		if got := median(in); got != c.want {
			t.Errorf("median of %v: got %v, want %v", c.values, got, c.want)
		}
		if !slices.Equal(in, c.values) {
			t.Errorf("median has sorted its argument: %v", in)
		}
	}
}

func TestPercentile(t *testing.T) {
	hundred := make([]time.Duration, 100)
	for i := range hundred {
		hundred[i] = time.Duration(i + 1)
	}
	for _, c := range []struct {
		values []time.Duration
		p      float64
		want   time.Duration
	}{
		{nil, 50, 0}, {hundred[:1], 99, 1}, {hundred, 0, 1}, {hundred, 50, 50}, {hundred, 99, 99}, {hundred, 99.5, 100},
		{hundred, 100, 100}, {hundred[:3], 50, 2}, {hundred[:4], 50, 2}, {hundred[:10], 100, 10},
	} {
		if got := percentile(c.values, c.p); got != c.want {
			t.Errorf("percentile %v of %d values: got %d, want %d", c.p, len(c.values), got, c.want)
		}
	}
}

// The ratio is the median of the rounds' ratios: one round that was disturbed on both sides counts as
// one, and the ratio of the medians would be another number.
func TestResultOfRounds(t *testing.T) {
	r := pairs{{100, 200}, {10, 40}, {90, 100}}.result("x", "things/s", "bare", ratioAtLeast(0.5))
	if r.Value != 90 || r.Baseline != 100 || r.Ratio != 0.5 {
		t.Errorf("got value %v, baseline %v, ratio %v, want 90, 100, 0.5", r.Value, r.Baseline, r.Ratio)
	}
	if got, want := r.goal.says(&r), "at least 0.5 ok"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := ratioAtMost(0.4).says(&r), "at most 0.4 SHORT"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := valueAtMost(90).says(&r), "at most 90 ok"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if r := (pairs{{5, 0}}).result("x", "s", "bare", goal{}); r.Ratio != 0 {
		t.Errorf("a baseline of zero gives ratio %v, want 0", r.Ratio)
	}
}

// Both sides run in every round, and take turns in beginning.
func TestAlternate(t *testing.T) {
	var order string
	side := func(name string, fail int) func(context.Context) (float64, error) {
		n := 0
		return func(context.Context) (float64, error) {
			order += name
			if n++; n == fail {
				return 0, errTest
			}
			return float64(n), nil
		}
	}
	b := &bench{}
	p, err := b.alternate(t.Context(), 3, side("o", 0), side("b", 0))
	if err != nil || order != "obboob" || !slices.Equal(p, pairs{{1, 1}, {2, 2}, {3, 3}}) {
		t.Errorf("got %v, %v in order %s", p, err, order)
	}
	if _, err := b.alternate(t.Context(), 3, side("o", 2), side("b", 0)); !errors.Is(err, errTest) {
		t.Errorf("got %v, want the error of a side", err)
	}
	b.due, b.out = time.Now().Add(-time.Second), t.Output()
	if p, err := b.alternate(t.Context(), 3, side("o", 0), side("b", 0)); err != nil || len(p) != 1 {
		t.Errorf("when time is up: got %d rounds and %v, want one", len(p), err)
	}
}

var errTest = errors.New("a side fails")

func TestFigure(t *testing.T) {
	for x, want := range map[float64]string{0: "0", 1: "1", 0.25: "0.25", 0.31415: "0.314", 12.345: "12.3", 99.96: "100", 1234.5: "1234", 16400: "16400"} {
		if got := figure(x); got != want {
			t.Error(fmt.Errorf("%v: got %q, want %q", x, got, want))
		}
	}
}
