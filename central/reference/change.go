package reference

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tillstream/kv"
	"tillstream/kv/record"
)

// ErrNotChanged means that, for as long as the caller waited, the bucket did not answer or others were faster.
var ErrNotChanged = errors.New("the reference data could not be changed now")

// Edit is what a change makes of one record. Without a Value it is taken away.
type Edit struct {
	Kind  record.RefKind
	Key   string
	Value []byte
}

// Now is the reference data as a change finds it; it is good only inside the plan.
type Now struct{ s *Set }

// Value gives a record's value; nil: there is none.
func (n Now) Value(kind record.RefKind, key string) []byte {
	if r := n.s.records[name{kind, key}]; r != nil {
		return r.Value
	}
	return nil
}

// Keys gives the keys of a kind, in no order.
func (n Now) Keys(kind record.RefKind) (keys []string) {
	for k, r := range n.s.records {
		if k.kind == kind && !r.Removed() {
			keys = append(keys, k.key)
		}
	}
	return keys
}

// Result is what came of a change.
type Result struct {
	New, Changed, Removed, Unchanged int
	Entry                            uint64 // with which all of it fell
}

const (
	// keepRemovals is how long a removal is told. A node that was away for longer starts anew.
	keepRemovals = 45 * 24 * time.Hour

	// An entry is the least that a page brings; a part is one message of the bucket, 1 MiB at most.
	entryRecords = 500
	entryBytes   = 32 << 10
	partBytes    = 700 << 10
)

// Change asks plan for edits and carries them out, all at once. Edits that would change nothing are left
// out, so a change that comes again does nothing. When someone else was faster, plan is asked again.
func (s *Set) Change(ctx context.Context, plan func(Now) ([]Edit, error)) (Result, error) {
	s.changing.Lock()
	defer s.changing.Unlock()
	var last error
	for ctx.Err() == nil {
		if err := s.opened(ctx); err != nil {
			return Result{}, err
		}
		d, err := s.draft(plan)
		if err != nil {
			return Result{}, err
		}
		if len(d.fresh) == 0 {
			return d.result, nil
		}
		if last = s.write(ctx, d); last == nil {
			d.result.Entry = d.head.Entry
			return d.result, s.reach(ctx, d.head)
		}
		// Someone was faster, and their head is on its way here; or the bucket has no leader just now.
		s.cfg.Log.Debug("a change is tried again", "err", last)
		wait(ctx, againAfter/4)
	}
	return Result{}, fmt.Errorf("change reference data: %w: %w", ErrNotChanged, errors.Join(last, context.Cause(ctx)))
}

// Check tells what Change would do, and does nothing.
func (s *Set) Check(ctx context.Context, plan func(Now) ([]Edit, error)) (Result, error) {
	if err := s.opened(ctx); err != nil {
		return Result{}, err
	}
	d, err := s.draft(plan)
	if err != nil {
		return Result{}, err
	}
	return d.result, nil
}

// opened waits for the bucket.
func (s *Set) opened(ctx context.Context) error {
	return s.until(ctx, func() bool { return s.looked })
}

// reach waits until this node has folded a head or a later one: who asks here now sees the change.
func (s *Set) reach(ctx context.Context, h record.ReferenceHead) error {
	return s.until(ctx, func() bool { return s.head.Generation == h.Generation && s.head.Entry >= h.Entry })
}

func (s *Set) until(ctx context.Context, done func() bool) error {
	for {
		s.mu.RLock()
		ok, moved := done(), s.moved
		s.mu.RUnlock()
		if ok {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return fmt.Errorf("wait for reference data: %w: %w", ErrNotChanged, context.Cause(ctx))
		}
	}
}

// draft is a change on its way.
type draft struct {
	bucket *kv.Store
	was    uint64               // revision of the head that it starts from
	head   record.ReferenceHead // as it will be
	fresh  []record.Reference   // what the edits make
	all    []record.Reference   // everything, if the parts are written anew; else nil
	result Result
}

// draft asks the plan and numbers what it wants.
func (s *Set) draft(plan func(Now) ([]Edit, error)) (*draft, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	edits, err := plan(Now{s})
	if err != nil {
		return nil, err
	}
	at := s.cfg.Now()
	d := &draft{bucket: s.bucket, was: s.at, head: s.head, result: Result{Entry: s.head.Entry}}
	d.head.Parts = slices.Clone(s.head.Parts)
	if s.at == 0 {
		d.head = record.ReferenceHead{Generation: record.NewGeneration(at), Entry: uint64(max(at.Unix(), 0))}
	}
	slices.SortFunc(edits, func(a, b Edit) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), strings.Compare(a.Key, b.Key))
	})
	size, inEntry := 0, entryRecords
	for _, e := range edits {
		if !d.count(Now{s}.Value(e.Kind, e.Key), e.Value) {
			continue
		}
		if len(e.Key) > record.MaxRefKey || len(e.Value) > record.MaxRefValue {
			return nil, fmt.Errorf("%s %s: %w: over %d bytes", e.Kind, e.Key, ErrDocument, record.MaxRefValue)
		}
		if inEntry >= entryRecords || size >= entryBytes {
			d.head.Entry++
			size, inEntry = 0, 0
		}
		r := record.Reference{Kind: e.Kind, Key: e.Key, Entry: d.head.Entry, At: at.UnixMilli(), Value: e.Value}
		d.fresh = append(d.fresh, r)
		size, inEntry = size+r.Size(), inEntry+1
	}
	// Every small change is a part; written anew, they are few again.
	if len(d.fresh) > 0 && len(d.head.Parts) > 32+s.live/2000 {
		d.all = s.together(d, at.Add(-keepRemovals).UnixMilli())
	}
	return d, nil
}

// count counts an edit, and reports whether it changes anything.
func (d *draft) count(have, want []byte) bool {
	switch {
	case bytes.Equal(have, want):
		d.result.Unchanged++
		return false
	case len(have) == 0:
		d.result.New++
	case len(want) == 0:
		d.result.Removed++
	default:
		d.result.Changed++
	}
	return true
}

// together is everything as it will be, without removals from before then; mu is held.
func (s *Set) together(d *draft, then int64) []record.Reference {
	next := make(map[name]bool, len(d.fresh))
	all := slices.Clone(d.fresh)
	for i := range d.fresh {
		next[name{d.fresh[i].Kind, d.fresh[i].Key}] = true
	}
	for n, r := range s.records {
		switch {
		case next[n]:
		case r.Removed() && r.At < then:
			d.head.Floor = max(d.head.Floor, r.Entry)
		default:
			all = append(all, *r)
		}
	}
	slices.SortFunc(all, func(a, b record.Reference) int {
		return cmp.Or(cmp.Compare(a.Entry, b.Entry), cmp.Compare(a.Kind, b.Kind), strings.Compare(a.Key, b.Key))
	})
	return all
}

// write puts the parts, and then the head. From there on the change is made.
func (s *Set) write(ctx context.Context, d *draft) error {
	records, gone := d.fresh, []string(nil)
	if d.all != nil {
		var err error
		if gone, err = d.bucket.Keys(ctx, kv.ReferencePart("*")); err != nil {
			return err
		}
		records, d.head.Parts = d.all, nil
	}
	mine := map[record.PartID]bool{}
	for len(records) > 0 {
		n, size := 0, 0
		for n < len(records) && size < partBytes-record.MaxRefValue {
			size += records[n].Size()
			n++
		}
		b := record.PackReferences(records[:n])
		id := record.PartOf(b)
		if _, err := d.bucket.Put(ctx, kv.ReferencePart(id.String()), b, 0); err != nil && !errors.Is(err, kv.ErrConflict) {
			return err // one that is there has these bytes
		}
		mine[id] = true
		d.head.Parts = append(d.head.Parts, record.ReferencePart{ID: id, Records: uint32(n)})
		records = records[n:]
	}
	if err := s.putHead(ctx, d); err != nil {
		return err
	}
	s.letGo(ctx, d, gone)
	return nil
}

// putHead moves the head. When no answer comes, the head itself says whether it was moved.
func (s *Set) putHead(ctx context.Context, d *draft) error {
	value := d.head.Append(nil)
	for {
		_, err := d.bucket.Put(ctx, kv.ReferenceHead, value, d.was)
		if err == nil || ctx.Err() != nil {
			return err
		}
		r, unread := d.bucket.Get(ctx, kv.ReferenceHead)
		switch {
		case unread == nil && bytes.Equal(r.Value, value):
			return nil
		case errors.Is(err, kv.ErrConflict) && unread == nil && r.Revision > d.was:
			return err // another's
		}
		wait(ctx, againAfter) // nobody knows yet: the same head again, from the same revision
	}
}

// letGo removes the parts that were there before the head was moved and that it does not name. Whoever
// has put a part meanwhile has read an older head than this one, or this one: the parts of the first lead
// nowhere, those of the second are not in the list.
func (s *Set) letGo(ctx context.Context, d *draft, gone []string) {
	for _, p := range d.head.Parts {
		gone = slices.DeleteFunc(gone, func(key string) bool { return key == kv.ReferencePart(p.ID.String()) })
	}
	for _, key := range gone {
		r, err := d.bucket.Get(ctx, key)
		if err == nil {
			err = d.bucket.Remove(ctx, key, r.Revision)
		}
		if err != nil {
			s.cfg.Log.Warn("a part that no head names stays", "err", err) // until the next time
			return
		}
	}
}
