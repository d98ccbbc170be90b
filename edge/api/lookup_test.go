package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tillstream/kv/record"
)

func TestLookUpHere(t *testing.T) {
	t.Parallel()
	last := new(atomic.Pointer[time.Time])
	n := start(t, t.TempDir(), func(c *Config) {
		c.Upstream = time.Now // the next hop answers all the while
		c.Centre = func() (centre Centre) {
			if p := last.Load(); p != nil {
				centre.Heard = *p
			}
			return centre
		}
		c.Ask = func(context.Context, record.AccountID) (record.Shopper, string, bool, error) {
			t.Error("upstream is asked for a shopper who is known here")
			return record.Shopper{}, "", false, nil
		}
	})
	at := time.Now().Add(-time.Hour).Truncate(time.Millisecond)
	if err := n.cache.Learn(n.cards.Account(ourCard), record.Shopper{Balance: 1250, Debt: 2, AsOf: at.UnixMilli()}); err != nil {
		t.Fatal(err)
	}
	look := func() Shopper {
		t.Helper()
		r := n.lookUp(ourCard, 150)
		if r.status != http.StatusOK {
			t.Fatalf("got %d %s", r.status, r.body)
		}
		if strings.Contains(string(r.body), ourCard) {
			t.Fatalf("%s repeats the card's number", r.body)
		}
		return into[Shopper](t, r)
	}
	s := look()
	if s.ID != n.cards.Account(ourCard) || s.CardMasked != "******4567" || !s.Known || s.Source != "local" ||
		*s.Points.Available != 1250 || *s.Points.Debt != 2 || *s.Points.Pending != 0 || !s.AsOf.Equal(at) || len(s.Missing) != 0 {
		t.Errorf("got %+v", s)
	}
	for age, want := range map[time.Duration]bool{time.Second: false, 14 * time.Minute: false, 16 * time.Minute: true} {
		then := time.Now().Add(-age)
		last.Store(&then)
		if got := look().Stale; got != want {
			t.Errorf("the centre answered %s ago: stale is %t", age, got)
		}
	}
	last.Store(nil)
	if !look().Stale {
		t.Error("the centre never answered, and nothing is stale")
	}
}

func TestLookUpUpstream(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	n := start(t, t.TempDir(), func(c *Config) {
		cards := c.Cards
		c.Ask = func(_ context.Context, a record.AccountID) (record.Shopper, string, bool, error) {
			asked.Add(1)
			if a != cards.Account(ourCard) {
				return record.Shopper{}, "central", false, nil
			}
			return record.Shopper{Balance: 40, AsOf: 1}, "central", true, nil
		}
	})
	s := into[Shopper](t, n.lookUp(ourCard, 2000))
	if !s.Known || s.Source != "central" || *s.Points.Available != 40 || s.Stale {
		t.Errorf("got %+v, want 40 points from the centre", s)
	}
	if s := into[Shopper](t, n.lookUp(ourCard, 2000)); s.Source != "local" || asked.Load() != 1 {
		t.Errorf("the answer was not kept: source %s after %d questions", s.Source, asked.Load())
	}
	p := wantProblem(t, n.lookUp("2790009999999", 2000), "card-unknown", http.StatusNotFound)
	if p.Action != "ask" {
		t.Errorf("action %s, want ask", p.Action)
	}
}

// The sale goes on when nobody can say who the shopper is: that is an answer, not an error.
func TestLookUpWhenNobodyCanSay(t *testing.T) {
	t.Parallel()
	unknown := func(t *testing.T, n *node, wait int) Shopper {
		t.Helper()
		r := n.lookUp(ourCard, wait)
		s := into[Shopper](t, r)
		if r.status != http.StatusOK || s.Known || !s.Stale || len(s.Missing) != 1 || s.Missing[0] != "points" || s.ID.IsZero() {
			t.Errorf("got %d %s", r.status, r.body)
		}
		return s
	}
	t.Run("nobody to ask", func(t *testing.T) {
		t.Parallel()
		n := start(t, t.TempDir(), nil)
		if s := unknown(t, n, 2000); s.Points != nil {
			t.Errorf("points %+v", s.Points)
		}
		n.sell(receipt(t, nil))
		if s := unknown(t, n, 2000); s.Points == nil || *s.Points.Pending != 10 || s.Points.Available != nil {
			t.Errorf("points %+v, want 10 pending and no word on the balance", s.Points)
		}
	})
	t.Run("upstream is silent", func(t *testing.T) {
		t.Parallel()
		n := start(t, t.TempDir(), func(c *Config) {
			c.Ask = func(ctx context.Context, _ record.AccountID) (record.Shopper, string, bool, error) {
				<-ctx.Done()
				return record.Shopper{}, "", false, ctx.Err()
			}
		})
		unknown(t, n, 5)
		unknown(t, n, 0)
	})
	t.Run("upstream fails", func(t *testing.T) {
		t.Parallel()
		n := start(t, t.TempDir(), func(c *Config) {
			c.Ask = func(context.Context, record.AccountID) (record.Shopper, string, bool, error) {
				return record.Shopper{}, "", false, errors.New("cut")
			}
		})
		unknown(t, n, 100)
	})
	t.Run("the cache is gone", func(t *testing.T) {
		t.Parallel()
		n := start(t, t.TempDir(), nil)
		if err := n.cache.Close(); err != nil {
			t.Fatal(err)
		}
		unknown(t, n, 100)
		if r := n.sell(receipt(t, nil)); r.status != http.StatusCreated {
			t.Errorf("a sale without a cache: %d %s", r.status, r.body)
		}
	})
}

// A card whose first receipts lie here and whom upstream does not know yet is no unknown card.
func TestLookUpNewCard(t *testing.T) {
	t.Parallel()
	n := start(t, t.TempDir(), func(c *Config) {
		c.Ask = func(context.Context, record.AccountID) (record.Shopper, string, bool, error) {
			return record.Shopper{}, "store", false, nil
		}
	})
	wantProblem(t, n.lookUp(ourCard, 100), "card-unknown", http.StatusNotFound)
	n.sell(receipt(t, nil))
	if s := into[Shopper](t, n.lookUp(ourCard, 100)); !s.Known || *s.Points.Pending != 10 || *s.Points.Available != 0 || s.AsOf != nil {
		t.Errorf("got %+v, want 10 points pending", s)
	}
}

func TestMask(t *testing.T) {
	for number, want := range map[string]string{
		"": "******", "1": "******", "12": "******2", "17850": "******50", ourCard: "******4567",
	} {
		if got := mask(number); got != want {
			t.Errorf("mask of %d characters: %s, want %s", len(number), got, want)
		}
	}
}

// A phone number is one number however it is keyed, in look-ups and in receipts; what is none is told so.
func TestLookUpByPhone(t *testing.T) {
	t.Parallel()
	s := open(t, nil) // its country is Austria
	const e164 = "+436641234567"
	if err := s.cache.Learn(s.cards.Account(e164), record.Shopper{Balance: 30, AsOf: s.clock.Load()}); err != nil {
		t.Fatal(err)
	}
	look := func(number string) reply {
		return s.do("POST", "/v1/lookups", nil, fmt.Appendf(nil, `{"identifier":{"kind":"phone","value":%q},"wait_ms":0}`, number))
	}
	for _, number := range []string{e164, "06641234567", "0664/123-4567", "+43(664)1234567"} {
		r := look(number)
		if found := into[Shopper](t, r); r.status != http.StatusOK || !found.Known || *found.Points.Available != 30 || strings.Contains(string(r.body), "12345") {
			t.Errorf("%s: %d %s", number, r.status, r.body)
		}
	}
	for _, number := range []string{"0", "12", "+49", "0664", "phone", "00000000000"} {
		if p := wantProblem(t, look(number), "phone-invalid", http.StatusUnprocessableEntity); p.Field != "/identifier/value" || strings.Contains(p.Detail, number) && number != "0" {
			t.Errorf("%s: %+v", number, p)
		}
	}
	if r := look("+43998877665544"); r.status != http.StatusOK { // of a range that may be opened one day
		t.Errorf("%d %s", r.status, r.body)
	}
	body := receipt(t, func(o obj) { o["shopper"] = obj{"identifier": obj{"kind": "phone", "value": "06641234567"}} })
	if r := s.sell(body); r.status != http.StatusCreated {
		t.Fatalf("%d %s", r.status, r.body)
	}
	kept, err := s.journal.Find(ridOf(t, body))
	if err != nil || kept.Account != s.cards.Account(e164) {
		t.Errorf("kept for account %s, %v", kept.Account, err)
	}
	// Nobody links a payment token with a shopper; it is told, and is no account.
	token := []byte(`{"identifier":{"kind":"token","value":"V0010013019339005665779448477"}}`)
	wantProblem(t, s.do("POST", "/v1/lookups", nil, token), "card-unknown", http.StatusNotFound)
	sold := receipt(t, func(o obj) {
		o["shopper"] = obj{"identifier": obj{"kind": "token", "value": "V0010013019339005665779448477"}}
	})
	if p := wantProblem(t, s.sell(sold), "invalid-field", http.StatusBadRequest); p.Field != "/shopper/identifier/kind" {
		t.Errorf("%+v", p)
	}
}
