package reference

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/goccy/go-yaml"

	"tillstream/kv/promotion"
	"tillstream/kv/record"
	"tillstream/kv/setting"
	"tillstream/subjects"
)

// ErrDocument means that a document is not taken: malformed, or not in the place of the one that is there.
var ErrDocument = errors.New("not a document that can be put here")

// ErrNone means that there is no such document.
var ErrNone = errors.New("there is no such document")

// Limits of a file of documents.
const (
	MaxDocuments = 16 << 20 // bytes
	maxBrackets  = 64       // nested, and no parser's patience is tried
)

// Document is a promotion, a product set or a setting: JSON with its keys in order.
type Document struct {
	ID       string
	Revision int64
	JSON     []byte
}

// ReadDocuments reads a file of documents of a kind: one or a list of them, YAML or JSON. Promotions and
// product sets are held to their format, and so are the settings that package setting knows.
func ReadDocuments(kind record.RefKind, b []byte) ([]Document, error) {
	if len(b) > MaxDocuments || !utf8.Valid(b) || deep(b) {
		return nil, fmt.Errorf("%w: want UTF-8 of at most %d bytes, and not nested deep", ErrDocument, MaxDocuments)
	}
	if err := form(kind, b); err != nil {
		return nil, fmt.Errorf("%w:\n%w", ErrDocument, err)
	}
	var v any
	if err := yaml.Unmarshal(b, &v); err != nil {
		return nil, fmt.Errorf("%w:\n%s", ErrDocument, yaml.FormatError(err, false, true))
	}
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%w: there is none in it", ErrDocument)
	}
	docs := make([]Document, len(list))
	seen := map[string]bool{}
	for i, v := range list {
		text, err := json.Marshal(v)
		if err != nil {
			return nil, fmt.Errorf("%w: number %d: %w", ErrDocument, i+1, err)
		}
		docs[i], err = readDocument(text)
		if err == nil && kind == record.RefSetting {
			err = setting.Check(docs[i].ID, docs[i].JSON)
		}
		if err != nil {
			return nil, fmt.Errorf("%w: number %d: %w", ErrDocument, i+1, err)
		}
		if seen[docs[i].ID] {
			return nil, fmt.Errorf("%w: number %d: %s is there twice", ErrDocument, i+1, docs[i].ID)
		}
		seen[docs[i].ID] = true
	}
	return docs, nil
}

// form holds a file to the format of its kind.
func form(kind record.RefKind, b []byte) (err error) {
	isJSON := json.Valid(b)
	switch {
	case kind == record.RefPromotion && isJSON:
		_, err = promotion.ReadJSON(b)
	case kind == record.RefPromotion:
		_, err = promotion.ReadYAML(b)
	case kind == record.RefSet && isJSON:
		_, err = promotion.ReadSetsJSON(b)
	case kind == record.RefSet:
		_, err = promotion.ReadSetsYAML(b)
	}
	return err
}

func deep(b []byte) bool {
	depth := 0
	for _, c := range b {
		switch c {
		case '[', '{':
			if depth++; depth > maxBrackets {
				return true
			}
		case ']', '}':
			depth--
		}
	}
	return false
}

func readDocument(text []byte) (d Document, err error) {
	var head struct {
		ID       string `json:"id"`
		Revision int64  `json:"revision"`
	}
	if text[0] != '{' {
		return d, errors.New("want an object")
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return d, err
	}
	if _, err := subjects.ParseToken(head.ID); err != nil {
		return d, fmt.Errorf("id: %w", err)
	}
	if head.Revision < 1 {
		return d, fmt.Errorf("%s: revision: want 1 or more", head.ID)
	}
	if len(text) > record.MaxRefValue {
		return d, fmt.Errorf("%s: over %d bytes", head.ID, record.MaxRefValue)
	}
	return Document{head.ID, head.Revision, text}, nil
}

// Put makes the plan of a change that puts documents. What was published under a revision never changes:
// a document that differs needs a higher one than the one that is there.
func Put(kind record.RefKind, docs []Document) func(Now) ([]Edit, error) {
	return func(now Now) ([]Edit, error) {
		var edits []Edit
		for i := range docs {
			d := &docs[i]
			if have := now.Value(kind, d.ID); have != nil && !bytes.Equal(have, d.JSON) {
				old, err := readDocument(have)
				if err != nil {
					return nil, fmt.Errorf("%s %s, as it is: %w", kind, d.ID, err)
				}
				if d.Revision <= old.Revision {
					return nil, fmt.Errorf("%w: %s %s is there with revision %d and differs: want a higher one than %d",
						ErrDocument, kind, d.ID, old.Revision, d.Revision)
				}
			}
			if kind == record.RefPromotion {
				if err := wantSets(now, d); err != nil {
					return nil, err
				}
			}
			edits = append(edits, Edit{kind, d.ID, d.JSON})
		}
		return edits, nil
	}
}

// wantSets refuses a promotion that names a product set which is not there: no till could go by it.
func wantSets(now Now, d *Document) error {
	docs, err := promotion.ReadJSON(d.JSON)
	if err != nil {
		return fmt.Errorf("%w: promotion %s: %w", ErrDocument, d.ID, err)
	}
	for i := range docs {
		for _, id := range docs[i].Sets() {
			if id != promotion.All && len(now.Value(record.RefSet, id)) == 0 {
				return fmt.Errorf("%w: promotion %s names the product set %s, which is not there: put the set first", ErrDocument, d.ID, id)
			}
		}
	}
	return nil
}

// named gives a promotion that names a product set; empty: none does.
func named(now Now, set string) (string, error) {
	for _, id := range slices.Sorted(slices.Values(now.Keys(record.RefPromotion))) {
		docs, err := promotion.ReadJSON(now.Value(record.RefPromotion, id))
		if err != nil {
			return "", fmt.Errorf("promotion %s: %w", id, err)
		}
		for i := range docs {
			if slices.Contains(docs[i].Sets(), set) {
				return id, nil
			}
		}
	}
	return "", nil
}

// Stop makes the plan of a change that ends a promotion: its next revision, with the state "ended". It
// stays, so that tills can say that it has ended.
func Stop(id string) func(Now) ([]Edit, error) {
	return func(now Now) ([]Edit, error) {
		have := now.Value(record.RefPromotion, id)
		if len(have) == 0 {
			return nil, fmt.Errorf("promotion %s: %w", id, ErrNone)
		}
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(have, &fields); err != nil {
			return nil, fmt.Errorf("promotion %s: %w", id, err)
		}
		old, err := readDocument(have)
		if err != nil {
			return nil, fmt.Errorf("promotion %s: %w", id, err)
		}
		if string(fields["state"]) == `"ended"` {
			return nil, nil
		}
		fields["state"] = json.RawMessage(`"ended"`)
		fields["revision"] = fmt.Appendf(nil, "%d", old.Revision+1)
		text, err := json.Marshal(fields)
		if err == nil {
			err = form(record.RefPromotion, text)
		}
		if err != nil {
			return nil, fmt.Errorf("promotion %s: %w", id, err)
		}
		return []Edit{{record.RefPromotion, id, text}}, nil
	}
}

// Take makes the plan of a change that takes a record away.
func Take(kind record.RefKind, key string) func(Now) ([]Edit, error) {
	return func(now Now) ([]Edit, error) {
		if len(now.Value(kind, key)) == 0 {
			return nil, fmt.Errorf("%s %s: %w", kind, key, ErrNone)
		}
		if kind == record.RefSet {
			id, err := named(now, key)
			if err != nil {
				return nil, err
			}
			if id != "" {
				return nil, fmt.Errorf("%w: promotion %s names the product set %s: take that away first", ErrDocument, id, key)
			}
		}
		return []Edit{{Kind: kind, Key: key}}, nil
	}
}
