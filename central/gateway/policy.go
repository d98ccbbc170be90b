package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"tillstream/central/books"
	"tillstream/kv/record"
)

// errOther means that somebody else was quicker, or that what is asked cannot be done any more.
var errOther = errors.New("it is another now")

// PolicyChange is the body of POST /v1/books/policy; what is absent stays.
type PolicyChange struct {
	ExpireDays  *uint16 `json:"expire_days,omitempty"`
	HoldMinutes *uint16 `json:"hold_minutes,omitempty"`
}

func (a *Admin) policy(r *http.Request) (p books.Policy, err error) {
	err = a.cfg.Replica.Read(r.Context(), 0, func(uint64) { p = a.cfg.Books.Policy() })
	return p, err
}

// setPolicy puts a policy behind the one that this node knows: if that is not the newest, nothing changes.
func (a *Admin) setPolicy(r *http.Request) (books.Policy, error) {
	var q PolicyChange
	if err := decode(r, &q); err != nil {
		return books.Policy{}, err
	}
	p, err := a.policy(r)
	if err != nil {
		return p, err
	}
	p.Revision++
	if q.ExpireDays != nil {
		p.ExpireDays = *q.ExpireDays
	}
	if q.HoldMinutes != nil {
		p.HoldMinutes = *q.HoldMinutes
	}
	if err := p.Check(); err != nil {
		return p, fmt.Errorf("%w: %w", errRequest, err)
	}
	ctx, cancel := context.WithTimeout(r.Context(), proposeWait)
	defer cancel()
	_, b, err := a.cfg.Replica.Propose(ctx, p.Proposal())
	if err != nil {
		return p, err
	}
	now, taken, err := books.ReadPolicyOutcome(b)
	if err == nil && !taken {
		err = fmt.Errorf("policy %d: %w: ask for it and try again", now.Revision, errOther)
	}
	return now, err
}

// proposeWait bounds what ops change in the books.
const proposeWait = 10 * time.Second

// Hold is points and coupons set aside.
type Hold struct {
	ID      string    `json:"id"`
	RID     string    `json:"rid"` // of the basket
	Account string    `json:"account,omitempty"`
	Store   string    `json:"store"`
	Till    string    `json:"till"`
	Points  int64     `json:"points"`
	Coupons int       `json:"coupons"`
	Expires time.Time `json:"expires"` // due from then on
}

func holdsOf(hs []books.Held) []Hold {
	out := []Hold{}
	for _, h := range hs {
		hold := Hold{
			ID: h.ID.String(), RID: h.RID.String(), Store: h.Store.String(), Till: h.Till.String(), Points: h.Points,
			Coupons: h.Coupons, Expires: time.UnixMilli(h.Expires).UTC(),
		}
		if !h.Account.IsZero() {
			hold.Account = h.Account.String()
		}
		out = append(out, hold)
	}
	return out
}

// Holds is the answer to GET /v1/books/holds.
type Holds struct {
	Holds []Hold `json:"holds"`
	More  bool   `json:"more"`
}

// maxHolds bounds one answer.
const maxHolds = 1000

// dueHolds lists holds that are past their time, and stand because their tills may still use them up.
func (a *Admin) dueHolds(r *http.Request) (out Holds, err error) {
	var due []books.Held
	err = a.cfg.Replica.Read(r.Context(), 0, func(uint64) {
		a.cfg.Books.DueHolds(func(h *books.Held) bool {
			if out.More = len(due) == maxHolds; !out.More {
				due = append(due, *h)
			}
			return !out.More
		})
	})
	out.Holds = holdsOf(due)
	return out, err
}

// HoldRelease is the body of POST /v1/books/holds/release.
type HoldRelease struct {
	ID string `json:"id"`
}

// Released is its answer.
type Released struct {
	ID     string `json:"id"`
	Points int64  `json:"points"` // that are free again
	Before bool   `json:"before"` // it had been let go of
}

// releaseHold lets go of a hold, whatever its till may still have.
func (a *Admin) releaseHold(r *http.Request) (Released, error) {
	var q HoldRelease
	if err := decode(r, &q); err != nil {
		return Released{}, err
	}
	id, err := record.ParseRID(q.ID)
	if err != nil {
		return Released{}, fmt.Errorf("%w: hold %q: %w", errRequest, q.ID, err)
	}
	ctx, cancel := context.WithTimeout(r.Context(), proposeWait)
	defer cancel()
	said, err := holdAnswer(a.cfg.Replica.Propose(ctx, books.ReleaseProposal(id)))
	switch {
	case err != nil:
		return Released{}, err
	case said.State == record.HoldUnknown:
		return Released{}, fmt.Errorf("hold %s: %w", id, errUnknown)
	case said.State == record.HoldUsed:
		return Released{}, fmt.Errorf("hold %s was used by sale %s: %w", id, said.RID, errOther)
	}
	return Released{id.String(), said.Points, said.Again}, nil
}
