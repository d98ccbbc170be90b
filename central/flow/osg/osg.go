package osg

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tillstream/central/flow"
	"tillstream/kv"
	"tillstream/kv/record"
	"tillstream/subjects"
	"tillstream/subjects/service"
)

// OSG is one instance.
type OSG struct {
	flow.Base
	instance subjects.NodeID // drawn anew with each start
	bucket   *kv.Store       // opened by Run, before anything answers
	ready    chan struct{}   // closed when bucket is there
	site     site
	sessions *sessions
	outcomes *prometheus.CounterVec
	took     *prometheus.HistogramVec
}

// New makes an OSG. Its metrics are registered: one instance a registry.
func New(b flow.Base) *OSG {
	var id [8]byte
	rand.Read(id[:]) // never fails since Go 1.24
	o := &OSG{
		Base: b, instance: subjects.NodeID{Token: subjects.MustToken(hex.EncodeToString(id[:]))}, ready: make(chan struct{}),
		outcomes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tillstream_osg_messages_total",
			Help: "Answers of OSG about onsite messages: 200 (delivered), 404 (not on site), again (a screen is silent).",
		}, []string{"status"}),
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "tillstream_osg_screen_seconds",
			Help:    "From where a message's way began (sold, posted, cpp, eppm) until a screen has it.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 24),
		}, []string{"from"}),
	}
	o.Log = b.Log.With("stage", "osg")
	o.site.by = map[record.AccountID]map[spot]place{}
	o.site.missed, o.site.came = map[record.AccountID]time.Time{}, map[record.AccountID]*again{}
	o.sessions = newSessions(o)
	b.Registry.MustRegister(o.outcomes, o.took, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "tillstream_osg_on_site", Help: "Places where shoppers are just now: tills, and devices of the app.",
	}, func() float64 { return float64(o.site.forget(o.Now())) }))
	return o
}

// Sessions answers devices of the app: GET /v1/sessions/{account}/{device} is a stream of server-sent events. Whoever
// mounts it has checked who asks. Close its connections before Run is left.
func (o *OSG) Sessions() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/sessions/{account}/{device}", o.sessions.serve)
	return mux
}

// Run answers until ctx ends.
func (o *OSG) Run(ctx context.Context) error {
	var there bool
	if o.bucket, there = o.Open(ctx, kv.Onsite(o.Net.Brand)); !there {
		return nil
	}
	close(o.ready)
	return flow.Together(ctx,
		o.follow, o.tidy, o.sayAgain,
		service.New(service.Config{
			Conn: o.Conn, Name: subjects.ServiceOSG, Endpoint: "presence", Subject: o.Net.AnyPOSPresence(),
			Description: "who is at which till", AtOnce: 1024, Each: 32, Answer: o.hear, Log: o.Log,
		}).Run,
		service.New(service.Config{
			Conn: o.Conn, Name: subjects.ServiceOSG, Endpoint: "deliver", Subject: o.Net.OSGDeliver(),
			Description: "onsite messages", AtOnce: 1024, Answer: o.answer, Near: o.Near, Log: o.Log,
		}).Run,
		service.New(service.Config{
			Conn: o.Conn, Name: subjects.ServiceOSG, Endpoint: "screen", Subject: o.Net.OSGScreen(o.instance),
			Description: "devices of the app that are connected here", AtOnce: 256, Answer: o.sessions.answer, Log: o.Log,
		}).Run,
	)
}

// tidy lets go of what has faded.
func (o *OSG) tidy(ctx context.Context) error {
	for flow.Sleep(ctx, 10*time.Second) {
		o.site.forget(o.Now())
	}
	return nil
}
