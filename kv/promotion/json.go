package promotion

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// MaxDepth is how deep a document may be nested; the deepest there is has five levels.
const MaxDepth = 32

// MaxSize bounds the bytes of a document or of a list of them.
const MaxSize = 16 << 20

// ReadJSON reads one promotion, or a list of them. What is wrong is a [Faults] or the JSON's own error.
func ReadJSON(b []byte) ([]Promotion, error) {
	v, err := parseJSON(b)
	if err != nil {
		return nil, fmt.Errorf("read promotions: %w", err)
	}
	return readPromotions(v)
}

// ReadSetsJSON reads one product set, or a list of them.
func ReadSetsJSON(b []byte) ([]Set, error) {
	v, err := parseJSON(b)
	if err != nil {
		return nil, fmt.Errorf("read product sets: %w", err)
	}
	return readSets(v)
}

func parseJSON(b []byte) (any, error) {
	if len(b) > MaxSize {
		return nil, fmt.Errorf("over %d bytes", MaxSize)
	}
	if !utf8.Valid(b) {
		return nil, errors.New("not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	v, err := jsonValue(d, "", 0)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is more after the document")
	}
	return v, nil
}

// jsonValue reads one value. encoding/json would let the last of two equal keys win.
func jsonValue(d *json.Decoder, at string, depth int) (any, error) {
	if depth > MaxDepth {
		return nil, Faults{{at, fmt.Sprintf("nested deeper than %d", MaxDepth)}}
	}
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t := t.(type) {
	case json.Number:
		return number(t), nil
	case json.Delim:
		if t == '{' {
			return jsonObject(d, at, depth)
		}
		l := list{}
		for d.More() {
			v, err := jsonValue(d, index(at, len(l)), depth+1)
			if err != nil {
				return nil, err
			}
			l = append(l, v)
		}
		_, err := d.Token() // the closing bracket
		return l, err
	case nil:
		return nothing{}, nil
	}
	return t, nil // string, bool
}

func jsonObject(d *json.Decoder, at string, depth int) (any, error) {
	o := &object{}
	seen := map[string]bool{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, err
		}
		key, _ := t.(string) // the decoder lets nothing else stand here
		if seen[key] {
			return nil, Faults{{at + "/" + escape(key), "stands here twice"}}
		}
		seen[key] = true
		v, err := jsonValue(d, at+"/"+escape(key), depth+1)
		if err != nil {
			return nil, err
		}
		o.members = append(o.members, member{key, v})
	}
	_, err := d.Token() // the closing brace
	return o, err
}
