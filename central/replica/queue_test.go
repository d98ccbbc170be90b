package replica

import (
	"context"
	"errors"
	"testing"

	"tillstream/central/fold"
)

func putIn(t *testing.T, q *queue, size int) (*batch, int) {
	t.Helper()
	b, i, err := q.put(t.Context(), fold.Proposal{Rest: make([]byte, size)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return b, i
}

// What waits becomes entries in the order in which it came, none of them larger than an entry may be but for
// a proposal that is so alone.
func TestProposalsWaitInBatches(t *testing.T) {
	q := newQueue()
	a, i := putIn(t, q, 10)
	b, k := putIn(t, q, 10)
	large, _ := putIn(t, q, fold.MaxEntry)
	alone, _ := putIn(t, q, fold.MaxEntry+1)
	last, _ := putIn(t, q, 1)
	if a != b || i != 0 || k != 1 || large == a || alone == large || last == alone {
		t.Fatal("want two in the first batch and one in each of three more")
	}
	for n, want := range []*batch{a, large, alone, last, nil} {
		if got := q.take(); got != want {
			t.Fatalf("batch %d is another", n)
		}
	}
	if c, i := putIn(t, q, 10); c == last || i != 0 {
		t.Fatal("a batch that was taken has grown")
	}
}

// Whoever waits for a place gets one, or hears that there is none any more.
func TestAFullQueueWaits(t *testing.T) {
	q := newQueue()
	for range mostBatches {
		putIn(t, q, fold.MaxEntry)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := q.put(ctx, fold.Proposal{Rest: make([]byte, 10)}, nil); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want the end of the context", err)
	}
	placed := make(chan error, 1)
	go func() {
		_, _, err := q.put(t.Context(), fold.Proposal{Rest: make([]byte, 10)}, nil)
		placed <- err
	}()
	b := q.take()
	b.answer(1, [][]byte{nil})
	if err := <-placed; err != nil {
		t.Fatal(err)
	}
	var told error
	if _, _, err := q.put(t.Context(), fold.Proposal{}, func(_ uint64, _ []byte, err error) { told = err }); err != nil {
		t.Fatal(err)
	}
	q.end(ErrNotWriter)
	if !errors.Is(told, ErrNotWriter) {
		t.Fatalf("another node was told %v", told)
	}
	if _, _, err := q.put(t.Context(), fold.Proposal{}, nil); !errors.Is(err, ErrNotWriter) {
		t.Fatalf("got %v after the end", err)
	}
}
