package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"

	_ "embed" // the contract

	"tillstream/kv/record"
)

// Document is the OpenAPI document.
//
//go:embed openapi.yaml
var Document []byte

// Header names.
const (
	HeaderKey      = "Idempotency-Key"
	HeaderReplayed = "Idempotent-Replayed"
)

// question is what came through a door.
type question struct {
	body []byte
	key  string // of HeaderKey
	rid  string // whose receipt is asked for
}

// answer is what goes back through it.
type answer struct {
	status   int
	replayed bool
	body     any
}

// operation answers one question; its errors become problems.
type operation func(context.Context, question) (answer, error)

// asks takes the question out of an HTTP request.
type asks func(http.ResponseWriter, *http.Request) (question, error)

// routes is the HTTP door. A path that is known under another method answers 405, another path 404.
func (a *API) routes() http.Handler {
	mux := http.NewServeMux()
	add := func(method, path string, h http.Handler) {
		mux.Handle(method+" "+path, h)
		mux.Handle(path, a.refuse(&methodError{method}))
	}
	add("POST", "/v1/lookups", a.serve("lookup", askBody, a.lookUp))
	add("POST", "/v1/receipts", a.serve("receipt", askBody, a.commit(record.KindSale)))
	add("POST", "/v1/returns", a.serve("return", askBody, a.commit(record.KindReturn)))
	add("GET", "/v1/receipts/{rid}", a.serve("find", askPath, a.find))
	add("GET", "/v1/health", a.serve("health", askPath, a.health))
	add("GET", "/v1/aside", a.serve("aside", askPath, a.aside))
	add("POST", "/v1/aside/rehome", a.serve("rehome", askBody, a.rehome))
	add("GET", "/openapi.yaml", http.HandlerFunc(serveDocument))
	if a.cfg.Metrics != nil {
		add("GET", "/metrics", a.cfg.Metrics)
	}
	mux.Handle("/", a.refuse(errNoSuchPath))
	return mux
}

func serveDocument(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/yaml")
	_, _ = w.Write(Document) // the reader has gone: nobody to tell
}

func (a *API) refuse(err error) http.Handler {
	return a.serve("none", func(http.ResponseWriter, *http.Request) (question, error) {
		return question{}, err
	}, nil)
}

func (a *API) serve(name string, ask asks, op operation) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q, err := ask(w, r)
		if err != nil {
			a.writeProblem(w, name, err)
			return
		}
		ans, err := a.answer(r.Context(), q, op)
		if err != nil {
			a.writeProblem(w, name, err)
			return
		}
		if ans.replayed {
			w.Header().Set(HeaderReplayed, "true")
		}
		write(w, "application/json", ans.status, ans.body)
	})
}

// answer is where both doors meet.
func (a *API) answer(ctx context.Context, q question, op operation) (answer, error) {
	if !a.gate.enter() {
		return answer{}, errStopping
	}
	defer a.gate.leave()
	return op(ctx, q)
}

func (a *API) writeProblem(w http.ResponseWriter, name string, err error) {
	p := a.refused(name, err)
	if m, ok := errors.AsType[*methodError](err); ok {
		w.Header().Set("Allow", m.allow)
	}
	if p.RetryAfterMS > 0 {
		w.Header().Set("Retry-After", strconv.FormatInt((p.RetryAfterMS+999)/1000, 10))
	}
	write(w, "application/problem+json", p.Status, p)
}

// refused turns an error into its problem, counts it, and logs what someone may act on.
func (a *API) refused(name string, err error) *Problem {
	p := problemOf(err)
	a.meters.refused(name, p.slug())
	if p.Status >= http.StatusInternalServerError && !errors.Is(err, errStopping) {
		a.cfg.Log.Error("a question of the POS is not answered", "operation", name, "problem", p.slug(), "err", err)
	} else {
		a.cfg.Log.Debug("a question of the POS is refused", "operation", name, "problem", p.slug(), "field", p.Field)
	}
	return p
}

func write(w http.ResponseWriter, kind string, status int, body any) {
	b := mustEncode(body)
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("Content-Length", strconv.Itoa(len(b)))
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(b) // the POS has gone: it asks again by rid
}

// mustEncode writes an answer. Answers are structs of texts and numbers, which cannot fail to encode.
func mustEncode(body any) []byte {
	b, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	return b
}

func askPath(_ http.ResponseWriter, r *http.Request) (question, error) {
	return question{rid: r.PathValue("rid")}, nil
}

// askBody reads a JSON body of at most record.MaxBody bytes. A media type is asked for so that a page
// in a browser cannot post a form here.
func askBody(w http.ResponseWriter, r *http.Request) (question, error) {
	if t := r.Header.Get("Content-Type"); t != "application/json" {
		if m, _, err := mime.ParseMediaType(t); err != nil || m != "application/json" {
			return question{}, errMediaType
		}
	}
	if r.ContentLength > record.MaxBody {
		return question{}, errTooLarge
	}
	body, err := readBody(w, r)
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return question{}, errTooLarge
	}
	if err != nil {
		return question{}, errIncomplete
	}
	return question{body: body, key: r.Header.Get(HeaderKey)}, nil
}

func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if r.ContentLength < 0 {
		return io.ReadAll(http.MaxBytesReader(w, r.Body, record.MaxBody))
	}
	body := make([]byte, r.ContentLength)
	_, err := io.ReadFull(r.Body, body)
	return body, err
}
