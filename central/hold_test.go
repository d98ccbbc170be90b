package central_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"tillstream/central/books"
	"tillstream/central/gateway"
	"tillstream/kv/record"
	"tillstream/subjects"
)

// hold asks about a hold as a store does.
func (c *centre) hold(store subjects.StoreID, q record.HoldQuestion) record.HoldAnswer {
	c.t.Helper()
	m, err := c.ask(c.net.POSHold(store), q.Append(nil))
	if err != nil {
		c.t.Fatal(err)
	}
	a, err := record.ReadHoldAnswer(m.Data)
	if err != nil {
		c.t.Fatal(err)
	}
	return a
}

func (l *till) hold(card string, points int64) record.HoldQuestion {
	last := &l.recs[len(l.recs)-1]
	return record.HoldQuestion{
		Verb: record.HoldPlace, ID: record.NewRID(time.Now()), RID: record.NewRID(time.Now()), Account: account(l.t, card),
		Points: points, From: record.Tip{Chain: last.Chain, Seq: last.Seq},
	}
}

func TestHolds(t *testing.T) {
	c := open(t, "")
	l := newTill(t, shop(1), "t1")
	l.sale("card-1", 100)
	q := l.hold("card-1", 60)
	if a := c.hold(shop(1), q); a.State != record.HoldUnavailable {
		t.Fatalf("a hold from a chain that has not come: %+v", a)
	}
	c.send(shop(1), l.pack())
	find := record.HoldQuestion{Verb: record.HoldFind, ID: q.ID}
	if a := c.hold(shop(1), find); a.State != record.HoldUnknown {
		t.Fatalf("found before it was placed: %+v", a)
	}
	a := c.hold(shop(1), q)
	if a.State != record.HoldPlaced || a.Again || a.Points != 60 || a.RID != q.RID {
		t.Fatalf("placed: %+v", a)
	}
	if a := c.hold(shop(1), q); a.State != record.HoldPlaced || !a.Again {
		t.Fatalf("asked again: %+v", a)
	}
	if a := c.hold(shop(1), find); a.State != record.HoldPlaced || a.Points != 60 {
		t.Fatalf("found: %+v", a)
	}
	if a := c.hold(shop(1), l.hold("card-1", 41)); a.State != record.HoldNoPoints {
		t.Fatalf("more than there is: %+v", a)
	}
	var got gateway.Account
	c.ok(http.MethodPost, "/v1/books/account", `{"card":"card-1"}`, &got)
	if got.Balance != 40 || got.Held != 60 || len(got.Holds) != 1 || got.Holds[0].ID != q.ID.String() || len(got.Lots) != 1 ||
		got.Postings[1].Kind != "hold placed" || got.Postings[1].Held != 60 {
		t.Fatalf("account %+v", got)
	}
	l.add(record.Header{Kind: record.KindSale, RID: q.RID, Account: q.Account, Points: 4, Spent: 60, Hold: q.ID}, []byte("{}"))
	c.send(shop(1), l.pack())
	if a := c.hold(shop(1), find); a.State != record.HoldUsed {
		t.Fatalf("after its receipt: %+v", a)
	}
	c.ok(http.MethodPost, "/v1/books/account", `{"card":"card-1"}`, &got)
	if p := got.Postings[2]; got.Balance != 44 || got.Held != 0 || p.Kind != "sale" || p.Spent != 60 || p.Held != -60 || p.Points != 4 {
		t.Fatalf("account %+v", got)
	}
}

// A store is told by name what it may not ask, and none of it stands in the journal.
func TestHoldsThatNoTillAsks(t *testing.T) {
	c := open(t, "")
	l := newTill(t, shop(1), "t1")
	l.sale("card-1", 100)
	c.send(shop(1), l.pack())
	entry := c.settled()
	good := l.hold("card-1", 60)
	with := func(change func(*record.HoldQuestion)) []byte {
		q := good
		change(&q)
		return q.Append(nil)
	}
	for name, q := range map[string]struct {
		store int
		data  []byte
		says  string
	}{
		"another store's till": {2, good.Append(nil), "store 0002 asks for a hold from chain"},
		"no bytes":             {1, nil, "malformed"},
		"no id":                {1, with(func(q *record.HoldQuestion) { q.ID = record.RID{} }), "needs an id"},
		"no basket":            {1, with(func(q *record.HoldQuestion) { q.RID = record.RID{} }), "rid of its basket"},
		"nothing to hold":      {1, with(func(q *record.HoldQuestion) { q.Points = 0 }), "points or a coupon"},
		"points of nobody":     {1, with(func(q *record.HoldQuestion) { q.Account = record.AccountID{} }), "need an account"},
		"no till":              {1, with(func(q *record.HoldQuestion) { q.From = record.Tip{} }), "newest record"},
	} {
		if _, err := c.ask(c.net.POSHold(shop(q.store)), q.data); err == nil || !strings.Contains(err.Error(), q.says) {
			t.Errorf("%s: got %v, want %q", name, err, q.says)
		}
	}
	if got := c.settled(); got != entry {
		t.Errorf("the journal went on from entry %d to %d", entry, got)
	}
}

func TestPolicyAndDueHolds(t *testing.T) {
	c := open(t, "")
	var p books.Policy
	c.ok(http.MethodGet, "/v1/books/policy", "", &p)
	if p.ExpireDays != 0 || p.HoldMinutes != 30 || p.Revision != 0 {
		t.Fatalf("policy %+v", p)
	}
	c.ok(http.MethodPost, "/v1/books/policy", `{"expire_days":365}`, &p)
	c.ok(http.MethodPost, "/v1/books/policy", `{"hold_minutes":1}`, &p)
	if p.ExpireDays != 365 || p.HoldMinutes != 1 || p.Revision != 2 {
		t.Fatalf("policy %+v", p)
	}
	c.problem(http.MethodPost, "/v1/books/policy", "", `{"expire_days":7}`, http.StatusBadRequest, "invalid-field")
	c.problem(http.MethodPost, "/v1/books/policy", "", `{"days":70}`, http.StatusBadRequest, "invalid-field")
	l := newTill(t, shop(1), "t1")
	l.sale("card-1", 100)
	c.send(shop(1), l.pack())
	q := l.hold("card-1", 60)
	c.hold(shop(1), q)
	var due gateway.Holds
	c.ok(http.MethodGet, "/v1/books/holds", "", &due)
	if len(due.Holds) != 0 {
		t.Fatalf("due at once: %+v", due)
	}
	var done gateway.Released
	c.ok(http.MethodPost, "/v1/books/holds/release", `{"id":"`+q.ID.String()+`"}`, &done)
	if done.Points != 60 || done.Before {
		t.Fatalf("released %+v", done)
	}
	c.ok(http.MethodPost, "/v1/books/holds/release", `{"id":"`+q.ID.String()+`"}`, &done)
	if !done.Before {
		t.Fatalf("released again %+v", done)
	}
	c.problem(http.MethodPost, "/v1/books/holds/release", "", `{"id":"x"}`, http.StatusBadRequest, "invalid-field")
	c.problem(http.MethodPost, "/v1/books/holds/release", "", `{"id":"`+q.RID.String()+`"}`, http.StatusNotFound, "not-found")
	used := l.hold("card-1", 10)
	c.hold(shop(1), used)
	l.add(record.Header{Kind: record.KindSale, RID: used.RID, Account: used.Account, Spent: 10, Hold: used.ID}, []byte("{}"))
	c.send(shop(1), l.pack())
	c.problem(http.MethodPost, "/v1/books/holds/release", "", `{"id":"`+used.ID.String()+`"}`, http.StatusConflict, "conflict")
	var got gateway.Account
	c.ok(http.MethodPost, "/v1/books/account", `{"card":"card-1"}`, &got)
	if len(got.Lots) != 1 || got.Lots[0].Points != 90 || got.Lots[0].Expires == nil || got.Lots[0].Expires.Day() != 1 {
		t.Fatalf("lots %+v", got.Lots)
	}
}
