package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"

	_ "embed" // the contract

	"tillstream/edge/page"
	"tillstream/kv/record"
)

//go:generate go tool oapi-codegen --config codegen/config.yaml -o contract.gen.go openapi.yaml

// Document is the OpenAPI document. Types and the table of operations in contract.gen.go are made from it.
//
//go:embed openapi.yaml
var Document []byte

// Header names.
const (
	HeaderKey      = "Idempotency-Key"
	HeaderReplayed = "Idempotent-Replayed"
	headerTraining = "Tillstream-Training"
	headerAuth     = "Authorization"
	headerMatch    = "If-Match"
	headerETag     = "ETag"
)

// operation is one of the document's: a line of the table that is generated from it.
type operation struct {
	id           string
	method, path string
	subject      string // at the NATS door; "": not served there
	body         bool   // it comes with JSON
	open         bool   // to callers without a token
	answer       func(context.Context, question) (answer, error)
	stream       http.HandlerFunc // instead of answer
}

// question is what came through a door.
type question struct {
	body   []byte
	id     string // in the path or the query: a rid, or what else the operation asks for
	key    string // of HeaderKey
	match  string // of If-Match
	caller caller
	sheet  *[]byte // that the body lies on, if nothing of it is kept; nil: the body is nobody else's
}

// forgets is the operation that keeps nothing of its question.
const forgets = "quoteBasket"

// answer is what goes back through it.
type answer struct {
	status   int
	replayed bool
	etag     string
	body     any     // nil: none; json.RawMessage goes as it is
	sheet    *[]byte // that the body lies on: whoever has sent it gives it back; nil: none
}

// routes is the HTTP door. A path that is known under another method answers 405, another path 404.
func (a *API) routes() http.Handler {
	mux := http.NewServeMux()
	methods := map[string]string{}
	add := func(method, path string, h http.Handler) {
		mux.Handle(method+" "+path, h)
		if methods[path] != "" {
			methods[path] += ", "
		}
		methods[path] += method
	}
	for _, o := range operations(a, a.readMessages) {
		add(o.method, o.path, a.serve(o))
	}
	add("GET", "/openapi.yaml", paper("application/yaml", func() []byte { return Document }))
	add("GET", "/{$}", page.Handler(a.refuse(errNoSuchPath)))
	add("GET", "/till/{file}", page.Handler(a.refuse(errNoSuchPath)))
	add("GET", "/docs", paper("text/html; charset=utf-8", a.docs))
	if a.cfg.Metrics != nil {
		add("GET", "/metrics", a.cfg.Metrics)
	}
	for path, allow := range methods {
		mux.Handle(path, a.refuse(&methodError{allow}))
	}
	mux.Handle("/", a.refuse(errNoSuchPath))
	return mux
}

func paper(kind string, text func() []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		_, _ = w.Write(text()) // the reader has gone: nobody to tell
	})
}

func (a *API) refuse(err error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { a.writeProblem(w, "none", caller{}, err) })
}

func (a *API) serve(o operation) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var q question
		if !o.open {
			var err error
			if q.caller, err = a.callers.who(r.Header.Get(headerAuth)); err != nil {
				a.writeProblem(w, o.id, q.caller, err)
				return
			}
		}
		if o.stream != nil {
			o.stream(w, r)
			return
		}
		if o.id == forgets {
			q.sheet = a.sheets.take()
			defer a.sheets.give(q.sheet)
		}
		if err := q.take(&o, w, r); err != nil {
			a.writeProblem(w, o.id, q.caller, err)
			return
		}
		ans, err := a.reply(r.Context(), &o, q)
		if err != nil {
			a.writeProblem(w, o.id, q.caller, err)
			return
		}
		if q.caller.training {
			w.Header().Set(headerTraining, "true")
		}
		if ans.replayed {
			w.Header().Set(HeaderReplayed, "true")
		}
		if ans.etag != "" {
			w.Header().Set(headerETag, ans.etag)
		}
		defer a.sheets.give(ans.sheet)
		write(w, "application/json", ans.status, ans.body)
	})
}

// reply is where both doors meet.
func (a *API) reply(ctx context.Context, o *operation, q question) (answer, error) {
	if !a.gate.enter() {
		return answer{}, errStopping
	}
	defer a.gate.leave()
	a.meters.asked(q.caller.name, o.id)
	return o.answer(ctx, q)
}

func (a *API) writeProblem(w http.ResponseWriter, op string, c caller, err error) {
	p := a.refused(op, c, err)
	if m, ok := errors.AsType[*methodError](err); ok {
		w.Header().Set("Allow", m.allow)
	}
	if p.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	if p.RetryAfterMS > 0 {
		w.Header().Set("Retry-After", strconv.FormatInt((p.RetryAfterMS+999)/1000, 10))
	}
	write(w, "application/problem+json", p.Status, p)
}

// refused turns an error into its problem, counts it, and logs what someone may act on.
func (a *API) refused(op string, c caller, err error) *Problem {
	p := problemOf(err)
	p.Training = c.training
	slug := p.slug()
	a.meters.refused(op, slug)
	if p.Status >= http.StatusInternalServerError && !errors.Is(err, errStopping) && !errors.Is(err, errNoHold) {
		a.cfg.Log.Error("a question of the POS is not answered", "operation", op, "pos", c.name, "problem", slug, "err", err)
	} else {
		a.cfg.Log.Debug("a question of the POS is refused", "operation", op, "pos", c.name, "problem", slug, "field", p.Field)
	}
	return p
}

func write(w http.ResponseWriter, kind string, status int, body any) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	if body == nil {
		w.WriteHeader(status)
		return
	}
	b := mustEncode(body)
	h.Set("Content-Type", kind)
	h.Set("Content-Length", strconv.Itoa(len(b)))
	w.WriteHeader(status)
	_, _ = w.Write(b) // the POS has gone: it asks again by rid
}

// mustEncode writes an answer. Answers are structs of texts and numbers, which cannot fail to encode.
func mustEncode(body any) []byte {
	switch body := body.(type) {
	case json.RawMessage:
		return body
	case *Quote:
		return appendQuote(make([]byte, 0, 4096), body)
	}
	b, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	return b
}

// take takes the question out of a request.
func (q *question) take(o *operation, w http.ResponseWriter, r *http.Request) (err error) {
	q.key, q.match = r.Header.Get(HeaderKey), r.Header.Get(headerMatch)
	if q.id = r.PathValue("rid"); q.id == "" {
		q.id = r.PathValue("id")
	}
	if q.id == "" && o.method == http.MethodGet {
		q.id = r.URL.Query().Get("number") // it may have any characters, which a path may not
	}
	if o.body {
		q.body, err = readBody(w, r, q.sheet)
	}
	return err
}

// readBody reads a JSON body of at most record.MaxBody bytes. A media type is asked for so that a page
// in a browser cannot post a form here. It is read onto a sheet, if there is one.
func readBody(w http.ResponseWriter, r *http.Request, on *[]byte) ([]byte, error) {
	if t := r.Header.Get("Content-Type"); t != "application/json" {
		if m, _, err := mime.ParseMediaType(t); err != nil || m != "application/json" {
			return nil, errMediaType
		}
	}
	if r.ContentLength > record.MaxBody {
		return nil, errTooLarge
	}
	var body []byte
	var err error
	if r.ContentLength < 0 {
		body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, record.MaxBody))
	} else {
		if on == nil {
			on = new([]byte)
		}
		*on = slices.Grow((*on)[:0], int(r.ContentLength))[:r.ContentLength]
		body = *on
		_, err = io.ReadFull(r.Body, body)
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, errTooLarge
	}
	if err != nil {
		return nil, errIncomplete
	}
	return body, nil
}
