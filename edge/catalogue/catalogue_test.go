package catalogue_test

import (
	"fmt"
	"maps"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"tillstream/edge/catalogue"
	"tillstream/kv/record"
)

func item(code, name string, entry uint64) record.Reference {
	p := record.Product{Name: name, Category: "food/dairy/milk"}
	return record.Reference{Kind: record.RefItem, Key: code, Entry: entry, Value: p.Append(nil)}
}

// A catalogue is what a map would be after the same changes; the ones before it stay as they were.
func TestCatalogueIsAMapThatStays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := catalogue.Empty()
		model := map[string]string{}
		type version struct {
			c     *catalogue.Catalogue
			model map[string]string
		}
		var all []version
		entry := uint64(0)
		for range rapid.IntRange(1, 6).Draw(t, "revisions") {
			var changes []record.Reference
			size := rapid.SampledFrom([]int{1, 3, 3, 50, 50, 1500}).Draw(t, "size") // the last makes another table
			from := rapid.IntRange(0, 3000).Draw(t, "from")
			removes := rapid.IntRange(0, 4).Draw(t, "removes")
			for i := range size {
				entry++
				code, name := fmt.Sprintf("c%d", (from+i*7)%3000), fmt.Sprintf("n%d", entry)
				if i%5 < removes {
					changes = append(changes, record.Reference{Kind: record.RefItem, Key: code, Entry: entry})
					delete(model, code)
					continue
				}
				changes = append(changes, item(code, name, entry))
				model[code] = name
			}
			c = c.Next(entry, slices.Values(changes))
			all = append(all, version{c, maps.Clone(model)})
		}
		for _, v := range all {
			if v.c.Items() != len(v.model) {
				t.Fatalf("revision %d: %d items, want %d", v.c.Revision(), v.c.Items(), len(v.model))
			}
			for i := v.c.Items() % 5; i < 3000; i += 5 {
				code := fmt.Sprintf("c%d", i)
				p, ok := v.c.Item(code)
				if want, there := v.model[code]; ok != there || p.Name != want {
					t.Fatalf("revision %d: %s is %q, %t; want %q, %t", v.c.Revision(), code, p.Name, ok, want, there)
				}
			}
		}
	})
}

func TestDocuments(t *testing.T) {
	put := func(kind record.RefKind, id, text string, entry uint64) record.Reference {
		return record.Reference{Kind: kind, Key: id, Entry: entry, Value: []byte(text)}
	}
	first := catalogue.Empty().Next(2, slices.Values([]record.Reference{
		put(record.RefPromotion, "tea", "t1", 1), put(record.RefPromotion, "coffee", "c1", 2), put(record.RefSet, "tea", "set", 2)}))
	second := first.Next(4, slices.Values([]record.Reference{
		put(record.RefPromotion, "tea", "t2", 3), put(record.RefPromotion, "coffee", "", 4)}))
	said := func(c *catalogue.Catalogue, kind record.RefKind) string {
		var b strings.Builder
		for _, d := range c.Documents(kind) {
			fmt.Fprintf(&b, "%s=%s@%d ", d.ID, d.JSON, d.Entry)
		}
		return b.String()
	}
	for _, c := range []struct {
		got, want string
	}{
		{said(first, record.RefPromotion), "coffee=c1@2 tea=t1@1 "}, {said(second, record.RefPromotion), "tea=t2@3 "},
		{said(first, record.RefSet), "tea=set@2 "}, {said(second, record.RefSet), "tea=set@2 "}, {said(second, record.RefSetting), ""},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
	if first.Same(second, record.RefPromotion) || !first.Same(second, record.RefSet) {
		t.Error("the promotions are the same, or the sets are not")
	}
	if _, ok := second.Document(record.RefPromotion, "coffee"); ok {
		t.Error("a document that was taken away is there")
	}
}

// Readers go on while another catalogue is made; under the race detector this shows that nothing is shared
// that changes.
func TestReadersAreNotDisturbed(t *testing.T) {
	c := catalogue.Empty().Next(1, slices.Values([]record.Reference{item("a", "A", 1), item("b", "B", 1)}))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 1000 {
				if p, ok := c.Item("a"); !ok || p.Name != "A" || c.Items() != 2 {
					t.Error("the catalogue has changed")
					return
				}
			}
		})
	}
	next := c
	for i := range uint64(300) {
		next = next.Next(i+2, slices.Values([]record.Reference{item("a", fmt.Sprint(i), i+2), item(fmt.Sprint(i), "x", i+2)}))
	}
	wg.Wait()
	if next.Items() != 302 {
		t.Errorf("%d items", next.Items())
	}
}

const many = 200_000

// goods are items as a supermarket has them.
func goods(yield func(record.Reference) bool) {
	for i := range many {
		p := record.Product{Name: fmt.Sprintf("Name of the item %d, 500 g", i), Category: fmt.Sprintf("department-%d/group-%d/kind-%d", i%12, i%200, i%3000)}
		if i%7 == 0 {
			p.Tags = []string{"organic"}
		}
		r := record.Reference{Kind: record.RefItem, Key: fmt.Sprintf("%014d", i), Entry: uint64(i/500 + 1), Value: p.Append(nil)}
		if !yield(r) {
			return
		}
	}
}

// 200,000 items take bounded memory, and a look-up allocates nothing but a list of tags.
func TestSizeOfManyItems(t *testing.T) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	c := catalogue.Empty().Next(many, goods)
	runtime.GC()
	runtime.ReadMemStats(&after)
	bytes := int64(after.HeapAlloc) - int64(before.HeapAlloc)
	t.Logf("%d items: %d bytes, %d an item; %d objects", c.Items(), bytes, bytes/many, int64(after.HeapObjects)-int64(before.HeapObjects))
	if bytes > many*200 || c.Items() != many {
		t.Errorf("%d bytes for %d items", bytes, c.Items())
	}
	if n := testing.AllocsPerRun(100, func() {
		if _, ok := c.Item("00000000000001"); !ok {
			t.Error("an item is not found")
		}
		if _, ok := c.Item("never there"); ok {
			t.Error("an item is found that is not there")
		}
	}); n > 0 {
		t.Errorf("%v allocations a look-up", n)
	}
	if p, ok := c.Item("00000000000007"); !ok || !reflect.DeepEqual(p.Tags, []string{"organic"}) {
		t.Errorf("%+v, %t", p, ok)
	}
}

func BenchmarkItem(b *testing.B) {
	c := catalogue.Empty().Next(many, goods)
	codes := make([]string, 1024)
	for i := range codes {
		codes[i] = fmt.Sprintf("%014d", i*191)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, ok := c.Item(codes[i%len(codes)]); !ok {
			b.Fatal("not found")
		}
	}
}

func BenchmarkNextOfOneChange(b *testing.B) {
	c := catalogue.Empty().Next(many, goods)
	b.ReportAllocs()
	for i := uint64(1); b.Loop(); i++ {
		c.Next(many+i, slices.Values([]record.Reference{item("00000000000001", "x", many+i)}))
	}
}
