package reference_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"tillstream/central/reference"
	"tillstream/kv"
	"tillstream/kv/record"
)

// Items come in at one node, every node has them, and a store takes them page by page.
func TestImportReachesEveryNodeAndItsStores(t *testing.T) {
	w := open(t)
	a, b := w.node(), w.node()
	first := a.change(reference.Import(goods(0, 20_000, 1), false))
	if first.New != 20_000 || first.Changed+first.Removed+first.Unchanged != 0 {
		t.Errorf("first import: %+v", first)
	}
	b.reaches(first.Entry)
	s := follow(t)
	s.all(b)
	s.same(a)
	if s.pages < 3 {
		t.Errorf("20,000 items came in %d pages: the test wants more than one", s.pages)
	}

	second := b.change(reference.Import(append(goods(0, 100, 2), goods(20_000, 50, 2)...), false))
	if second.New != 50 || second.Changed != 100 || second.Removed+second.Unchanged != 0 {
		t.Errorf("second import: %+v", second)
	}
	pages := s.pages
	a.reaches(second.Entry)
	s.all(a) // from the other node
	s.same(b)
	if s.pages != pages+1 {
		t.Errorf("150 changes came in %d pages", s.pages-pages)
	}
}

// What comes again changes nothing, and nobody is told of it.
func TestTheSameFileAgainIsNoChange(t *testing.T) {
	w := open(t)
	n := w.node()
	first := n.change(reference.Import(goods(0, 700, 1), false))
	again := n.change(reference.Import(goods(0, 700, 1), false))
	if again.Unchanged != 700 || again.New+again.Changed+again.Removed != 0 || again.Entry != first.Entry {
		t.Errorf("again: %+v, first %+v", again, first)
	}
	replaced := n.change(reference.Import(goods(0, 600, 1), true))
	if replaced.Removed != 100 || replaced.Unchanged != 600 || replaced.New+replaced.Changed != 0 {
		t.Errorf("replaced: %+v", replaced)
	}
	gone := n.change(reference.Import([]reference.Line{{Code: goods(0, 1, 1)[0].Code, Remove: true}, {Code: "never-there", Remove: true}}, false))
	if gone.Removed != 1 || gone.Unchanged != 1 {
		t.Errorf("removed: %+v", gone)
	}
	if got := n.Status().Records; got != 599 {
		t.Errorf("%d items, want 599", got)
	}
}

// Changes at two nodes at one time are all made, each on top of another.
func TestChangesAtOnceAreAllMade(t *testing.T) {
	w := open(t)
	nodes := []*node{w.node(), w.node()}
	var wg sync.WaitGroup
	for i, n := range nodes {
		wg.Go(func() {
			for k := range 10 {
				if _, err := n.Change(n.within(), reference.Import(goods(1000*i+k, 1, 1), false)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for _, n := range nodes {
		last := max(nodes[0].Status().Entry, nodes[1].Status().Entry)
		n.reaches(last)
		if got := n.Status().Records; got != 20 {
			t.Errorf("%d items, want 20", got)
		}
	}
}

// Many small changes are many parts, until they are written together. A node that starts then, and a
// store that was away meanwhile, have what the others have; parts that nobody names are let go of.
func TestManyChangesAreWrittenTogether(t *testing.T) {
	w := open(t)
	n := w.node()
	s := follow(t)
	n.change(reference.Import(goods(0, 2000, 1), false))
	s.all(n)
	most := 0
	for i := range 80 {
		n.change(reference.Import(goods(i*7, 9, i+2), false))
		most = max(most, n.Status().Parts)
		if i == 60 {
			n.change(reference.Import([]reference.Line{{Code: goods(1999, 1, 0)[0].Code, Remove: true}}, false))
		}
	}
	if most > 40 {
		t.Errorf("up to %d parts", most)
	}
	late := w.node()
	late.reaches(n.Status().Entry)
	if got, want := late.Status().Records, n.Status().Records; got != want || want != 1999 {
		t.Errorf("a late node has %d records, the other %d", got, want)
	}
	s.all(late)
	s.same(n)
	fresh := follow(t)
	fresh.all(late)
	fresh.same(n)
	bucket, err := kv.Open(t.Context(), w.js, kv.Reference(net.Brand))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := bucket.Keys(t.Context(), kv.ReferencePart("*"))
	if err != nil || len(keys) != n.Status().Parts {
		t.Errorf("%d parts lie in the bucket, the head names %d; %v", len(keys), n.Status().Parts, err)
	}
	of := kv.Reference(net.Brand)
	stream, err := w.js.Stream(t.Context(), of.Stream())
	if err != nil {
		t.Fatal(err)
	}
	// A marker for each part that there has ever been would be a subject in memory for each.
	if got := stream.CachedInfo().State.Msgs; got != uint64(len(keys)+1) {
		t.Errorf("the stream has %d messages for %d parts and a head", got, len(keys))
	}
}

// A removal is told for 45 days. A store that was away longer starts anew; one that was not does not.
func TestRemovalsAreToldFor45Days(t *testing.T) {
	w := open(t)
	n := w.node()
	n.change(reference.Import(goods(0, 10, 1), false))
	away := follow(t)
	away.all(n)
	n.change(reference.Import(goods(0, 9, 1), true))
	heard := follow(t)
	heard.all(n)
	w.later(44 * 24 * time.Hour)
	churn := func(from int) {
		for i := range 40 { // writes all parts together at least once
			n.change(reference.Import(goods(0, 1, from+i), false))
		}
	}
	churn(100)
	away.all(n)
	away.same(n)
	if away.resets != 0 {
		t.Error("reset although the removal is told still")
	}
	away.cursor.Entry = 1 // as if it had stayed away
	for _, r := range away.records {
		away.cursor.Entry = max(away.cursor.Entry, r.Entry)
	}
	w.later(2 * 24 * time.Hour)
	churn(200)
	late := w.node()
	late.reaches(n.Status().Entry)
	old := follow(t)
	old.cursor = record.Cursor{Generation: n.Status().Generation, Entry: 1}
	old.records["item"+goods(9, 1, 1)[0].Code] = record.Reference{}
	for _, from := range []*node{n, late} {
		s := follow(t)
		s.cursor, s.records = old.cursor, old.records
		s.all(from)
		s.same(n)
		if s.resets != 1 {
			t.Errorf("%d resets of a store that missed a removal, want 1", s.resets)
		}
	}
	heard.all(late)
	heard.same(n)
	if heard.resets != 0 {
		t.Error("reset of a store that has heard of every removal")
	}
}

// A node that has not come as far as a cursor says so; it never gives an older state.
func TestANodeThatIsBehindSaysSo(t *testing.T) {
	w := open(t)
	empty := reference.New(reference.Config{Brand: net.Brand, JS: w.js})
	if got := empty.Page(record.Cursor{}).Status; got != record.FeedBehind {
		t.Errorf("a node that has seen nothing: status %d", got)
	}
	n := w.node()
	r := n.change(reference.Import(goods(0, 1, 1), false))
	at := record.Cursor{Generation: n.Status().Generation, Entry: r.Entry + 1}
	if got := n.Page(at).Status; got != record.FeedBehind {
		t.Errorf("a cursor ahead: status %d", got)
	}
	if got := n.Page(record.Cursor{Generation: record.Generation{1}, Entry: r.Entry}); got.Status != record.FeedReset || got.Cursor.Generation != at.Generation {
		t.Errorf("an unknown generation: %+v", got)
	}
	if got := n.Page(record.Cursor{Generation: at.Generation, Entry: r.Entry}); got.Status != record.FeedItems || len(got.Records) != 0 || got.More {
		t.Errorf("a cursor that has all: %+v", got)
	}
}

// Before anything was put there is nothing, and that is an answer. It never makes a store drop what it has.
func TestAnEmptyBucket(t *testing.T) {
	n := open(t).node()
	r := n.change(func(reference.Now) ([]reference.Edit, error) { return nil, nil })
	if r != (reference.Result{}) {
		t.Errorf("no edits: %+v", r)
	}
	if p := n.Page(record.Cursor{}); p.Status != record.FeedItems || p.More || len(p.Records) != 0 {
		t.Errorf("page %+v", p)
	}
	if p := n.Page(record.Cursor{Generation: record.Generation{7}, Entry: 3}); p.Status != record.FeedBehind {
		t.Errorf("page for who has something: %+v", p)
	}
}

// A bucket that is made anew is another generation, and its entries are above the old one's.
func TestABucketMadeAnew(t *testing.T) {
	w := open(t)
	n := w.node()
	first := n.change(reference.Import(goods(0, 5, 1), false))
	s := follow(t)
	s.all(n)
	n.stop()
	if err := w.js.DeleteKeyValue(t.Context(), kv.Reference(net.Brand).Name); err != nil {
		t.Fatal(err)
	}
	for _, b := range kv.Buckets(net.Brand) {
		if _, err := w.js.CreateStream(t.Context(), bucket(t, b)); err != nil {
			t.Fatal(err)
		}
	}
	w.later(time.Minute)
	n = w.node()
	second := n.change(reference.Import(goods(3, 4, 2), false))
	if second.Entry <= first.Entry {
		t.Errorf("entry %d in the new bucket, %d in the old one", second.Entry, first.Entry)
	}
	s.all(n)
	s.same(n)
	if s.resets != 1 {
		t.Errorf("%d resets", s.resets)
	}
}

// A plan that fails changes nothing.
func TestAPlanThatFails(t *testing.T) {
	n := open(t).node()
	r := n.change(reference.Import(goods(0, 5, 1), false))
	wrong := errors.New("wrong")
	if _, err := n.Change(n.within(), func(reference.Now) ([]reference.Edit, error) { return nil, wrong }); !errors.Is(err, wrong) {
		t.Errorf("error %v", err)
	}
	big := []reference.Edit{{Kind: record.RefSetting, Key: "a", Value: []byte("v")},
		{Kind: record.RefSetting, Key: "b", Value: make([]byte, record.MaxRefValue+1)}}
	if _, err := n.Change(n.within(), func(reference.Now) ([]reference.Edit, error) { return big, nil }); !errors.Is(err, reference.ErrDocument) {
		t.Errorf("error %v", err)
	}
	if got := n.Status(); got.Records != 5 || got.Entry != r.Entry {
		t.Errorf("status %+v", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := n.Change(ctx, reference.Import(goods(9, 1, 1), false)); err == nil {
		t.Error("a change whose caller has gone was made")
	}
}

// The head is moved by compare-and-set: a change that starts from what was, and not from what is, would
// take back what others have put.
func TestAChangeFromAnOldHeadIsMadeAgain(t *testing.T) {
	w := open(t)
	a, b := w.node(), w.node()
	a.change(reference.Import(goods(0, 1, 1), false))
	plans := 0
	r, err := b.Change(b.within(), func(now reference.Now) ([]reference.Edit, error) {
		if plans++; plans == 1 {
			// Meanwhile, elsewhere. It is b's lock that is held here, not a's.
			a.change(reference.Import(goods(1, 1, 1), false))
		}
		return reference.Import(goods(2, 1, plans), false)(now)
	})
	if err != nil || plans < 2 {
		t.Fatalf("planned %d times: %v", plans, err)
	}
	a.reaches(r.Entry)
	if got := a.Status().Records; got != 3 {
		t.Errorf("%d items, want 3", got)
	}
}

func TestDocuments(t *testing.T) {
	n := open(t).node()
	docs, err := reference.ReadDocuments(record.RefPromotion, []byte(strings.Join([]string{
		`- {schema: promotion/v1, id: coffee-25, revision: 3, name: "Coffee minus 25 %", text: {en: "Coffee -25%"},`,
		`   mechanic: {type: percentage, level: item, set: coffee, percent: "25"}}`,
		`- {"schema": "promotion/v1", "id": "tea", "revision": 1, "name": "Tea", "text": {"en": "Tea"},`,
		`   "mechanic": {"type": "amount", "per": "unit", "set": "tea", "amount": 10}}`,
	}, "\n")))
	if err != nil {
		t.Fatal(err)
	}
	// What a promotion works on has to be there before it, for as long as it is.
	if _, err := n.Change(n.within(), reference.Put(record.RefPromotion, docs)); !errors.Is(err, reference.ErrDocument) || !strings.Contains(err.Error(), "coffee") {
		t.Errorf("promotions without their sets: %v", err)
	}
	sets, err := reference.ReadDocuments(record.RefSet, []byte(`[{id: coffee, revision: 1, include: {tags: [coffee]}}, {id: tea, revision: 1, include: {tags: [tea]}}]`))
	if err != nil {
		t.Fatal(err)
	}
	n.change(reference.Put(record.RefSet, sets))
	if r := n.change(reference.Put(record.RefPromotion, docs)); r.New != 2 {
		t.Errorf("put: %+v", r)
	}
	if _, err := n.Change(n.within(), reference.Take(record.RefSet, "coffee")); !errors.Is(err, reference.ErrDocument) || !strings.Contains(err.Error(), "coffee-25") {
		t.Errorf("a set is taken away that a promotion names: %v", err)
	}
	if r := n.change(reference.Put(record.RefPromotion, docs)); r.Unchanged != 2 {
		t.Errorf("put again: %+v", r)
	}
	put := func(revision int, name string) error {
		text := fmt.Sprintf(`{schema: promotion/v1, id: tea, revision: %d, name: %s, text: {en: "Tea"},
			mechanic: {type: amount, per: unit, set: tea, amount: 10}}`, revision, name)
		d, err := reference.ReadDocuments(record.RefPromotion, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		_, err = n.Change(n.within(), reference.Put(record.RefPromotion, d))
		return err
	}
	if err := put(1, "Other"); !errors.Is(err, reference.ErrDocument) {
		t.Errorf("another text under a revision that is out: %v", err)
	}
	if err := put(2, "Other"); err != nil {
		t.Error(err)
	}
	if r := n.change(reference.Stop("tea")); r.Changed != 1 {
		t.Errorf("stop: %+v", r)
	}
	if r := n.change(reference.Stop("tea")); r.Changed+r.Unchanged != 0 {
		t.Errorf("stop again: %+v", r)
	}
	got, _ := n.Get(record.RefPromotion, "tea")
	for _, part := range []string{`"state":"ended"`, `"revision":3`, `"name":"Other"`} {
		if !strings.Contains(string(got.Value), part) {
			t.Errorf("stopped: %s, want %s", got.Value, part)
		}
	}
	for _, plan := range []func(reference.Now) ([]reference.Edit, error){
		reference.Stop("none"), reference.Take(record.RefPromotion, "none"),
	} {
		if _, err := n.Change(n.within(), plan); !errors.Is(err, reference.ErrNone) {
			t.Errorf("of what is not there: %v", err)
		}
	}
	if r := n.change(reference.Take(record.RefPromotion, "coffee-25")); r.Removed != 1 {
		t.Errorf("take: %+v", r)
	}
	if r := n.change(reference.Take(record.RefSet, "coffee")); r.Removed != 1 {
		t.Errorf("take a set: %+v", r)
	}
}

const tea = `{schema: promotion/v1, id: tea, revision: 1, name: Tea, text: {en: Tea}, mechanic: {type: amount, per: unit, set: tea, amount: 10}}`

func TestDocumentsThatAreNone(t *testing.T) {
	if docs, err := reference.ReadDocuments(record.RefPromotion, []byte(tea)); err != nil || len(docs) != 1 || docs[0].ID != "tea" {
		t.Errorf("one that is: %+v, %v", docs, err)
	}
	for name, text := range map[string]string{
		"empty":            ``,
		"no object":        `7`,
		"empty list":       `[]`,
		"no id":            `{schema: promotion/v1, revision: 1}`,
		"a wild id":        `{schema: promotion/v1, id: "a.*", revision: 1}`,
		"no revision":      `{schema: promotion/v1, id: a}`,
		"revision 0":       `{schema: promotion/v1, id: a, revision: 0}`,
		"revision as text": `{schema: promotion/v1, id: a, revision: "1"}`,
		"no schema":        `{id: a, revision: 1}`,
		"another schema":   `{schema: promotion/v2, id: a, revision: 1}`,
		"no mechanic":      `{schema: promotion/v1, id: a, revision: 1, name: A, text: {en: A}}`,
		"a typo":           `{schema: promotion/v1, id: a, revision: 1, name: A, text: {en: A}, copuon: x, mechanic: {type: percentage, percent: "10"}}`,
		"a plain hour":     `{schema: promotion/v1, id: a, revision: 1, name: A, text: {en: A}, schedule: [{from: 11:00}], mechanic: {type: percentage, percent: "10"}}`,
		"twice":            `[` + tea + `, ` + tea + `]`,
		"a key twice":      `{schema: promotion/v1, id: a, id: b, revision: 1}`,
		"not UTF-8":        "{schema: promotion/v1, id: a, revision: 1, name: \"\xff\"}",
		"nested":           strings.Repeat("[", 100_000),
		"cut short":        `{schema: promotion/v1, id: a`,
		"a tab":            "\t{",
	} {
		if docs, err := reference.ReadDocuments(record.RefPromotion, []byte(text)); !errors.Is(err, reference.ErrDocument) {
			t.Errorf("%s: read %+v, error %v", name, docs, err)
		}
	}
}
