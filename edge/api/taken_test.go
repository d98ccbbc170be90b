package api

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tillstream/kv/record"
	"tillstream/kv/seal"
)

// lane is two tills of one store, its shelf, and what is wrong with the wire between them.
type lane struct {
	t     *testing.T
	store *Shelf
	tills [2]*node
	now   atomic.Int64
	cut   atomic.Bool
	lose  atomic.Bool // the next answer
}

func openLane(t *testing.T) *lane {
	t.Helper()
	l := &lane{t: t}
	l.now.Store(time.Date(2026, 11, 20, 11, 0, 0, 0, time.UTC).UnixMilli())
	dir := t.TempDir()
	ring, err := seal.OpenRing(filepath.Join(dir, "ring"))
	if err != nil {
		t.Fatal(err)
	}
	clock := func() time.Time { return time.UnixMilli(l.now.Load()) }
	if l.store, err = OpenShelf(ShelfConfig{Dir: filepath.Join(dir, "baskets"), Ring: ring, Now: clock}); err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{"1", "2"} {
		l.tills[i] = start(t, t.TempDir(), func(c *Config) {
			c.Till, c.Now = till(name), clock
			c.AskStore = func(_ context.Context, q record.BasketQuestion) (record.BasketAnswer, error) {
				if l.cut.Load() {
					return record.BasketAnswer{}, errors.New("cut")
				}
				if l.lose.Swap(false) {
					if _, err := l.store.Answer(&q, name); err != nil {
						return record.BasketAnswer{}, err
					}
					if q.Verb == record.BasketPut { // a node asks twice; here the second is lost too
						return record.BasketAnswer{}, context.DeadlineExceeded
					}
				}
				return l.store.Answer(&q, name)
			}
		})
	}
	return l
}

func (l *lane) list(i int) BasketList {
	l.t.Helper()
	return into[BasketList](l.t, l.tills[i].do("GET", "/v1/baskets", nil, nil))
}

// A basket that one till suspends another resumes, with the etag of what it has read; of two that resume it at
// one time one gets it.
func TestBasketGoesToAnotherTill(t *testing.T) {
	t.Parallel()
	l := openLane(t)
	body := basket(t, nil)
	at := "/v1/baskets/" + ridIn(body)
	put := l.tills[0].do("PUT", at, nil, body)
	if put.status != http.StatusCreated {
		t.Fatalf("%d %s", put.status, put.body)
	}
	for i := range l.tills {
		if all := l.list(i); !all.StoreAsked || len(all.Baskets) != 1 || all.Baskets[0].Till != "1" || all.Baskets[0].RID != ridIn(body) {
			t.Errorf("till %d sees %+v", i+1, all)
		}
	}
	read := l.tills[1].do("GET", at, nil, nil)
	etag := read.header.Get("ETag")
	if !bytes.Equal(read.body, body) || etag == "" || etag != put.header.Get("ETag") {
		t.Fatalf("%d %s", read.status, read.body)
	}
	wantProblem(t, l.tills[1].do("DELETE", at, map[string]string{"If-Match": `"old"`}, nil), "basket-taken", http.StatusPreconditionFailed)
	var wg sync.WaitGroup
	replies := make([]reply, 16)
	for i := range replies {
		wg.Go(func() {
			replies[i], _ = l.tills[i%2].try("DELETE", at, map[string]string{"If-Match": etag}, nil) // no answer is no basket
		})
	}
	wg.Wait()
	got := map[int]int{}
	for _, r := range replies {
		got[r.status]++
	}
	if got[http.StatusOK] != 1 || got[http.StatusPreconditionFailed] < 8 {
		t.Errorf("of 16 who resume it: %v, want one, and the other till to hear that it was taken", got)
	}
	// It can be suspended again, by the till that has it.
	if r := l.tills[1].do("PUT", at, nil, body); r.status != http.StatusCreated || l.list(0).Baskets[0].Till != "2" {
		t.Errorf("again: %d %s", r.status, r.body)
	}
}

// While the store cannot be asked, a till suspends and resumes on its own; what lies at the store waits there.
func TestBasketsWhileCutOff(t *testing.T) {
	t.Parallel()
	l := openLane(t)
	there, here := basket(t, nil), basket(t, nil)
	put := l.tills[0].do("PUT", "/v1/baskets/"+ridIn(there), nil, there)
	l.cut.Store(true)
	if r := l.tills[0].do("PUT", "/v1/baskets/"+ridIn(here), nil, here); r.status != http.StatusCreated {
		t.Fatalf("%d %s", r.status, r.body)
	}
	if all := l.list(0); all.StoreAsked || len(all.Baskets) != 1 || all.Baskets[0].RID != ridIn(here) {
		t.Errorf("cut off, till 1 sees %+v", all)
	}
	for _, method := range []string{"GET", "DELETE"} {
		wantProblem(t, l.tills[0].do(method, "/v1/baskets/"+ridIn(there), nil, nil), "basket-unavailable", http.StatusServiceUnavailable)
	}
	wantProblem(t, l.tills[0].do("PUT", "/v1/baskets/"+ridIn(there), map[string]string{"If-Match": put.header.Get("ETag")}, there), "basket-unavailable", http.StatusServiceUnavailable)
	l.cut.Store(false)
	if all := l.list(0); len(all.Baskets) != 2 {
		t.Errorf("healed, till 1 sees %+v", all)
	}
	if all := l.list(1); len(all.Baskets) != 1 || all.Baskets[0].RID != ridIn(there) {
		t.Errorf("till 2 sees %+v", all)
	}
	wantProblem(t, l.tills[1].do("DELETE", "/v1/baskets/"+ridIn(here), nil, nil), "not-found", http.StatusNotFound)
	for i, b := range [][]byte{here, there} {
		if r := l.tills[i].do("DELETE", "/v1/baskets/"+ridIn(b), nil, nil); r.status != http.StatusOK || !bytes.Equal(r.body, b) {
			t.Errorf("%d %s", r.status, r.body)
		}
	}
}

// An answer that is lost on its way takes no basket with it, and doubles none.
func TestBasketWhoseAnswerIsLost(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]int{"resumed where it was suspended": 0, "resumed at the other till": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := openLane(t)
			body := basket(t, nil)
			at := "/v1/baskets/" + ridIn(body)
			l.lose.Store(true)
			if r := l.tills[0].do("PUT", at, nil, body); r.status != http.StatusCreated { // it lies at both now
				t.Fatalf("%d %s", r.status, r.body)
			}
			l.lose.Store(true)
			if r := l.tills[first].do("DELETE", at, nil, nil); r.status != http.StatusOK || !bytes.Equal(r.body, body) {
				t.Fatalf("resumed: %d %s", r.status, r.body)
			}
			r := l.tills[1-first].do("DELETE", at, nil, nil)
			wantProblem(t, r, "basket-taken", http.StatusPreconditionFailed)
			for i := range l.tills {
				if all := l.list(i); len(all.Baskets) != 0 {
					t.Errorf("till %d sees %+v", i+1, all)
				}
			}
		})
	}
}

// The store forgets who has taken what, and keeps no body of it.
func TestShelfForgetsWhatWasTaken(t *testing.T) {
	t.Parallel()
	l := openLane(t)
	body := basket(t, nil)
	rid := ridOf(t, body)
	ask := func(verb record.BasketVerb, n byte, till string) record.BasketAnswer {
		t.Helper()
		a, err := l.store.Answer(&record.BasketQuestion{Verb: verb, Ask: [16]byte{n}, RID: rid, Body: body}, till)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	ask(record.BasketPut, 1, "1")
	for n, want := range []record.BasketState{record.BasketDone, record.BasketNone, record.BasketDone} { // another question of the till, then the first again
		if a := ask(record.BasketTake, byte(2+n%2), "1"); a.State != want || want == record.BasketDone && !bytes.Equal(a.Body, body) {
			t.Errorf("question %d: %d, want %d", n, a.State, want)
		}
	}
	l.now.Add(takenAgain.Milliseconds())
	if a := ask(record.BasketTake, 2, "1"); a.State != record.BasketNone {
		t.Errorf("a minute later: %d", a.State)
	}
	if a := ask(record.BasketTake, 4, "2"); a.State != record.BasketTaken {
		t.Errorf("another till: %d", a.State)
	}
	l.now.Add(takenKeep.Milliseconds())
	if a := ask(record.BasketTake, 5, "2"); a.State != record.BasketNone || len(l.store.gone) != 0 {
		t.Errorf("a day later: %d, %d are remembered", a.State, len(l.store.gone))
	}
}
