package replica

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	entries prometheus.Counter
	terms   prometheus.Counter
	broken  prometheus.Counter
	append  prometheus.Histogram
	damaged prometheus.Counter
	pause   prometheus.Histogram
}

func newMetrics(reg prometheus.Registerer) *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	seconds := func(name, help string) prometheus.Histogram {
		return prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: name, Help: help, Buckets: prometheus.ExponentialBuckets(0.0005, 2, 14),
		})
	}
	m := &metrics{
		entries: counter("tillstream_journal_entries_folded_total", "Journal entries folded on this node."),
		terms:   counter("tillstream_journal_terms_won_total", "Times this node became the journal's writer."),
		broken:  counter("tillstream_journal_broken_total", "Times an entry did not follow the one before it."),
		append:  seconds("tillstream_journal_append_seconds", "From publishing an entry to knowing that it is stored."),
		damaged: counter("tillstream_replica_damaged_total", "Times a file of this node was found damaged."),
		pause:   seconds("tillstream_snapshot_pause_seconds", "How long a snapshot held the fold."),
	}
	if reg != nil {
		reg.MustRegister(m.entries, m.terms, m.broken, m.append, m.damaged, m.pause)
	}
	return m
}
