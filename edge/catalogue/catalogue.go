package catalogue

import (
	"iter"
	"maps"
	"slices"

	"tillstream/kv/record"
)

// Catalogue is what every store gets, as of one revision. It is safe for many goroutines.
type Catalogue struct {
	revision uint64
	items    int
	base     *table
	since    map[string]fresh // items that are not as in base
	rest     map[record.RefKind]map[string]Document
}

// fresh is an item that has changed since the table was made; without a value it was taken away.
type fresh struct {
	entry uint64
	value string
}

// Document is a promotion, a product set or a setting.
type Document struct {
	ID    string
	Entry uint64 // that changed it last
	JSON  []byte // not to be changed
}

// Empty is a catalogue in which nothing is.
func Empty() *Catalogue {
	return &Catalogue{base: new(builder).table(), rest: map[record.RefKind]map[string]Document{}}
}

// Revision is the entry of the last change in it; zero if nothing has ever come.
func (c *Catalogue) Revision() uint64 { return c.revision }

// Items is how many items there are.
func (c *Catalogue) Items() int { return c.items }

// Item gives the item of a code, which has to be in the form of record.ItemCode.
func (c *Catalogue) Item(code string) (record.Product, bool) {
	value, _, found := c.item(code)
	if !found {
		return record.Product{}, false
	}
	p, err := record.ReadProduct(value)
	return p, err == nil // of a newer version of this program: not known here
}

func (c *Catalogue) item(code string) (value string, entry uint64, found bool) {
	if f, ok := c.since[code]; ok {
		return f.value, f.entry, f.value != ""
	}
	i, ok := c.base.get(code)
	return i.value, i.entry, ok
}

// Document gives one promotion, product set or setting.
func (c *Catalogue) Document(kind record.RefKind, id string) (Document, bool) {
	d, ok := c.rest[kind][id]
	return d, ok
}

// Documents gives all of a kind, by id.
func (c *Catalogue) Documents(kind record.RefKind) []Document {
	all := make([]Document, 0, len(c.rest[kind]))
	for _, id := range slices.Sorted(maps.Keys(c.rest[kind])) {
		all = append(all, c.rest[kind][id])
	}
	return all
}

// Same reports whether two catalogues have the same documents of a kind, the very same: what was made from
// one is good for the other.
func (c *Catalogue) Same(o *Catalogue, kind record.RefKind) bool {
	return maps.EqualFunc(c.rest[kind], o.rest[kind], func(a, b Document) bool { return a.Entry == b.Entry })
}

// rebuildAt is how many changes, at least, a catalogue has beside its table before another is made.
const rebuildAt = 1024

// Next gives the catalogue after some changes; of several of one record the last counts. The changes are
// not kept.
func (c *Catalogue) Next(revision uint64, changes iter.Seq[record.Reference]) *Catalogue {
	n := &Catalogue{revision: revision, items: c.items, base: c.base, rest: maps.Clone(c.rest)}
	n.since = make(map[string]fresh, len(c.since))
	maps.Copy(n.since, c.since)
	own := map[record.RefKind]bool{} // maps of n that c does not have too
	for r := range changes {
		if r.Kind == record.RefItem {
			n.put(&r)
			if len(n.since) > max(rebuildAt, n.base.items) { // a first fill would double its size in memory
				n.rebuild()
			}
			continue
		}
		if !own[r.Kind] {
			n.rest[r.Kind] = maps.Clone(n.rest[r.Kind])
			if n.rest[r.Kind] == nil {
				n.rest[r.Kind] = map[string]Document{}
			}
			own[r.Kind] = true
		}
		if r.Removed() {
			delete(n.rest[r.Kind], r.Key)
		} else {
			n.rest[r.Kind][r.Key] = Document{r.Key, r.Entry, slices.Clone(r.Value)}
		}
	}
	if len(n.since) > max(rebuildAt, n.base.items/8) {
		n.rebuild()
	}
	return n
}

func (c *Catalogue) put(r *record.Reference) {
	_, _, found := c.item(r.Key)
	if found {
		c.items--
	}
	if !r.Removed() {
		c.items++
	} else if _, ok := c.base.get(r.Key); !ok {
		delete(c.since, r.Key)
		return
	}
	c.since[r.Key] = fresh{r.Entry, string(r.Value)}
}

// rebuild puts everything into one table.
func (c *Catalogue) rebuild() {
	var b builder
	size := len(c.base.text)
	for code, f := range c.since {
		size += len(code) + len(f.value) + 16
	}
	b.text.Grow(size)
	for i := range c.base.all {
		if _, ok := c.since[i.code]; !ok {
			b.add(i.code, i.entry, i.value)
		}
	}
	for code, f := range c.since {
		if f.value != "" {
			b.add(code, f.entry, f.value)
		}
	}
	c.base, c.since = b.table(), map[string]fresh{}
}
