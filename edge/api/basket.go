package api

import (
	"context"
	"encoding/json"
	"net/http"

	"tillstream/kv/record"
)

// shelf gives where baskets are suspended, if they are here.
func (a *API) shelf(q *question) (*baskets, record.RID, error) {
	if a.baskets == nil {
		return nil, record.RID{}, errNotATill
	}
	rid, err := record.ParseRID(q.id)
	if err != nil {
		return nil, rid, invalid("/rid", "want a UUID of version 7")
	}
	return a.baskets, rid, nil
}

// suspendBasket puts a basket aside. Its lines are checked as a receipt's are, so that what is resumed
// can be quoted.
func (a *API) suspendBasket(_ context.Context, q question) (answer, error) {
	b, rid, err := a.shelf(&q)
	if err != nil {
		return answer{}, err
	}
	body, err := a.read.basket(q.body)
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
	if _, err := price(record.KindSale, body.Currency, body.Lines, a.read.programme); err != nil {
		return answer{}, err
	}
	if err := body.checkRest(); err != nil {
		return answer{}, err
	}
	s, fresh, err := b.put(rid, suspended{pos: q.caller.name, lines: len(body.Lines), training: training}, q.body, q.match, a.cfg.Log)
	if err != nil {
		return answer{}, err
	}
	status := http.StatusOK
	if fresh {
		status = http.StatusCreated
	}
	told := s.tell(rid)
	told.Till = a.cfg.Till.String()
	return answer{status: status, etag: s.etag, body: &told}, nil
}

func (a *API) readBasket(_ context.Context, q question) (answer, error) { return a.fetch(&q, false) }

func (a *API) resumeBasket(_ context.Context, q question) (answer, error) { return a.fetch(&q, true) }

func (a *API) fetch(q *question, take bool) (answer, error) {
	b, rid, err := a.shelf(q)
	if err != nil {
		return answer{}, err
	}
	s, body, err := b.get(rid, q.match, take, a.cfg.Log)
	if err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusOK, etag: s.etag, body: json.RawMessage(body)}, nil
}

func (a *API) listBaskets(context.Context, question) (answer, error) {
	if a.baskets == nil {
		return answer{}, errNotATill
	}
	return answer{status: http.StatusOK, body: &BasketList{Baskets: a.baskets.list(a.cfg.Log)}}, nil
}
