package stage

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"tillstream/subjects/event"
)

// Reading is what a node's Metrics say.
type Reading struct {
	Stages map[string]Counts `json:"stages"` // by stage; one that has done nothing is not there
	Parts  []Part            `json:"parts"`  // in the order of an event's way
}

// Counts is what a stage has done since its node started.
type Counts struct {
	In    uint64    `json:"in"`
	Out   uint64    `json:"out"`
	Again uint64    `json:"again"`
	Dead  uint64    `json:"dead"`
	Took  Histogram `json:"took"` // from an event's arrival until its outputs are kept
}

// Part is how long events took from one point to the next.
type Part struct {
	From string    `json:"from"`
	To   string    `json:"to"`
	Took Histogram `json:"took"`
}

// Histogram is how long something took, how often.
type Histogram struct {
	Count   uint64   `json:"count"`
	Sum     float64  `json:"sum"`     // seconds
	Buckets []Bucket `json:"buckets"` // of ascending bounds; what is above the last is in Count only
}

// Bucket is how often it took no longer than a bound.
type Bucket struct {
	Seconds float64 `json:"seconds"`
	Count   uint64  `json:"count"`
}

// Read reads a node's Metrics where they are registered.
func Read(from prometheus.Gatherer) (Reading, error) {
	out := Reading{Stages: map[string]Counts{}, Parts: []Part{}}
	families, err := from.Gather()
	if err != nil {
		return out, fmt.Errorf("read the stages' metrics: %w", err)
	}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			out.take(family.GetName(), m)
		}
	}
	slices.SortFunc(out.Parts, func(a, b Part) int {
		return cmp.Or(cmp.Compare(place(a.From), place(b.From)), cmp.Compare(place(a.To), place(b.To)))
	})
	return out, nil
}

// place is where a point comes on an event's way.
func place(point string) int {
	return slices.IndexFunc(event.Points(), func(p event.Point) bool { return p.String() == point })
}

func (r *Reading) take(name string, m *dto.Metric) {
	label := func(name string) string {
		for _, l := range m.GetLabel() {
			if l.GetName() == name {
				return l.GetValue()
			}
		}
		return ""
	}
	of := label("stage")
	c := r.Stages[of]
	switch name {
	case metricEvents:
		n := uint64(m.GetCounter().GetValue())
		switch label("what") {
		case "in":
			c.In = n
		case "out":
			c.Out = n
		case "again":
			c.Again = n
		case "dead":
			c.Dead = n
		}
	case metricHandled:
		c.Took = histogram(m.GetHistogram())
	case metricPart:
		r.Parts = append(r.Parts, Part{label("from"), label("to"), histogram(m.GetHistogram())})
		return
	default:
		return
	}
	r.Stages[of] = c
}

func histogram(h *dto.Histogram) Histogram {
	out := Histogram{Count: h.GetSampleCount(), Sum: h.GetSampleSum(), Buckets: []Bucket{}}
	for _, b := range h.GetBucket() {
		if !math.IsInf(b.GetUpperBound(), 1) { // JSON has no infinity
			out.Buckets = append(out.Buckets, Bucket{b.GetUpperBound(), b.GetCumulativeCount()})
		}
	}
	return out
}

// Plus gives both together. Histograms of different bounds, from nodes of different versions, give the fuller one.
func (h Histogram) Plus(o Histogram) Histogram {
	switch {
	case !h.like(o) && o.Count > h.Count:
		return o
	case !h.like(o):
		return h
	}
	sum := Histogram{Count: h.Count + o.Count, Sum: h.Sum + o.Sum, Buckets: slices.Clone(h.Buckets)}
	for i := range sum.Buckets {
		sum.Buckets[i].Count += o.Buckets[i].Count
	}
	return sum
}

// Since gives what came after an earlier look at the same histogram; all of it, if its node has started anew since.
func (h Histogram) Since(o Histogram) Histogram {
	if !h.like(o) || h.Count < o.Count {
		return h
	}
	left := Histogram{Count: h.Count - o.Count, Sum: h.Sum - o.Sum, Buckets: slices.Clone(h.Buckets)}
	for i := range left.Buckets {
		if left.Buckets[i].Count < o.Buckets[i].Count {
			return h
		}
		left.Buckets[i].Count -= o.Buckets[i].Count
	}
	return left
}

func (h Histogram) like(o Histogram) bool {
	return slices.EqualFunc(h.Buckets, o.Buckets, func(a, b Bucket) bool { return a.Seconds == b.Seconds })
}

// Quantile gives the seconds that a share of them, 0 to 1, took at most, as finely as the bounds tell: within a
// bucket it goes by its share, as Prometheus does. Infinity: longer than the last bound. False: there are none.
func (h Histogram) Quantile(share float64) (seconds float64, ok bool) {
	if h.Count == 0 {
		return 0, false
	}
	rank := share * float64(h.Count)
	var lower float64
	var below uint64
	for _, b := range h.Buckets {
		if float64(b.Count) >= rank && b.Count > below {
			return lower + (b.Seconds-lower)*(rank-float64(below))/float64(b.Count-below), true
		}
		lower, below = b.Seconds, b.Count
	}
	return math.Inf(1), true
}
