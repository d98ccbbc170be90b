package bench

import (
	"context"
	"slices"
	"time"
)

// pair is what one round gave: ours and the baseline's, in the same unit.
type pair struct{ ours, base float64 }

// pairs are the rounds of a comparison.
type pairs []pair

// result makes a row: medians of both sides, and the median of the rounds' ratios. The ratio of the
// medians would compare a good moment of one with a bad moment of the other.
func (p pairs) result(name, unit, baseline string, g goal) Result {
	ours, base, ratios := make([]float64, len(p)), make([]float64, len(p)), make([]float64, 0, len(p))
	for i, r := range p {
		ours[i], base[i] = r.ours, r.base
		if r.base != 0 {
			ratios = append(ratios, r.ours/r.base)
		}
	}
	return Result{
		Name: name, Value: median(ours), Unit: unit,
		BaselineName: baseline, Baseline: median(base), Ratio: median(ratios), goal: g,
	}
}

// median is the middle value, or the mean of the two in the middle; zero of none.
func median(values []float64) float64 {
	s := slices.Sorted(slices.Values(values))
	n := len(s)
	switch {
	case n == 0:
		return 0
	case n%2 == 1:
		return s[n/2]
	}
	return (s[n/2-1] + s[n/2]) / 2
}

// percentile is the least value that p of 100 do not exceed (nearest rank); zero of none.
func percentile(sorted []time.Duration, p float64) time.Duration {
	n := len(sorted)
	if n == 0 {
		return 0
	}
	rank := int(float64(n)*p/100 + 0.9999999)
	return sorted[min(max(rank, 1), n)-1]
}

// mean of none is zero.
func mean(values []time.Duration) time.Duration {
	if len(values) == 0 {
		return 0
	}
	var sum time.Duration
	for _, v := range values {
		sum += v
	}
	return sum / time.Duration(len(values))
}

// rate is things a second.
func rate(n int, d time.Duration) float64 { return float64(n) / max(d.Seconds(), 1e-9) }

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// alternate runs ours and base in turn. Which of them begins changes from round to round, so that
// neither always finds the disk as the other has left it. When the part's time is up there are no more
// rounds.
func (b *bench) alternate(ctx context.Context, rounds int, ours, base func(context.Context) (float64, error)) (pairs, error) {
	var out pairs
	for i := range rounds {
		if i > 0 && b.late() {
			b.note("%d of %d rounds: time is up", i, rounds)
			break
		}
		var p pair
		var err error
		steps := []struct {
			to  *float64
			run func(context.Context) (float64, error)
		}{{&p.ours, ours}, {&p.base, base}}
		if i%2 == 1 {
			slices.Reverse(steps)
		}
		for _, s := range steps {
			if *s.to, err = s.run(ctx); err != nil {
				return out, err
			}
		}
		out = append(out, p)
	}
	return out, nil
}

// percentiles compares how long things take that are done many times a round, by p50 and p99 of each round.
func (b *bench) percentiles(ctx context.Context, ours, base func(context.Context) ([]time.Duration, error)) (p50, p99 pairs, err error) {
	var tails [2][]float64
	timed := func(of int, take func(context.Context) ([]time.Duration, error)) func(context.Context) (float64, error) {
		return func(ctx context.Context) (float64, error) {
			took, err := take(ctx)
			slices.Sort(took)
			tails[of] = append(tails[of], micros(percentile(took, 99)))
			return micros(percentile(took, 50)), err
		}
	}
	p50, err = b.alternate(ctx, b.rounds, timed(0, ours), timed(1, base))
	for i := range p50 {
		p99 = append(p99, pair{tails[0][i], tails[1][i]})
	}
	return p50, p99, err
}

// late reports whether the part has taken as long as it should.
func (b *bench) late() bool { return !b.due.IsZero() && time.Now().After(b.due) }
