package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"tillstream/central/reference"
	"tillstream/kv/record"
)

// Limits of the questions about reference data.
const (
	maxFile    = 256 << 20        // bytes of an import: a million items and more
	fileLimit  = 5 * time.Minute  // for it to come
	changeWait = 60 * time.Second // for it to be made
	maxListed  = 1000             // records of one answer
)

// sized is a body that has a bound already.
type sized struct{ io.ReadCloser }

// file lets a request bring a file: more bytes than a question, and more time.
func file(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		// A server that cannot give more time gives less; the client is told by what happens then.
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(fileLimit))
		r.Body = sized{http.MaxBytesReader(w, r.Body, maxFile)}
		next(w, r)
	}
}

func (a *Admin) handleReference(mux *http.ServeMux) {
	mux.HandleFunc("GET /v1/reference", answer(a.referenceStatus))
	mux.HandleFunc("POST /v1/items/import", file(answer(a.importItems)))
	mux.HandleFunc("GET /v1/items", answer(a.items))
	mux.HandleFunc("GET /v1/items/{code}", answer(a.item))
	for path, kind := range map[string]record.RefKind{
		"promotions": record.RefPromotion, "sets": record.RefSet, "settings": record.RefSetting,
	} {
		mux.HandleFunc("POST /v1/"+path, file(answer(a.put(kind))))
		mux.HandleFunc("GET /v1/"+path, answer(a.list(kind)))
		mux.HandleFunc("GET /v1/"+path+"/{id}", answer(a.document(kind)))
		mux.HandleFunc("DELETE /v1/"+path+"/{id}", answer(a.take(kind)))
	}
	mux.HandleFunc("POST /v1/promotions/{id}/stop", answer(a.stop))
}

// ReferenceStatus is the answer to GET /v1/reference.
type ReferenceStatus struct {
	Generation string `json:"generation"`
	Entry      uint64 `json:"entry"` // what quotes name as their revision
	Records    int    `json:"records"`
	Parts      int    `json:"parts"` // of the bucket
}

func (a *Admin) referenceStatus(*http.Request) (ReferenceStatus, error) {
	s := a.cfg.Reference.Status()
	return ReferenceStatus{s.Generation.String(), s.Entry, s.Records, s.Parts}, nil
}

// Changed is the answer to whatever changes reference data.
type Changed struct {
	New       int    `json:"new"`
	Changed   int    `json:"changed"`
	Removed   int    `json:"removed"`
	Unchanged int    `json:"unchanged"`
	Entry     uint64 `json:"entry"` // with which all of it is there; what quotes name as their revision
	Checked   bool   `json:"checked,omitempty"`
}

func (a *Admin) change(r *http.Request, plan func(reference.Now) ([]reference.Edit, error)) (Changed, error) {
	ctx, cancel := context.WithTimeout(r.Context(), changeWait)
	defer cancel()
	checks := r.URL.Query().Get("check") == "true"
	change := a.cfg.Reference.Change
	if checks {
		change = a.cfg.Reference.Check
	}
	res, err := change(ctx, plan)
	return Changed{res.New, res.Changed, res.Removed, res.Unchanged, res.Entry, checks}, err
}

func (a *Admin) importItems(r *http.Request) (Changed, error) {
	q := r.URL.Query()
	lines, err := reference.ReadItems(reference.Format(q.Get("format")), r.Body)
	if err != nil {
		return Changed{}, err
	}
	return a.change(r, reference.Import(lines, q.Get("replace") == "true"))
}

// Item is one item of the item master.
type Item struct {
	Code       string   `json:"code"`
	Name       string   `json:"name"`
	Category   string   `json:"category,omitempty"`
	Tags       []string `json:"tags,omitempty"`
	Unit       string   `json:"unit"`
	MinAge     uint8    `json:"min_age,omitempty"`
	FloorPrice int64    `json:"floor_price,omitempty"`
	NoDiscount bool     `json:"no_discount,omitempty"`
	NoPoints   bool     `json:"no_points,omitempty"`

	Entry uint64    `json:"entry"`
	At    time.Time `json:"at"` // of its last change
}

func readItem(ref *record.Reference) (Item, error) {
	p, err := record.ReadProduct(string(ref.Value))
	return Item{
		ref.Key, p.Name, p.Category, p.Tags, p.Unit.String(), p.MinAge, p.FloorPrice, p.NoDiscount, p.NoPoints,
		ref.Entry, time.UnixMilli(ref.At).UTC(),
	}, err
}

func (a *Admin) item(r *http.Request) (Item, error) {
	code, err := record.ItemCode(r.PathValue("code"))
	if err != nil {
		return Item{}, fmt.Errorf("%w: %w", errRequest, err)
	}
	ref, found := a.cfg.Reference.Get(record.RefItem, code)
	if !found || ref.Removed() {
		return Item{}, fmt.Errorf("item %s: %w", code, errUnknown)
	}
	return readItem(&ref)
}

// Items is one part of a list; Next, if there is more, is where it goes on: ?after=.
type Items struct {
	Items []Item `json:"items"`
	Next  string `json:"next,omitempty"`
}

func (a *Admin) items(r *http.Request) (Items, error) {
	out := Items{Items: []Item{}}
	for _, ref := range a.cfg.Reference.List(record.RefItem, r.URL.Query().Get("after"), maxListed+1) {
		if len(out.Items) == maxListed {
			out.Next = out.Items[maxListed-1].Code
			break
		}
		i, err := readItem(&ref)
		if err != nil {
			return out, fmt.Errorf("item %s: %w", ref.Key, err)
		}
		out.Items = append(out.Items, i)
	}
	return out, nil
}

// Document is a promotion, a product set or a setting.
type Document struct {
	ID       string          `json:"id"`
	Document json.RawMessage `json:"document"`
	Entry    uint64          `json:"entry"`
	At       time.Time       `json:"at"` // of its last change
}

// Documents is one part of a list; Next, if there is more, is where it goes on: ?after=.
type Documents struct {
	Documents []Document `json:"documents"`
	Next      string     `json:"next,omitempty"`
}

func readDocument(ref *record.Reference) Document {
	return Document{ref.Key, ref.Value, ref.Entry, time.UnixMilli(ref.At).UTC()}
}

func (a *Admin) put(kind record.RefKind) func(*http.Request) (Changed, error) {
	return func(r *http.Request) (Changed, error) {
		b, err := io.ReadAll(io.LimitReader(r.Body, reference.MaxDocuments+1))
		if err != nil {
			return Changed{}, fmt.Errorf("%w: %w", errRequest, err)
		}
		docs, err := reference.ReadDocuments(kind, b)
		if err != nil {
			return Changed{}, err
		}
		return a.change(r, reference.Put(kind, docs))
	}
}

func (a *Admin) list(kind record.RefKind) func(*http.Request) (Documents, error) {
	return func(r *http.Request) (Documents, error) {
		out := Documents{Documents: []Document{}}
		for _, ref := range a.cfg.Reference.List(kind, r.URL.Query().Get("after"), maxListed+1) {
			if len(out.Documents) == maxListed {
				out.Next = out.Documents[maxListed-1].ID
				break
			}
			out.Documents = append(out.Documents, readDocument(&ref))
		}
		return out, nil
	}
}

func (a *Admin) document(kind record.RefKind) func(*http.Request) (Document, error) {
	return func(r *http.Request) (Document, error) {
		ref, found := a.cfg.Reference.Get(kind, r.PathValue("id"))
		if !found || ref.Removed() {
			return Document{}, fmt.Errorf("%s %s: %w", kind, r.PathValue("id"), errUnknown)
		}
		return readDocument(&ref), nil
	}
}

func (a *Admin) take(kind record.RefKind) func(*http.Request) (Changed, error) {
	return func(r *http.Request) (Changed, error) { return a.change(r, reference.Take(kind, r.PathValue("id"))) }
}

func (a *Admin) stop(r *http.Request) (Changed, error) {
	return a.change(r, reference.Stop(r.PathValue("id")))
}
