package replica

import (
	"context"
	"errors"
	"testing"
	"time"

	"tillstream/central/fold"
)

// A place is the same on every node, wakes with the fold, and lines go on from it without one missing or twice, wherever
// they lie.
func TestLinesGoOnFromAPlace(t *testing.T) {
	c := started(t, func() (*centre, error) { return single() })
	w := c.writer()
	ctx, cancel := context.WithTimeout(t.Context(), patient)
	defer cancel()
	n := w.propose("one")
	woken := make(chan Place, 1)
	go func() {
		p, err := w.Beyond(ctx, n)
		if err != nil {
			t.Error(err)
		}
		woken <- p
	}()
	last := w.propose("two")
	if p := <-woken; p.Entry < last || p.Generation != w.Generation() || p.At == 0 {
		t.Errorf("woken at %+v, want entry %d", p, last)
	}
	for range 3 {
		w.propose("more")
	}
	var all, at []uint64
	if err := w.Lines(func(pos uint64, _ []byte) error { all = append(all, pos); return nil }); err != nil {
		t.Fatal(err)
	}
	end, err := w.Beyond(ctx, 0)
	if err != nil {
		t.Fatal(err)
	}
	for i, from := range append(all, end.Line) {
		at = nil
		if err := w.LinesFrom(from, func(pos uint64, _ []byte) error { at = append(at, pos); return nil }); err != nil {
			t.Fatal(err)
		}
		if len(at) != len(all)-i || len(at) > 0 && at[0] != from {
			t.Errorf("from line %d at %d: lines at %v of %v", i, from, at, all)
		}
	}
	if err := w.LinesFrom(end.Line+1<<20, func(uint64, []byte) error { return nil }); err == nil {
		t.Error("lines from beyond the end")
	}
	late, done := context.WithTimeout(t.Context(), time.Millisecond)
	defer done()
	if _, err := w.Beyond(late, end.Entry+1000); !errors.Is(err, ErrBehind) {
		t.Errorf("beyond the end: %v", err)
	}
}

// The first entry since a moment is found, at both ends of the journal and of an empty one.
func TestFirstSince(t *testing.T) {
	c := newChain(t, func() (*centre, error) { return single() })
	if n, err := FirstSince(t.Context(), c.js, c.net, 0); err != nil || n != 1 {
		t.Errorf("of an empty journal: %d, %v", n, err)
	}
	m := c.nodes[0]
	m.start()
	c.writer()
	for range 6 {
		m.propose("x")
	}
	var at []int64
	source, err := OpenSourceAt(t.Context(), c.js, c.net, 0)
	if err != nil {
		t.Fatal(err)
	}
	for {
		var e *fold.Entry
		if _, e, err = source.Next(t.Context()); err != nil {
			break
		}
		at = append(at, e.At)
	}
	for _, since := range append([]int64{0, at[len(at)-1] + 1}, at...) {
		want := uint64(1)
		for _, a := range at {
			if a < since {
				want++
			}
		}
		if n, err := FirstSince(t.Context(), c.js, c.net, since); err != nil || n != want {
			t.Errorf("since %d of %v: entry %d, %v; want %d", since, at, n, err, want)
		}
	}
}
