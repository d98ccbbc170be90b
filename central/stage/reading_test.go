package stage

import (
	"math"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tillstream/subjects"
	"tillstream/subjects/event"
)

// What a node counts is read back as it was counted.
func TestReading(t *testing.T) {
	registry := prometheus.NewRegistry()
	m := NewMetrics(registry)
	m.in(subjects.DEC)
	m.in(subjects.DEC)
	m.again(subjects.DEC)
	m.dead(subjects.TIM)
	m.done(subjects.DEC, 3*time.Millisecond)
	e := event.Envelope{}
	e.Stamps[event.CPP] = time.Unix(100, 0)
	e.Stamps[event.DEC] = time.Unix(102, 0)
	m.out(subjects.DEC, &e, event.DEC)
	e.Stamps[event.BCG] = time.Unix(103, 0)
	m.out(subjects.BCG, &e, event.BCG)

	got, err := Read(registry)
	if err != nil {
		t.Fatal(err)
	}
	dec := got.Stages["dec"]
	if dec.In != 2 || dec.Out != 1 || dec.Again != 1 || dec.Dead != 0 || dec.Took.Count != 1 || dec.Took.Sum != 0.003 {
		t.Errorf("dec: %+v", dec)
	}
	if got.Stages["tim"].Dead != 1 || len(got.Stages) != 3 {
		t.Errorf("stages: %+v", got.Stages)
	}
	if len(got.Parts) != 2 || got.Parts[0].From != "cpp" || got.Parts[0].To != "dec" || got.Parts[1].To != "bcg" || got.Parts[0].Took.Sum != 2 {
		t.Errorf("parts: %+v", got.Parts)
	}
	if q, ok := dec.Took.Quantile(0.5); !ok || q < 0.002 || q > 0.004 {
		t.Errorf("the median is %v, %v", q, ok)
	}
}

func TestHistogram(t *testing.T) {
	at := func(count uint64, sum float64, counts ...uint64) Histogram {
		h := Histogram{Count: count, Sum: sum}
		for i, n := range counts {
			h.Buckets = append(h.Buckets, Bucket{float64(i + 1), n})
		}
		return h
	}
	one, other := at(10, 12, 8, 9), at(10, 30, 0, 10)
	both := one.Plus(other)
	if both.Count != 20 || both.Sum != 42 || both.Buckets[0].Count != 8 || both.Buckets[1].Count != 19 {
		t.Errorf("together: %+v", both)
	}
	if one.Buckets[0].Count != 8 {
		t.Error("adding has changed what was added to")
	}
	for share, want := range map[float64]float64{0.2: 0.5, 0.4: 1, 0.95: 2, 1: math.Inf(1)} {
		if got, ok := both.Quantile(share); !ok || math.Abs(got-want) > 1e-9 && got != want {
			t.Errorf("the %v quantile is %v, want %v", share, got, want)
		}
	}
	if left := both.Since(one); left.Count != 10 || left.Buckets[0].Count != 0 || left.Buckets[1].Count != 10 {
		t.Errorf("since: %+v", left)
	}
	if left := one.Since(both); left.Count != one.Count {
		t.Errorf("after a node has started anew: %+v", left)
	}
	if left := (Histogram{}).Plus(one); left.Count != one.Count {
		t.Errorf("with none: %+v", left)
	}
	if _, ok := (Histogram{}).Quantile(0.5); ok {
		t.Error("nothing has a median")
	}
}
