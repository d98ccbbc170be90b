package ops

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"tillstream/central/gateway"
	"tillstream/central/stage"
)

// FlowTable is how the flow of a centre stands: lag and dead letters of all of it, rates and latencies of the nodes
// that were asked.
type FlowTable struct {
	At      time.Time   `json:"at"`
	Nodes   []string    `json:"nodes"`   // that answered
	Events  uint64      `json:"events"`  // that the stream keeps
	Over    float64     `json:"over"`    // seconds from the look before to this one
	Latency string      `json:"latency"` // of which time it is
	Stages  []FlowRow   `json:"stages"`
	Parts   []PartOfWay `json:"parts"`
}

// FlowRow is one stage. Rates are events a second.
type FlowRow struct {
	Stage       string     `json:"stage"`
	In          float64    `json:"in"`
	Out         float64    `json:"out"`
	Again       float64    `json:"again"` // errors, after which an event is tried again
	Pending     uint64     `json:"pending"`
	UnderWay    int        `json:"under_way"`
	Oldest      float64    `json:"oldest_seconds"` // age of the oldest event that is not done
	OldestID    string     `json:"oldest_event,omitempty"`
	Took        Latency    `json:"took"`
	DeadLetters uint64     `json:"dead_letters"`
	PausedUntil *time.Time `json:"paused_until,omitempty"`
}

// PartOfWay is how long events took from one point of their way to the next.
type PartOfWay struct {
	From string  `json:"from"`
	To   string  `json:"to"`
	Took Latency `json:"took"`
}

// Latency is in milliseconds. What took longer than the last bound of the nodes' histograms counts as that.
type Latency struct {
	Count uint64  `json:"count"`
	P50   float64 `json:"p50"`
	P90   float64 `json:"p90"`
	P99   float64 `json:"p99"`
}

func latency(h stage.Histogram) Latency {
	at := func(share float64) float64 {
		s, ok := h.Quantile(share)
		if !ok || len(h.Buckets) == 0 {
			return 0
		}
		if math.IsInf(s, 1) {
			s = h.Buckets[len(h.Buckets)-1].Seconds
		}
		return s * 1000
	}
	return Latency{h.Count, at(0.5), at(0.9), at(0.99)}
}

// tabulate makes a table of what the nodes said. Rates are since the look before; latencies since another, or since
// the nodes started if that is nil.
func tabulate(since, before, now *flowLook) FlowTable {
	first := &now.nodes[0]
	t := FlowTable{At: first.At, Events: first.Events, Latency: "since the nodes started", Parts: []PartOfWay{}}
	if since != nil && since != now {
		t.Latency = fmt.Sprintf("of the last %v", now.at.Sub(since.at).Round(time.Second))
	}
	for i := range now.nodes {
		t.Nodes = append(t.Nodes, now.nodes[i].Node)
	}
	if was := before.node(first.Node); was != nil {
		t.Over = first.At.Sub(was.At).Seconds()
	}
	for i := range first.Stages {
		t.Stages = append(t.Stages, flowRow(&first.Stages[i], since, before, now))
	}
	for i := range now.nodes {
		for _, p := range now.nodes[i].Parts {
			if !slices.ContainsFunc(t.Parts, func(o PartOfWay) bool { return o.From == p.From && o.To == p.To }) {
				t.Parts = append(t.Parts, PartOfWay{From: p.From, To: p.To})
			}
		}
	}
	for i := range t.Parts {
		p := &t.Parts[i]
		p.Took = latency(merged(since, now, func(f *gateway.Flow) stage.Histogram { return partOf(f, p.From, p.To) }))
	}
	return t
}

func (l *flowLook) node(name string) *gateway.Flow {
	for i := range l.nodes {
		if l.nodes[i].Node == name {
			return &l.nodes[i]
		}
	}
	return nil
}

func flowRow(s *gateway.FlowStage, since, before, now *flowLook) FlowRow {
	row := FlowRow{
		Stage: s.Stage, Pending: s.Pending, UnderWay: s.UnderWay, DeadLetters: s.DeadLetters, PausedUntil: s.PausedUntil,
		Took: latency(merged(since, now, func(f *gateway.Flow) stage.Histogram { return countsOf(f, s.Stage).Took })),
	}
	if s.Oldest != nil {
		row.Oldest, row.OldestID = s.Oldest.Age, s.Oldest.ID
	}
	for i := range now.nodes {
		n := &now.nodes[i]
		was := before.node(n.Node)
		if was == nil || !n.At.After(was.At) {
			continue
		}
		a, b, over := countsOf(was, s.Stage), countsOf(n, s.Stage), n.At.Sub(was.At).Seconds()
		row.In += float64(counted(b.In, a.In)) / over
		row.Out += float64(counted(b.Out, a.Out)) / over
		row.Again += float64(counted(b.Again, a.Again)) / over
	}
	return row
}

// counted is what a counter has counted; one that is lower than before has begun anew.
func counted(now, was uint64) uint64 {
	if now < was {
		return now
	}
	return now - was
}

// merged puts the nodes' histograms together.
func merged(since, now *flowLook, of func(*gateway.Flow) stage.Histogram) (sum stage.Histogram) {
	for i := range now.nodes {
		h := of(&now.nodes[i])
		if since != nil && since != now {
			if was := since.node(now.nodes[i].Node); was != nil {
				h = h.Since(of(was))
			}
		}
		sum = sum.Plus(h)
	}
	return sum
}

func countsOf(f *gateway.Flow, name string) stage.Counts {
	for i := range f.Stages {
		if f.Stages[i].Stage == name {
			return f.Stages[i].Counts
		}
	}
	return stage.Counts{}
}

func partOf(f *gateway.Flow, from, to string) stage.Histogram {
	for i := range f.Parts {
		if f.Parts[i].From == from && f.Parts[i].To == to {
			return f.Parts[i].Took
		}
	}
	return stage.Histogram{}
}

func printFlow(b *bytes.Buffer, table *FlowTable) {
	fmt.Fprintf(b, "%s  %s  %d events kept\n\n", table.At.Format(time.RFC3339), strings.Join(table.Nodes, " "), table.Events)
	t := newTable(b)
	t.row("STAGE", "IN/S", "OUT/S", "AGAIN/S", "PENDING", "UNDER WAY", "OLDEST", "P50", "P90", "P99", "DEAD", "PAUSED UNTIL")
	for _, s := range table.Stages {
		until := "-"
		if s.PausedUntil != nil {
			until = s.PausedUntil.Format(time.RFC3339)
		}
		oldest := "-"
		if s.Pending > 0 || s.UnderWay > 0 || s.OldestID != "" {
			oldest = (time.Duration(s.Oldest*1000) * time.Millisecond).Round(100 * time.Millisecond).String()
		}
		t.row(s.Stage, rate(s.In), rate(s.Out), rate(s.Again), s.Pending, s.UnderWay, oldest, millis(s.Took, s.Took.P50),
			millis(s.Took, s.Took.P90), millis(s.Took, s.Took.P99), s.DeadLetters, until)
	}
	t.end()
	if len(table.Parts) > 0 {
		b.WriteString("\n")
		t = newTable(b)
		t.row("FROM", "TO", "EVENTS", "P50", "P90", "P99")
		for _, p := range table.Parts {
			t.row(p.From, p.To, p.Took.Count, millis(p.Took, p.Took.P50), millis(p.Took, p.Took.P90), millis(p.Took, p.Took.P99))
		}
		t.end()
	}
	fmt.Fprintf(b, "\nlatency in milliseconds, %s\n", table.Latency)
}

func rate(perSecond float64) string { return fmt.Sprintf("%.1f", perSecond) }

func millis(l Latency, ms float64) string {
	if l.Count == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f", ms)
}
