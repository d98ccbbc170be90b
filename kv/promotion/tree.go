package promotion

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A document is first a tree of what JSON can say, whichever way it was written:
type (
	object struct{ members []member } // in the order of the document
	member struct {
		key   string
		value any
	}
	list    []any
	number  string // as written
	wrong   string // a value that may not stand in a document; the reason
	nothing struct{}
	// and string, bool
)

// Fault is one thing wrong with a document.
type Fault struct {
	Pointer string // JSON pointer (RFC 6901); "" is the whole document
	Reason  string // what is wrong or what to write instead
}

// Faults are what is wrong with a document, in its order.
type Faults []Fault

// maxFaults is how many are told: who is told more reads none.
const maxFaults = 20

func (f Faults) Error() string {
	var b strings.Builder
	for i, x := range f {
		if i > 0 {
			b.WriteString("; ")
		}
		if x.Pointer != "" {
			b.WriteString(x.Pointer + ": ")
		}
		b.WriteString(x.Reason)
	}
	return b.String()
}

// reader collects faults while it reads trees.
type reader struct{ faults Faults }

func (r *reader) fault(at, format string, args ...any) {
	if len(r.faults) < maxFaults {
		r.faults = append(r.faults, Fault{at, fmt.Sprintf(format, args...)})
	}
}

func (r *reader) err() error {
	if len(r.faults) == 0 {
		return nil
	}
	return r.faults
}

// escape makes a key a part of a JSON pointer.
func escape(key string) string {
	return strings.ReplaceAll(strings.ReplaceAll(key, "~", "~0"), "/", "~1")
}

// kind names a value for a person.
func kind(v any) string {
	switch v := v.(type) {
	case *object:
		return "an object"
	case list:
		return "a list"
	case number:
		return "a number"
	case string:
		return "text"
	case bool:
		return "true or false"
	case wrong:
		return string(v)
	}
	return "nothing"
}

// keys reads an object's members: every key that is read is taken away, and what is left is unknown.
type keys struct {
	r    *reader
	at   string
	left []member
	all  []string // asked for so far
	none bool     // the value was no object: that has been said
}

// object gives the keys of v. A value that is no object has none, and is a fault.
func (r *reader) object(at string, v any) *keys {
	o, ok := v.(*object)
	if !ok {
		r.fault(at, "want an object, not %s", kind(v))
		return &keys{r: r, at: at, none: true}
	}
	return &keys{r: r, at: at, left: slices.Clone(o.members)}
}

func (k *keys) pointer(key string) string { return k.at + "/" + escape(key) }

// take gives the value of a key, if it is there.
func (k *keys) take(key string) (any, bool) {
	k.all = append(k.all, key)
	for i, m := range k.left {
		if m.key == key {
			k.left = slices.Delete(k.left, i, i+1)
			return m.value, true
		}
	}
	return nil, false
}

// need gives the value of a key that must be there.
func (k *keys) need(key string) (any, bool) {
	v, ok := k.take(key)
	if !ok && !k.none {
		k.r.fault(k.pointer(key), "is needed")
	}
	return v, ok
}

// done faults what was not asked for.
func (k *keys) done() {
	for _, m := range k.left {
		k.r.fault(k.pointer(m.key), "unknown key: there are %s", strings.Join(k.all, ", "))
	}
}

func (r *reader) list(at string, v any, least int) list {
	l, ok := v.(list)
	if !ok {
		r.fault(at, "want a list, not %s", kind(v))
		return nil
	}
	if len(l) < least {
		r.fault(at, "want at least %d", least)
	}
	return l
}

func index(at string, i int) string { return at + "/" + strconv.Itoa(i) }
