package api

import (
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"tillstream/kv/record"
)

// How long it is known which till has taken a basket, of how many, and for how long the basket is given once more
// to a question whose answer was lost.
const (
	takenKeep  = basketsKeep
	takenMost  = 1000
	takenAgain = time.Minute
	takenHeld  = 16 // bodies for that, in memory
)

// taken is what is known of a basket that a till has taken away.
type taken struct {
	ask  [16]byte
	till string
	at   time.Time
	told record.SuspendedBasket
	body []byte // for takenAgain
}

// Answer answers a till of the store. Of two tills that take a basket at one time, one gets it.
func (b *Shelf) Answer(q *record.BasketQuestion, till string) (a record.BasketAnswer, err error) {
	switch q.Verb {
	case record.BasketList:
		return record.BasketAnswer{State: record.BasketDone, Baskets: b.list()}, nil
	case record.BasketPut:
		s, fresh, err := b.put(q.RID, suspended{till: till, pos: q.POS, lines: int(q.Lines), training: q.Training}, q.Body, q.Match)
		if err != nil {
			return stateOf(err)
		}
		a = record.BasketAnswer{State: record.BasketDone, Baskets: []record.SuspendedBasket{s.tell(q.RID)}}
		if fresh {
			a.State = record.BasketNew
		}
		return a, nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	s, body, err := b.get(q.RID, q.Match, q.Verb == record.BasketTake)
	told := s.tell(q.RID)
	if q.Verb == record.BasketTake {
		told, body, err = b.took(q, till, told, body, err)
	}
	if err != nil {
		return stateOf(err)
	}
	return record.BasketAnswer{State: record.BasketDone, Baskets: []record.SuspendedBasket{told}, Body: body}, nil
}

// took notes who has taken a basket, and finds it for who asks again because the answer was lost. The mutex is
// held.
func (b *Shelf) took(q *record.BasketQuestion, till string, told record.SuspendedBasket, body []byte, err error) (record.SuspendedBasket, []byte, error) {
	now := b.cfg.Now()
	for rid, g := range b.gone {
		switch age := now.Sub(g.at); {
		case age >= takenKeep:
			delete(b.gone, rid)
		case age >= takenAgain && g.body != nil:
			g.body = nil
			b.gone[rid] = g
		}
	}
	b.held = slices.DeleteFunc(b.held, func(rid record.RID) bool { return b.gone[rid].body == nil })
	if err == nil {
		if len(b.gone) >= takenMost {
			clear(b.gone) // who took them is a help, and no promise
			b.held = nil
		}
		if len(b.held) >= takenHeld {
			old := b.gone[b.held[0]]
			old.body = nil
			b.gone[b.held[0]] = old
			b.held = b.held[1:]
		}
		b.gone[q.RID] = taken{q.Ask, till, now, told, body}
		b.held = append(b.held, q.RID)
		return told, body, nil
	}
	g, known := b.gone[q.RID]
	switch {
	case !known || !errors.Is(err, errNoBasket):
		return told, body, err
	case g.ask == q.Ask && g.body != nil:
		return g.told, g.body, nil
	case g.till != till:
		return told, nil, errTaken
	}
	return told, nil, err
}

// stateOf turns an error of the shelf into a till's answer, or gives it back.
func stateOf(err error) (record.BasketAnswer, error) {
	for _, k := range [...]struct {
		err   error
		state record.BasketState
	}{{errNoBasket, record.BasketNone}, {errTaken, record.BasketTaken}, {errShelfFull, record.BasketFull}} {
		if errors.Is(err, k.err) {
			return record.BasketAnswer{State: k.state}, nil
		}
	}
	return record.BasketAnswer{}, err
}

// errOf turns a store's answer into the error that it stands for.
func errOf(a *record.BasketAnswer, err error) error {
	if err != nil {
		return fmt.Errorf("%w: %w", errNoShelf, err)
	}
	switch a.State {
	case record.BasketNone:
		return errNoBasket
	case record.BasketTaken:
		return errTaken
	case record.BasketFull:
		return errShelfFull
	}
	return nil
}

// newAsk draws a question's name.
func newAsk() (ask [16]byte) {
	_, _ = rand.Read(ask[:]) // never fails
	return ask
}
