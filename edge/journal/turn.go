package journal

import (
	"errors"
	"runtime"
	"slices"

	"go.etcd.io/bbolt"

	"tillstream/kv/record"
)

// entry is a caller that waits. Its fields belong to the caller until it is in the queue, then to
// whoever has the turn, and to the caller again when done is closed.
type entry struct {
	done chan struct{}
	err  error

	commit   bool
	rec      record.Receipt // the draft, then the answer
	repeated bool

	rehome bool // of Rehome
	moved  int  // the answer: receipts that were moved
	more   bool // there are more

	packs []sent        // of Accept
	marks []record.Mark // the answer
}

// errGone means that a caller's context was over before its entry was taken up.
var errGone = errors.New("not taken up")

// submit puts e in the queue and returns when it is done, or with errGone when gone is closed before
// it was taken up. Once it is taken up, it is waited for: the rest is one transaction.
func (j *Journal) submit(gone <-chan struct{}, e *entry) error {
	e.done = make(chan struct{})
	j.queue.Lock()
	if j.queue.closed {
		j.queue.Unlock()
		return ErrClosed
	}
	j.queue.waiting = append(j.queue.waiting, e)
	j.queue.Unlock()
	select {
	case <-e.done:
	case j.turn <- struct{}{}:
		j.work()
		<-j.turn
		<-e.done // closed by us, or by who had the turn before
	case <-gone:
		if j.withdraw(e) {
			return errGone
		}
		<-e.done
	}
	return e.err
}

func (j *Journal) withdraw(e *entry) bool {
	j.queue.Lock()
	defer j.queue.Unlock()
	n := len(j.queue.waiting)
	j.queue.waiting = slices.DeleteFunc(j.queue.waiting, func(w *entry) bool { return w == e })
	return len(j.queue.waiting) < n
}

func (j *Journal) take() []*entry {
	j.queue.Lock()
	defer j.queue.Unlock()
	w := j.queue.waiting
	j.queue.waiting = nil
	return w
}

// work does all that is waiting, in one transaction. The caller has the turn.
func (j *Journal) work() {
	// Callers that were answered together come back together: let those that can run queue up first.
	// Who is alone does not wait for anybody.
	if j.crowd {
		runtime.Gosched()
	}
	entries := j.take()
	if len(entries) == 0 {
		return
	}
	j.crowd = len(entries) > 1
	b := newBatch(j)
	err := j.file.view(func(tx *bbolt.Tx) error { return b.plan(tx, entries) })
	if err == nil {
		err = j.keep(b)
	}
	if err == nil {
		j.warn(b.warnings)
	}
	for _, e := range entries {
		if err != nil && e.err == nil {
			e.err = err
		}
		if e.err == nil {
			b.answer(e)
		}
		close(e.done)
	}
}

// keep writes what b planned, and only then changes memory.
func (j *Journal) keep(b *batch) error {
	for _, id := range j.unsure {
		b.touch(id)
	}
	if len(b.touched) == 0 && len(j.unsure) == 0 {
		return nil // nothing but repeats, all of them surely on the disk
	}
	b.index(false)
	if err := j.file.update(b.write); err != nil {
		j.reread(b)
		return err
	}
	// From here on the records are kept. If we die here, the POS asks again by rid, and the tills send
	// again: both find them.
	j.unsure = nil
	j.doubt.Store(false)
	j.apply(b)
	if len(b.headers) > 0 {
		if j.cfg.Kept != nil {
			j.cfg.Kept(b.headers)
		}
		j.signal()
	}
	return nil
}

// apply moves memory to what b has written.
func (j *Journal) apply(b *batch) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, id := range b.touched {
		c := j.chains[id]
		if c == nil {
			c = &chain{}
			j.chains[id] = c
		}
		c.state = *b.chains[id]
		delete(j.graves, id)
		c.dirty = c.dirty && (c.confirmed != b.marks[id].Held || c.posted != b.marks[id].Posted)
	}
	j.order = b.order
	j.own, j.ownSince = b.own, b.ownSince
	b.indexed()
	for i := range b.runs {
		j.remember(b.runs[i], b.now)
	}
}

// reread finds out what became of a transaction that failed: it may have been kept all the same.
// Whatever the file says, memory follows.
func (j *Journal) reread(b *batch) {
	j.unsure = slices.Concat(j.unsure, b.touched)
	slices.SortFunc(j.unsure, func(a, b record.ChainID) int { return slices.Compare(a[:], b[:]) })
	j.unsure = slices.Compact(j.unsure)
	j.doubt.Store(true)
	var found map[record.ChainID]*chain
	var headers []record.Header
	err := j.file.view(func(tx *bbolt.Tx) (err error) {
		if found, err = j.readChains(tx); err != nil {
			return err
		}
		headers, err = j.unknown(tx, found)
		return err
	})
	if err != nil {
		j.damaged(err) // memory stays; a write onto a wrong tip is refused by Put's own check
		return
	}
	j.adopt(found)
	j.mu.Lock()
	for i := range headers {
		j.refresh(j.chains[headers[i].Chain], &headers[i])
	}
	j.mu.Unlock()
	if found[b.own] != nil {
		j.mu.Lock()
		j.own, j.ownSince = b.own, b.ownSince
		j.mu.Unlock()
	}
	if len(headers) == 0 {
		return
	}
	if j.cfg.Kept != nil {
		j.cfg.Kept(headers)
	}
	j.signal()
}

// unknown gives the headers in the file that memory does not know of, in chain order.
func (j *Journal) unknown(tx *bbolt.Tx, found map[record.ChainID]*chain) (headers []record.Header, err error) {
	for id, c := range found {
		var tip uint64
		if held := j.chains[id]; held != nil {
			tip = held.tip.Seq
		}
		for tip < c.tip.Seq && !c.swept {
			recs, err := j.records(tx, at{id, tip + 1})
			if err != nil {
				return nil, err
			}
			for i := range recs {
				if recs[i].Seq > tip {
					headers = append(headers, recs[i].Header)
				}
			}
			tip = recs[len(recs)-1].Seq
		}
	}
	return headers, nil
}

// adopt makes memory say of every chain what the file says.
func (j *Journal) adopt(found map[record.ChainID]*chain) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for id, c := range found {
		held := j.chains[id]
		switch {
		case c.swept && held != nil:
			j.drop(held)
			j.swept = append(j.swept, id)
			j.graves[id] = c.kept
		case c.swept:
		case held == nil:
			j.chains[id] = c
		case held.tip != c.tip:
			j.release(held, len(held.recent)) // else it would have a gap
			held.state = c.state
		default:
			held.state = c.state
		}
		j.order = max(j.order, c.order)
	}
	for id, held := range j.chains {
		if found[id] == nil {
			j.drop(held)
		}
	}
}
