package api

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tillstream/kv/record"
)

// meters count what a POS asked. A nil *meters counts nothing.
type meters struct {
	receipts *prometheus.CounterVec
	refusals *prometheus.CounterVec
	lookups  *prometheus.CounterVec
	asks     *prometheus.CounterVec
	commits  prometheus.Histogram
}

func newMeters(r prometheus.Registerer) (*meters, error) {
	if r == nil {
		return nil, nil
	}
	m := &meters{
		receipts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tillstream_pos_receipts_total",
			Help: "Receipts answered as committed, by kind (sale, return) and result (kept, repeated).",
		}, []string{"kind", "result"}),
		refusals: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tillstream_pos_problems_total",
			Help: "Questions answered with a problem, or dropped (reply-elsewhere), by operation and problem.",
		}, []string{"operation", "problem"}),
		lookups: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tillstream_pos_lookups_total",
			Help: "Look-ups by who knew: local, store, central, unknown (nobody does), none (nobody could say).",
		}, []string{"source"}),
		asks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tillstream_pos_questions_total",
			Help: "Questions by the name of the POS's token and operation.",
		}, []string{"pos", "operation"}),
		commits: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "tillstream_pos_commit_seconds",
			Help:    "Wait for the journal to keep a receipt.",
			Buckets: prometheus.ExponentialBuckets(50e-6, 2, 16),
		}),
	}
	for _, c := range []prometheus.Collector{m.receipts, m.refusals, m.lookups, m.asks, m.commits} {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *meters) receipt(kind record.Kind, repeated bool) {
	if m == nil {
		return
	}
	result := "kept"
	if repeated {
		result = "repeated"
	}
	m.receipts.WithLabelValues(kind.String(), result).Inc()
}

func (m *meters) asked(pos, operation string) {
	if m != nil {
		m.asks.WithLabelValues(pos, operation).Inc()
	}
}

func (m *meters) refused(operation, problem string) {
	if m != nil {
		m.refusals.WithLabelValues(operation, problem).Inc()
	}
}

func (m *meters) lookup(source string) {
	if m != nil {
		m.lookups.WithLabelValues(source).Inc()
	}
}

func (m *meters) committed(d time.Duration) {
	if m != nil {
		m.commits.Observe(d.Seconds())
	}
}
