package api

import (
	"bufio"
	"net/http"
	"strings"
	"testing"
	"time"

	"tillstream/kv/record"
	"tillstream/subjects"
)

// What a POS says of shoppers decides whose messages are on the screen.
func TestWhoIsAtTheTill(t *testing.T) {
	now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	ana, ben, nobody := record.AccountID{1}, record.AccountID{2}, record.AccountID{}
	basket := func(b byte) record.RID { return record.RID{b} }
	sold := func(rid byte, who record.AccountID, ago time.Duration) func(*site) {
		return func(s *site) {
			s.sold(&record.Header{RID: basket(rid), Account: who, At: now.Add(-ago).UnixMilli()})
		}
	}
	quoted := func(rid byte, who record.AccountID) func(*site) {
		return func(s *site) { s.basket(basket(rid), who) }
	}
	looked := func(who record.AccountID) func(*site) { return func(s *site) { s.looked(who) } }
	for name, c := range map[string]struct {
		words []func(*site)
		later time.Duration
		want  record.AccountID
	}{
		"nobody yet":                                {nil, 0, nobody},
		"looked up":                                 {[]func(*site){looked(ana)}, 0, ana},
		"another is looked up":                      {[]func(*site){quoted(1, ana), looked(ben)}, 0, ben},
		"packs the bags":                            {[]func(*site){quoted(1, ana), sold(1, ana, 0)}, staysFor - time.Second, ana},
		"has packed them":                           {[]func(*site){quoted(1, ana), sold(1, ana, 0)}, staysFor, nobody},
		"a basket of nobody":                        {[]func(*site){sold(1, ana, 0), quoted(2, nobody)}, 0, nobody},
		"the card is taken out":                     {[]func(*site){quoted(1, ana), quoted(1, nobody)}, 0, nobody},
		"sold without a quote":                      {[]func(*site){sold(1, ana, 0)}, 0, ana},
		"sold to nobody":                            {[]func(*site){looked(ana), sold(1, nobody, 0)}, 0, nobody},
		"a receipt of an hour ago":                  {[]func(*site){sold(1, ana, time.Hour)}, 0, nobody},
		"one that comes late says nothing":          {[]func(*site){quoted(2, ben), sold(1, ana, time.Minute)}, 0, ben},
		"nor one of nobody":                         {[]func(*site){quoted(2, ben), sold(1, nobody, time.Minute)}, 0, ben},
		"a POS with a wrong clock is not a witness": {[]func(*site){sold(1, ana, -time.Hour)}, 0, nobody},
	} {
		at := now
		s := newSite(store("0017"), func() time.Time { return at })
		for _, word := range c.words {
			word(s)
		}
		at = now.Add(c.later)
		if got := s.shopper(); got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
	s := newSite(subjects.Headquarters, time.Now)
	if s.looked(ana); s.shopper() != nobody {
		t.Error("somebody is at headquarters' till")
	}
}

// The screen is asked over the doors that a POS uses: training says nothing of shoppers, and each kind of question does.
func TestQuestionsSayWhoIsThere(t *testing.T) {
	n := start(t, t.TempDir(), nil)
	account := n.cards.Account(ourCard)
	look := `{"identifier":{"kind":"card","value":"` + ourCard + `"}}`
	ask := func(token, path, body string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), "POST", n.url+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Authorization", "Bearer "+token)
		res, err := n.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
	}
	if ask(practice, "/v1/lookups", look); !n.api.Shopper().IsZero() {
		t.Error("a trainee's look-up counts")
	}
	if ask(liveToken, "/v1/lookups", look); n.api.Shopper() != account {
		t.Error("a look-up does not count")
	}
	basket := func(shopper string) string {
		return `{"rid":"` + record.NewRID(time.Now()).String() + `","currency":"EUR",` + shopper + `"lines":[{"line_id":"1","item":"20001","quantity":"1","amount":100}]}`
	}
	if ask(liveToken, "/v1/quotes", basket("")); !n.api.Shopper().IsZero() {
		t.Error("a basket of nobody does not end the presence")
	}
	if ask(liveToken, "/v1/quotes", basket(`"shopper":`+look+`,`)); n.api.Shopper() != account {
		t.Error("a quote does not count")
	}
}

// A POS whose stream breaks before it has a message, and that comes again when the next shopper is there, must not
// show it to them.
func TestMessageIsForNobodyElse(t *testing.T) {
	n := start(t, t.TempDir(), nil)
	ana, ben := record.AccountID{1}, record.AccountID{2}
	m := record.Screen{Account: ana, Try: 1, ID: "a1", Text: "For Ana", Expires: time.Now().Add(time.Hour).UnixMilli()}
	n.api.site.looked(ana)
	n.api.board.read(1) // a POS that takes nothing
	if shown, err := n.api.Screen(t.Context(), &m); shown || err != nil {
		t.Errorf("a message that no POS takes: %t, %v", shown, err)
	}
	m.Try, m.ID = 2, "a2"
	p := n.api.board.offer(&m) // it is being offered while the shoppers change
	n.api.site.looked(ben)
	req, err := http.NewRequestWithContext(t.Context(), "GET", n.url+"/v1/messages", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", bearer)
	res, err := n.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	n.api.Show(Message{ID: "all", Surface: "cashier", Style: "toast", Text: "For all", ExpiresAt: time.Now().Add(time.Hour)})
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() && !strings.Contains(lines.Text(), "For all") {
		if strings.Contains(lines.Text(), "For Ana") {
			t.Error("the next shopper sees it")
		}
	}
	if sent, err := n.api.board.withdraw(p, 2); sent || err != nil {
		t.Errorf("it counts as shown: %t, %v", sent, err)
	}
}
