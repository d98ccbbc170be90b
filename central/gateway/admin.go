package gateway

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"tillstream/central/archive"
	"tillstream/central/books"
	"tillstream/central/reference"
	"tillstream/central/replica"
	"tillstream/central/scrub"
	"tillstream/central/streams"
	"tillstream/kv"
	"tillstream/kv/seal"
	"tillstream/subjects"
)

// AdminConfig says where the admin API listens and what it answers from.
type AdminConfig struct {
	Listen    string       // host:port; beyond loopback only with a Token
	Token     string       // bearer token that every request must carry; empty: none, on loopback only
	Metrics   http.Handler // at /metrics
	JS        jetstream.JetStream
	Net       subjects.Net
	Archive   *archive.Archiver        // nil: this node has none
	Streams   []jetstream.StreamConfig // what should be
	Replica   *replica.Replica
	Books     *books.Books // read under the replica's lock
	Reference *reference.Set
	Scrub     *scrub.Scrub
	Flow      *FlowConfig // nil: this centre runs no event flow
	Disk      func() Disk
	Leads     func() bool // whether this node leads the journal's stream
	Cards     *seal.Cards // turns a card number into its account
	Log       *slog.Logger
}

// Admin is the admin API of one node.
type Admin struct {
	cfg AdminConfig
	lis net.Listener
}

// OpenAdmin binds the listener.
func OpenAdmin(cfg AdminConfig) (*Admin, error) {
	lis, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("admin API: %w", err)
	}
	if host, _ := lis.Addr().(*net.TCPAddr); !host.IP.IsLoopback() && cfg.Token == "" {
		return nil, errors.Join(fmt.Errorf("admin API on %s: beyond loopback it needs a token: set admin_token_file", cfg.Listen), lis.Close())
	}
	return &Admin{cfg, lis}, nil
}

// URL is where the API answers.
func (a *Admin) URL() string { return "http://" + a.lis.Addr().String() }

// Run serves until ctx ends.
func (a *Admin) Run(ctx context.Context) error {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", a.cfg.Metrics)
	mux.HandleFunc("GET /v1/status", answer(a.status))
	mux.HandleFunc("GET /v1/health", answer(a.health))
	mux.HandleFunc("GET /v1/scrub", answer(a.scrubState))
	mux.HandleFunc("POST /v1/scrub", answer(a.scrub))
	mux.HandleFunc("POST /v1/scrub/repair", answer(a.repair))
	mux.HandleFunc("GET /v1/incidents", answer(a.incidents))
	mux.HandleFunc("POST /v1/books/verify", answer(a.verify))
	a.handleBooks(mux)
	mux.HandleFunc("GET /v1/journal", a.journal)
	mux.HandleFunc("POST /v1/archive/close", answer(a.closeSegment))
	mux.HandleFunc("POST /v1/streams/plan", answer(a.plan))
	mux.HandleFunc("POST /v1/streams/apply", answer(a.apply))
	a.handleReference(mux)
	a.handleFlow(mux)
	srv := &http.Server{
		Handler: a.allow(mux), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	stop := context.AfterFunc(ctx, func() {
		if err := srv.Close(); err != nil {
			a.cfg.Log.Debug("close admin API", "err", err)
		}
	})
	defer stop()
	if err := srv.Serve(a.lis); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("admin API: %w", err)
	}
	return nil
}

func (a *Admin) allow(next http.Handler) http.Handler {
	want := []byte("Bearer " + a.cfg.Token)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a.cfg.Token != "" && subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), want) != 1 {
			problem(w, http.StatusUnauthorized, "unauthorised", "the request carries no token that is known here")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// maxRequest bounds a request's body, in bytes.
const maxRequest = 1 << 16

// errRequest means that the caller has to change the request.
var errRequest = errors.New("bad request")

// errUnknown means that what was asked for is not there.
var errUnknown = errors.New("not found")

// answer turns a question into JSON, and its error into a problem (RFC 9457).
func answer[T any](ask func(*http.Request) (T, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if _, ok := r.Body.(sized); !ok {
			r.Body = http.MaxBytesReader(w, r.Body, maxRequest)
		}
		v, err := ask(r)
		if err != nil {
			refuse(w, err)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(v); err != nil {
			return // the caller has gone
		}
	}
}

// refuse turns an error into a problem. It is the one switch.
func refuse(w http.ResponseWriter, err error) {
	switch {
	case errors.Is(err, errRequest), errors.Is(err, reference.ErrImport), errors.Is(err, reference.ErrDocument):
		problem(w, http.StatusBadRequest, "invalid-field", err.Error())
	case errors.Is(err, errNoArchive):
		problem(w, http.StatusConflict, "no-archive", err.Error())
	case errors.Is(err, errNoFlow):
		problem(w, http.StatusConflict, "no-flow", err.Error())
	case errors.Is(err, errStays):
		problem(w, http.StatusConflict, "not-replayable", err.Error())
	case errors.Is(err, archive.ErrPaused):
		problem(w, http.StatusConflict, "archive-paused", err.Error())
	case errors.Is(err, streams.ErrFixed):
		problem(w, http.StatusConflict, "fixed", err.Error())
	case errors.Is(err, scrub.ErrUnsafe):
		problem(w, http.StatusConflict, "unsafe", err.Error())
	case errors.Is(err, scrub.ErrBusy):
		problem(w, http.StatusConflict, "busy", err.Error())
	case errors.Is(err, errOther), errors.Is(err, kv.ErrConflict):
		problem(w, http.StatusConflict, "conflict", err.Error())
	case errors.Is(err, errUnhealthy):
		problem(w, http.StatusServiceUnavailable, "unhealthy", err.Error())
	case errors.Is(err, scrub.ErrNotReady):
		problem(w, http.StatusServiceUnavailable, "behind", err.Error())
	case errors.Is(err, errUnknown), errors.Is(err, reference.ErrNone):
		problem(w, http.StatusNotFound, "not-found", err.Error())
	case errors.Is(err, replica.ErrBehind), errors.Is(err, reference.ErrNotChanged), errors.Is(err, errFlowAway):
		problem(w, http.StatusServiceUnavailable, "behind", err.Error())
	default:
		problem(w, http.StatusInternalServerError, "internal", err.Error())
	}
}

func problem(w http.ResponseWriter, status int, slug, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	body := map[string]any{"type": "/problems/" + slug, "title": http.StatusText(status), "status": status, "detail": detail}
	if err := json.NewEncoder(w).Encode(body); err != nil {
		return // the caller has gone
	}
}

// Status is the answer to GET /v1/status.
type Status struct {
	Node       string       `json:"node"`
	Writer     string       `json:"writer"`
	Leads      bool         `json:"leads"` // the journal's stream, as far as this node knows
	Generation string       `json:"generation"`
	Entry      uint64       `json:"entry"`
	Term       uint64       `json:"term"`
	At         time.Time    `json:"at"`
	Digest     string       `json:"digest"`
	Broken     bool         `json:"broken"`
	Accounts   int          `json:"accounts"`
	Totals     books.Totals `json:"totals"`

	Archive  *archive.Status `json:"archive,omitempty"`  // absent: this node has none
	Scrubbed *Scrubbed       `json:"scrubbed,omitempty"` // nil: not since the node started
	Disk     Disk            `json:"disk"`
}

func (a *Admin) status(r *http.Request) (Status, error) {
	s := a.cfg.Replica.Status()
	out := Status{
		Node: s.Node.String(), Writer: s.Writer, Generation: s.Generation.String(), Entry: s.Entry, Term: s.Term,
		Leads: a.cfg.Leads(), At: s.At.UTC(), Digest: s.Digest.String(), Broken: s.Broken,
		Scrubbed: a.scrubbed(), Disk: a.cfg.Disk(),
	}
	if a.cfg.Archive != nil {
		at := a.cfg.Archive.Status()
		out.Archive = &at
	}
	err := a.cfg.Replica.Read(r.Context(), s.Entry, func(entry uint64) {
		out.Accounts, out.Totals = a.cfg.Books.Accounts(), a.cfg.Books.Totals()
		out.Entry, out.Digest = entry, a.cfg.Books.Digest().String()
	})
	return out, err
}

// Verification is the answer to POST /v1/books/verify.
type Verification struct {
	Node       string `json:"node"`
	Generation string `json:"generation"`
	Entry      uint64 `json:"entry"`
	Digest     string `json:"digest"`
	books.Verdict
	Totals books.Totals `json:"totals"`
}

// verify holds the fold still while it counts the books again.
func (a *Admin) verify(r *http.Request) (Verification, error) {
	var out Verification
	var verr error
	status := a.cfg.Replica.Status()
	err := a.cfg.Replica.Read(r.Context(), 0, func(entry uint64) {
		out = Verification{
			Node: status.Node.String(), Generation: status.Generation.String(), Entry: entry,
			Digest: a.cfg.Books.Digest().String(), Totals: a.cfg.Books.Totals(),
		}
		out.Verdict, verr = a.cfg.Books.Verify(a.cfg.Replica)
	})
	return out, errors.Join(err, verr)
}

// Plan is the answer to POST /v1/streams/plan and apply.
type Plan struct {
	Changes []streams.Change `json:"changes"`
}

func (a *Admin) plan(r *http.Request) (Plan, error) {
	changes, err := streams.Plan(r.Context(), a.cfg.JS, a.cfg.Streams)
	return Plan{append([]streams.Change{}, changes...)}, err
}

func (a *Admin) apply(r *http.Request) (Plan, error) {
	changes, err := streams.Apply(r.Context(), a.cfg.JS, a.cfg.Streams)
	return Plan{append([]streams.Change{}, changes...)}, err
}
