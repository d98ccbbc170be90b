package replica

import (
	"context"
	"fmt"
	"sync"

	"tillstream/central/fold"
)

// batch is proposals that become one entry, and whoever waits for them. All of them wait for one channel: a
// channel and an answer each was a good part of what a receipt cost where a thousand wait at once.
type batch struct {
	proposals []fold.Proposal
	size      int     // raw bytes
	there     []there // of other nodes

	done     chan struct{} // closed when what follows is set
	entry    uint64
	outcomes [][]byte
	err      error
}

// there is how another node is told what became of the i-th proposal.
type there struct {
	i    int
	tell func(entry uint64, outcome []byte, err error)
}

// result is what became of the batch's i-th proposal, once it is done.
func (b *batch) result(i int) (entry uint64, outcome []byte, err error) {
	if b.err != nil {
		return 0, nil, b.err
	}
	return b.entry, b.outcomes[i], nil
}

func (b *batch) answer(entry uint64, outcomes [][]byte) {
	b.entry, b.outcomes = entry, outcomes
	b.end()
}

func (b *batch) refuse(err error) {
	b.err = err
	b.end()
}

func (b *batch) end() {
	close(b.done)
	for _, t := range b.there {
		t.tell(b.result(t.i))
	}
}

// queue is the batches that wait for the fold, in the order in which their first proposals came. Only the
// last of them still grows.
type queue struct {
	some chan struct{} // buffer 1: there is a batch

	mu      sync.Mutex
	batches []*batch // guarded by mu, like all below
	ended   bool     // nobody takes any more
	usual   int      // proposals of the last batch
}

// mostBatches may wait; whoever comes then waits for a place.
const mostBatches = 8

func newQueue() *queue { return &queue{some: make(chan struct{}, 1)} }

// put gives a proposal its place in a batch. One of another node comes with how that is told.
func (q *queue) put(ctx context.Context, p fold.Proposal, tell func(uint64, []byte, error)) (*batch, int, error) {
	for {
		b, i, err := q.try(p, tell)
		if b == nil || i >= 0 {
			return b, i, err
		}
		select {
		case <-b.done: // there is room
		case <-ctx.Done():
			return nil, 0, fmt.Errorf("propose: %w", context.Cause(ctx))
		}
	}
}

// try gives -1 and the batch that goes first if there is no room.
func (q *queue) try(p fold.Proposal, tell func(uint64, []byte, error)) (*batch, int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.ended {
		return nil, 0, ErrNotWriter
	}
	n := len(q.batches)
	var b *batch
	if n > 0 {
		b = q.batches[n-1]
	}
	if b == nil || b.size+p.Size() > fold.MaxEntry {
		if n == mostBatches {
			return q.batches[0], -1, nil
		}
		b = &batch{done: make(chan struct{}), proposals: make([]fold.Proposal, 0, q.usual+q.usual/8)}
		q.batches = append(q.batches, b)
		q.signal()
	}
	i := len(b.proposals)
	b.proposals = append(b.proposals, p)
	b.size += p.Size()
	if tell != nil {
		b.there = append(b.there, there{i, tell})
	}
	return b, i, nil
}

// signal says that there is a batch. Callers hold mu.
func (q *queue) signal() {
	select {
	case q.some <- struct{}{}:
	default:
	}
}

// take gives the batch that goes first, or nil. Nothing is added to it any more.
func (q *queue) take() *batch {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.batches) == 0 {
		return nil
	}
	b := q.batches[0]
	q.usual = len(b.proposals)
	if q.batches = q.batches[1:]; len(q.batches) > 0 {
		q.signal()
	}
	return b
}

// end refuses what waits, and what comes.
func (q *queue) end(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.ended = true
	for _, b := range q.batches {
		b.refuse(err)
	}
	q.batches = nil
}
