package api

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"time"

	"tillstream/kv/record"
)

// A suspended basket lies at the store, where every till finds it and one takes it. While the store cannot be
// asked it lies on the till's own disk, and stays there until this till resumes it: moved up later, it could be
// in two places, and be sold twice.

// errNoStore means that there is no store to ask.
var errNoStore = errors.New("no store to ask")

// atStore asks the store.
func (a *API) atStore(ctx context.Context, q record.BasketQuestion) (record.BasketAnswer, error) {
	if a.cfg.AskStore == nil {
		return record.BasketAnswer{}, errNoStore
	}
	q.Ask = newAsk()
	return a.cfg.AskStore(ctx, q)
}

// here asks the till's own shelf.
func (a *API) here(q record.BasketQuestion) (record.BasketAnswer, error) {
	q.Ask = newAsk()
	return a.cfg.Shelf.Answer(&q, a.cfg.Till.String())
}

// onShelf gives a question's basket, if baskets are suspended here.
func (a *API) onShelf(q *question) (rid record.RID, err error) {
	if a.cfg.Shelf == nil || a.cfg.Till.IsZero() {
		return rid, errNotATill
	}
	if rid, err = record.ParseRID(q.id); err != nil {
		return rid, invalid("/rid", "want a UUID of version 7")
	}
	return rid, nil
}

// suspendBasket puts a basket aside. Its lines are checked as a receipt's are, so that what is resumed
// can be quoted.
func (a *API) suspendBasket(ctx context.Context, q question) (answer, error) {
	rid, err := a.onShelf(&q)
	if err != nil {
		return answer{}, err
	}
	body, err := a.read.basket(q.body, new(desk))
	if err != nil {
		return answer{}, err
	}
	training, err := trains(q.caller, body.Training)
	if err != nil {
		return answer{}, err
	}
	var h record.Header
	if err := a.read.readWho(body.head(), &h); err != nil {
		return answer{}, err
	}
	if h.RID != rid {
		return answer{}, invalid("/rid", "the path names another rid")
	}
	if _, err := addUp(record.KindSale, body.Currency, body.Lines); err != nil {
		return answer{}, err
	}
	if err := body.checkRest(); err != nil {
		return answer{}, err
	}
	if q.body, err = withoutManager(q.body, body.ManagerCode); err != nil {
		return answer{}, err
	}
	return a.suspend(ctx, record.BasketQuestion{
		Verb: record.BasketPut, RID: rid, Match: q.match, POS: q.caller.name, Lines: uint32(len(body.Lines)), Training: training, Body: q.body,
	})
}

func (a *API) suspend(ctx context.Context, q record.BasketQuestion) (answer, error) {
	said, err := record.BasketAnswer{}, errNoStore
	if !a.cfg.Shelf.has(q.RID) {
		said, err = a.atStore(ctx, q)
	}
	switch {
	case err == nil:
	case q.Match != "" && !errors.Is(err, errNoStore): // what the POS has seen lies at the store
	default: // it lies here already, or is new and the store cannot be asked
		said, err = a.here(q)
	}
	if err := errOf(&said, err); err != nil {
		return answer{}, err
	}
	status := http.StatusOK
	if said.State == record.BasketNew {
		status = http.StatusCreated
	}
	told := tellSuspended(&said.Baskets[0])
	return answer{status: status, etag: told.Etag, body: &told}, nil
}

func (a *API) readBasket(ctx context.Context, q question) (answer, error) {
	return a.fetch(ctx, &q, record.BasketRead)
}

func (a *API) resumeBasket(ctx context.Context, q question) (answer, error) {
	return a.fetch(ctx, &q, record.BasketTake)
}

func (a *API) fetch(ctx context.Context, q *question, verb record.BasketVerb) (answer, error) {
	rid, err := a.onShelf(q)
	if err != nil {
		return answer{}, err
	}
	ask := record.BasketQuestion{Verb: verb, RID: rid, Match: q.match}
	var said record.BasketAnswer
	switch {
	case !a.cfg.Shelf.has(rid):
		if said, err = a.atStore(ctx, ask); errors.Is(err, errNoStore) {
			said, err = record.BasketAnswer{State: record.BasketNone}, nil
		}
	case verb == record.BasketTake && a.soldElsewhere(ctx, rid):
		_, err = a.here(record.BasketQuestion{Verb: verb, RID: rid})
		said.State = record.BasketTaken
	default:
		said, err = a.here(ask)
	}
	if err := errOf(&said, err); err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusOK, etag: said.Baskets[0].ETag, body: json.RawMessage(said.Body)}, nil
}

// soldElsewhere reports whether another till has taken from the store what lies here. The store has it too if it
// kept the basket and its answer was lost; then it lies there no more from here on.
func (a *API) soldElsewhere(ctx context.Context, rid record.RID) bool {
	said, err := a.atStore(ctx, record.BasketQuestion{Verb: record.BasketTake, RID: rid})
	return err == nil && said.State == record.BasketTaken
}

func (a *API) listBaskets(ctx context.Context, _ question) (answer, error) {
	if a.cfg.Shelf == nil || a.cfg.Till.IsZero() {
		return answer{}, errNotATill
	}
	own, err := a.here(record.BasketQuestion{Verb: record.BasketList})
	if err != nil {
		return answer{}, err
	}
	all := own.Baskets
	store, err := a.atStore(ctx, record.BasketQuestion{Verb: record.BasketList})
	for _, s := range store.Baskets {
		if !slices.ContainsFunc(own.Baskets, func(o record.SuspendedBasket) bool { return o.RID == s.RID }) {
			all = append(all, s)
		}
	}
	slices.SortFunc(all, func(x, y record.SuspendedBasket) int {
		return cmp.Or(cmp.Compare(x.At, y.At), cmp.Compare(x.RID.String(), y.RID.String()))
	})
	told := BasketList{Baskets: make([]Suspended, 0, len(all)), StoreAsked: err == nil}
	for i := range all {
		told.Baskets = append(told.Baskets, tellSuspended(&all[i]))
	}
	return answer{status: http.StatusOK, body: &told}, nil
}

func tellSuspended(s *record.SuspendedBasket) Suspended {
	at := time.UnixMilli(s.At).UTC()
	return Suspended{
		RID: s.RID.String(), Till: s.Till, POS: s.POS, At: at, ExpiresAt: at.Add(basketsKeep), Lines: int(s.Lines), Etag: s.ETag, Training: s.Training,
	}
}
