package journal

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"tillstream/kv/record"
)

// Commit keeps a receipt and returns when it is on the disk. The draft has Kind, Day, Rules, At,
// Points, Spent, RID, Account, Hold, Of, Rearm and Data; the journal fills in the rest. If the rid is here already with the
// same body, the receipt that is held is returned, and true; if with another body, the error is an
// *OtherBodyError, which is ErrOtherBody. A body over record.MaxBody is ErrTooLarge, a draft that no
// chain could carry ErrDraft, a full disk ErrFull. After any other error it is not known whether the
// receipt was kept: commit it again, or ask with Find. Data must not be changed any more.
func (j *Journal) Commit(ctx context.Context, draft record.Receipt) (record.Receipt, bool, error) {
	err := j.check(&draft)
	if err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return record.Receipt{}, false, fmt.Errorf("commit receipt %s: %w", draft.RID, err)
	}
	draft.Body = sha256.Sum256(draft.Data) // here, and not in the turn, where others wait
	draft.BodySize = uint32(len(draft.Data))
	e := &entry{commit: true, rec: draft}
	err = j.submit(ctx.Done(), e)
	switch {
	case err == nil:
		return e.rec, e.repeated, nil
	case err == errGone:
		err = context.Cause(ctx)
	}
	if other := (*OtherBodyError)(nil); !errors.As(err, &other) {
		err = fmt.Errorf("commit receipt %s: %w", draft.RID, err)
	}
	return record.Receipt{}, false, err
}

// check refuses what would make a run that no reader takes, and so stop the chain for ever.
func (j *Journal) check(d *record.Receipt) error {
	switch {
	case j.cfg.Till.IsZero():
		return ErrNoTill
	case len(d.Data) > record.MaxBody:
		return fmt.Errorf("%w: %d bytes of at most %d", ErrTooLarge, len(d.Data), record.MaxBody)
	case d.Kind <= record.KindStart || d.Kind > record.KindVoid:
		return fmt.Errorf("%w: kind %s", ErrDraft, d.Kind)
	case d.RID == record.RID{}:
		return fmt.Errorf("%w: it has no rid", ErrDraft)
	case d.Points < 0 || d.Points > record.MaxPoints:
		return fmt.Errorf("%w: %d points", ErrDraft, d.Points)
	case d.Spent < 0 || d.Spent > record.MaxPoints:
		return fmt.Errorf("%w: %d points spent", ErrDraft, d.Spent)
	case d.Kind == record.KindSale && (d.Of != record.RID{} || d.Rearm), d.Kind != record.KindSale && d.Hold != record.RID{}, d.Rearm && d.Of == record.RID{}:
		return fmt.Errorf("%w: a %s with what only another kind has", ErrDraft, d.Kind)
	}
	return nil
}

// commit plans one receipt: a repeat, a refusal, or the next of the chain.
func (b *batch) commit(tx *bbolt.Tx, e *entry) error {
	held, err := b.held(tx, e.rec.RID)
	switch {
	case err != nil:
		return err
	case held != nil && held.Body != e.rec.Body:
		e.err = &OtherBodyError{held.Header}
		return nil
	case held != nil:
		e.rec, e.repeated = *held, true
		return nil
	}
	s := b.ownChain()
	e.rec.Chain, e.rec.Seq, e.rec.Prev = s.id, s.tip.Seq+1, s.tip.Hash
	b.add(s, e.rec)
	b.rids[e.rec.RID] = &e.rec
	return nil
}

// held finds the receipt of a rid, or nil.
func (b *batch) held(tx *bbolt.Tx, rid record.RID) (*record.Receipt, error) {
	if rec := b.rids[rid]; rec != nil {
		return rec, nil
	}
	a, known := b.j.freshAt(rid)
	rec, err := b.j.find(tx, rid, a, known)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	return &rec, err
}

// add puts a record behind the chain of this process, and closes the run before it if the two would be
// too long together.
func (b *batch) add(s *state, rec record.Receipt) {
	n := rec.Size() + len(rec.Data)
	if b.size > 0 && b.size+n > record.MaxRun {
		b.closeRun()
	}
	b.part = append(b.part, rec)
	b.size += n
	b.extend(s, rec)
}

func (b *batch) closeRun() {
	if len(b.part) > 0 {
		b.runs = append(b.runs, record.PackRun(b.part))
	}
	b.part, b.size = nil, 0
}

// ownChain gives the chain of this process. It begins one with the first receipt (DESIGN §3), after a
// week, and when upstream has found the one before forked or its records were moved, so that the till's next
// receipts rise. A
// chain id that was drawn for a transaction that failed is not used again.
func (b *batch) ownChain() *state {
	if !b.own.IsZero() && b.now-b.ownSince < rotate.Milliseconds() && !b.j.forked(b.own) {
		if s := b.touch(b.own); s.moved == 0 {
			return s
		}
	}
	b.closeRun()
	start := record.Start{Store: b.j.cfg.Store, Till: b.j.cfg.Till, Found: b.found()}
	s := b.start(start, true)
	b.own, b.ownSince = s.id, b.now
	return s
}

// start begins a chain with its first record.
func (b *batch) start(start record.Start, own bool) *state {
	s := b.begin(record.NewChainID(time.UnixMilli(b.now)), start, own)
	body := start.Append(nil)
	b.add(s, record.Receipt{
		Header: record.Header{
			Kind: record.KindStart, Seq: 1, At: b.now, Chain: s.id,
			Body: sha256.Sum256(body), BodySize: uint32(len(body)),
		},
		Data: body,
	})
	return s
}

func (j *Journal) forked(id record.ChainID) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	c := j.chains[id]
	return c != nil && c.refused == record.StatusFork
}

// found is the tip of the newest chain that was begun on this disk.
func (b *batch) found() (tip record.Tip) {
	var newest uint64
	look := func(s *state) {
		if s.own && s.order > newest {
			newest, tip = s.order, s.tip
		}
	}
	for _, c := range b.j.chains {
		if b.chains[c.id] == nil {
			look(&c.state)
		}
	}
	for _, s := range b.chains {
		look(s)
	}
	return tip
}
