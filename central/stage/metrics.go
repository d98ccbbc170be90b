package stage

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tillstream/subjects"
	"tillstream/subjects/event"
)

// Names of the metrics, for whoever reads them back.
const (
	metricEvents  = "tillstream_stage_events_total"
	metricHandled = "tillstream_stage_seconds"
	metricPart    = "tillstream_flow_part_seconds"
)

// Metrics counts what the stages of a node do.
type Metrics struct {
	events  *prometheus.CounterVec // by stage and outcome
	handled *prometheus.HistogramVec
	part    *prometheus.HistogramVec
}

// NewMetrics registers a node's metrics.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: metricEvents,
			Help: "Events of each stage of the flow: in, out, again (an error, later), dead (among the dead letters).",
		}, []string{"stage", "what"}),
		handled: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    metricHandled,
			Help:    "From the arrival of an event at a stage until its outputs are kept.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 16),
		}, []string{"stage"}),
		part: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    metricPart,
			Help:    "From the stamp before this stage's to this stage's, from the event's headers.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 20),
		}, []string{"from", "to"}),
	}
	reg.MustRegister(m.events, m.handled, m.part)
	return m
}

func (m *Metrics) in(s subjects.Stage)    { m.events.WithLabelValues(s.String(), "in").Inc() }
func (m *Metrics) again(s subjects.Stage) { m.events.WithLabelValues(s.String(), "again").Inc() }
func (m *Metrics) dead(s subjects.Stage)  { m.events.WithLabelValues(s.String(), "dead").Inc() }

func (m *Metrics) done(s subjects.Stage, took time.Duration) {
	m.handled.WithLabelValues(s.String()).Observe(took.Seconds())
}

func (m *Metrics) out(s subjects.Stage, e *event.Envelope, at event.Point) {
	m.events.WithLabelValues(s.String(), "out").Inc()
	if from, ok := e.Stamps.Before(at); ok {
		took, _ := e.Stamps.Between(from, at)
		m.part.WithLabelValues(from.String(), at.String()).Observe(took.Seconds())
	}
}
