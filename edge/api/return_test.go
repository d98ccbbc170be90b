package api

import (
	"encoding/json"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"tillstream/kv/record"
)

// back is a return of parts of a sale.
func back(t testing.TB, of string, parts map[string]string) []byte {
	t.Helper()
	var lines []obj
	for line, quantity := range parts {
		lines = append(lines, obj{"line_id": line, "quantity": quantity})
	}
	b, err := json.Marshal(obj{
		"rid": record.NewRID(time.Now()).String(), "of": obj{"rid": of}, "lines": lines,
		"at": "2026-11-20T12:30:00+01:00", "business_date": "2026-11-20", "currency": "EUR",
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Parts add up to the whole, to the cent and the point, in whatever parts it comes, also after a restart
// and when the rules of the sale are long gone.
func TestPartsOfAReturnAddUp(t *testing.T) {
	t.Parallel()
	for name, quoted := range map[string]bool{"quoted": true, "plain": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, nil)
			sold := receipt(t, nil)
			total, points := int64(1006), int64(10)
			if quoted {
				b := basket(t, nil)
				sold, total, points = paid(t, b, s.quote(b), nil), 854, 8
			}
			if r := s.sell(sold); r.status != http.StatusCreated {
				t.Fatalf("sell: %d %s", r.status, r.body)
			}
			s.without(9, "pasta-10")
			s.clock.Add((48 * time.Hour).Milliseconds())
			var money, taken int64
			for i, parts := range []map[string]string{{"1": "1"}, {"1": "2", "2": "0.1"}, {"2": "0.3"}, {"1": "1", "2": "0.012"}} {
				r := s.write("/v1/returns", back(t, ridIn(sold), parts))
				c := into[Committed](t, r)
				if r.status != http.StatusCreated || c.Link != "verified" || len(c.Lines) != len(parts) {
					t.Fatalf("part %d: %d %s", i, r.status, r.body)
				}
				money += *c.Total
				taken += *c.Points.TakenBack
				kept, err := s.journal.Find(c.RID)
				if err != nil || kept.Points != *c.Points.TakenBack || kept.Account != s.cards.Account(ourCard) {
					t.Errorf("kept %+v, %v: want the points of the part, of the sale's shopper", kept.Header, err)
				}
				s.api.past = past{} // as after a restart
			}
			if money != total || taken != points {
				t.Errorf("gave back %d and took %d points, want %d and %d", money, taken, total, points)
			}
			p := wantProblem(t, s.write("/v1/returns", back(t, ridIn(sold), map[string]string{"2": "0.001"})), "return-too-much", http.StatusUnprocessableEntity)
			if p.Left != "0" {
				t.Errorf("left %q, want 0", p.Left)
			}
		})
	}
}

// Many tills of the mind at once give back one piece; no piece comes back twice.
func TestNoPieceComesBackTwice(t *testing.T) {
	t.Parallel()
	s := open(t, nil)
	sold := receipt(t, nil)
	s.sell(sold)
	var mu sync.Mutex
	kept := 0
	var wg sync.WaitGroup
	for range 10 {
		b := back(t, ridIn(sold), map[string]string{"1": "1"})
		wg.Go(func() {
			r, err := s.try("POST", "/v1/returns", map[string]string{HeaderKey: ridIn(b)}, b)
			mu.Lock()
			defer mu.Unlock()
			if err == nil && r.status == http.StatusCreated {
				kept++
			}
		})
	}
	wg.Wait()
	if kept != 4 {
		t.Errorf("%d pieces of 4 came back", kept)
	}
}

func TestReturnOfAnotherTillsSale(t *testing.T) {
	t.Parallel()
	s := open(t, nil)
	unknown := record.NewRID(time.Now()).String()
	body := receipt(t, func(o obj) { o["of"] = obj{"rid": unknown, "store": "0042"} })
	r := s.write("/v1/returns", body)
	if c := into[Committed](t, r); r.status != http.StatusCreated || c.Link != "unverified" || *c.Points.TakenBack != 10 {
		t.Errorf("got %d %s", r.status, r.body)
	}
	blind := s.write("/v1/returns", receipt(t, nil))
	if c := into[Committed](t, blind); c.Link != "blind" {
		t.Errorf("got %s", blind.body)
	}
}

func TestVoidGivesBackWhatIsLeft(t *testing.T) {
	t.Parallel()
	s := open(t, nil)
	sold := receipt(t, nil)
	s.sell(sold)
	first := into[Committed](t, s.write("/v1/returns", back(t, ridIn(sold), map[string]string{"1": "1"})))
	body, err := json.Marshal(obj{"rid": record.NewRID(time.Now()).String(), "at": "2026-11-20T12:31:00+01:00", "business_date": "2026-11-20"})
	if err != nil {
		t.Fatal(err)
	}
	c := into[Committed](t, s.write("/v1/receipts/"+ridIn(sold)+"/void", body))
	if c.Kind != "void" || *c.Total+*first.Total != 1006 || *c.Points.TakenBack+*first.Points.TakenBack != 10 {
		t.Errorf("void gives %+v, and the return before it %+v: want 10.06 and 10 points together", c, first)
	}
	found := into[Committed](t, s.do("GET", "/v1/receipts/"+c.RID.String(), nil, nil))
	if found.Kind != "void" || *found.Total != *c.Total || found.Currency != "EUR" || len(found.Lines) != 2 {
		t.Errorf("found %+v", found)
	}
	wantProblem(t, s.write("/v1/returns", back(t, ridIn(sold), map[string]string{"1": "1"})), "receipt-voided", http.StatusConflict)
}

// Nothing of training is kept, and every answer says so.
func TestTrainingKeepsNothing(t *testing.T) {
	t.Parallel()
	s := open(t, nil)
	trainee := map[string]string{"Authorization": "Bearer " + practice}
	body := basket(t, nil)
	q := into[Quote](t, s.do("POST", "/v1/quotes", trainee, body))
	if !q.Training || q.Texts == nil || q.Texts.Trailer[0] != textTraining {
		t.Errorf("quote %+v", q)
	}
	bill := paid(t, body, q, nil)
	header := map[string]string{"Authorization": "Bearer " + practice, HeaderKey: ridIn(bill)}
	r := s.do("POST", "/v1/receipts", header, bill)
	c := into[Committed](t, r)
	if r.status != http.StatusCreated || c.State != "training" || c.Durable != "none" || !c.Training || c.Texts.Trailer[0] != textTraining ||
		r.header.Get(headerTraining) != "true" {
		t.Errorf("receipt %d %s", r.status, r.body)
	}
	said := basket(t, func(o obj) { o["training"] = true })
	sq := s.quote(said)
	if r := s.sell(paid(t, said, sq, nil)); into[Committed](t, r).State != "training" {
		t.Errorf("by its own word: %s", r.body)
	}
	if n, _ := s.journal.Unconfirmed(); n != 0 {
		t.Errorf("%d records are kept", n)
	}
	// The quote of a trainee is worth nothing at a till.
	wantProblem(t, s.sell(bill), "training-mismatch", http.StatusConflict)
}

func TestMessagesStream(t *testing.T) {
	t.Parallel()
	s := open(t, nil)
	show := func(i int) {
		s.api.Show(Message{ID: "m" + strconv.Itoa(i), Surface: "cashier", Style: "toast", Text: "t", ExpiresAt: s.now().Add(time.Minute)})
	}
	show(1)
	show(2)
	req, err := http.NewRequestWithContext(t.Context(), "GET", s.url+"/v1/messages", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", bearer)
	req.Header.Set("Last-Event-ID", "m1")
	resp, err := s.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	ids := eventIDs(t, resp.Body)
	if id := <-ids; id != "m2" {
		t.Errorf("first came %s, want m2: m1 was there before", id)
	}
	show(3)
	if id := <-ids; id != "m3" {
		t.Errorf("then came %s, want m3", id)
	}
	s.do("POST", "/v1/messages/m3/shown", nil, nil)
	if !s.api.Shown("m3") || s.api.Shown("m2") {
		t.Error("m3 alone was shown")
	}
	// A node that stops does not wait for whoever reads.
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	if _, open := <-ids; open {
		t.Error("the stream goes on")
	}
}
