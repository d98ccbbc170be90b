package api

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"tillstream/kv/record"
	"tillstream/subjects"
)

// ask sends a question over NATS and gives the answer as HTTP would have given it.
func ask(t *testing.T, nc *nats.Conn, subject, key string, body []byte) reply {
	t.Helper()
	m := nats.NewMsg(subject)
	m.Data = body
	m.Header.Set("Authorization", bearer)
	if key != "" {
		m.Header.Set(HeaderKey, key)
	}
	r, err := nc.RequestMsgWithContext(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	status, err := strconv.Atoi(r.Header.Get(HeaderStatus))
	if err != nil {
		t.Fatalf("status %q: %v", r.Header.Get(HeaderStatus), err)
	}
	h := http.Header{}
	h.Set("Content-Type", "application/json")
	if r.Header.Get(HeaderReplayed) != "" {
		h.Set(HeaderReplayed, r.Header.Get(HeaderReplayed))
	}
	if p := r.Header.Get(HeaderProblem); p != "" {
		h.Set("Content-Type", "application/problem+json")
		var body Problem
		if err := json.Unmarshal(r.Data, &body); err != nil || body.Type != p {
			t.Errorf("header says %s, body %s", p, r.Data)
		}
		if r.Header.Get(micro.ErrorCodeHeader) != strconv.Itoa(status) || r.Header.Get(micro.ErrorHeader) == "" {
			t.Errorf("micro error headers %v", r.Header)
		}
	}
	return reply{status, h, r.Data}
}

// serving waits until the node's micro service answers every question.
func serving(t *testing.T, nc *nats.Conn) {
	t.Helper()
	for _, subject := range subjects.POSQuestions() {
		for {
			_, err := nc.RequestWithContext(t.Context(), subject, nil)
			if err == nil {
				break
			}
			if err != nats.ErrNoResponders {
				t.Fatal(err)
			}
		}
	}
}

// Both doors give the same bytes for the same question.
func TestBothDoorsAgree(t *testing.T) {
	t.Parallel()
	nc := connect(t)
	n := start(t, t.TempDir(), func(c *Config) {
		c.Conn = nc
		c.Ask = func(_ context.Context, a record.AccountID) (record.Shopper, string, bool, error) {
			return record.Shopper{}, "central", false, nil
		}
	})
	serving(t, nc)
	known := record.Shopper{Balance: 5, AsOf: 1}
	if err := n.cache.Learn(n.cards.Account(ourCard), known); err != nil {
		t.Fatal(err)
	}
	sale, back := receipt(t, nil), receipt(t, nil)
	saleKey, backKey := ridOf(t, sale).String(), ridOf(t, back).String()
	if r := ask(t, nc, subjects.POSReceipt, saleKey, sale); r.status != http.StatusCreated {
		t.Fatalf("sale: %d %s", r.status, r.body)
	}
	if r := ask(t, nc, subjects.POSReturn, backKey, back); r.status != http.StatusCreated {
		t.Fatalf("return: %d %s", r.status, r.body)
	}
	look := func(card string) []byte { return []byte(`{"identifier":{"kind":"card","value":"` + card + `"}}`) }
	for _, tt := range []struct {
		name, subject, method, path, key string
		body                             []byte
		status                           int
	}{
		{"known", subjects.POSLookup, "POST", "/v1/lookups", "", look(ourCard), 200},
		{"unknown", subjects.POSLookup, "POST", "/v1/lookups", "", look("1"), 404},
		{"payment card", subjects.POSLookup, "POST", "/v1/lookups", "", look(visa), 422},
		{"repeat", subjects.POSReceipt, "POST", "/v1/receipts", saleKey, sale, 200},
		{"repeated return", subjects.POSReturn, "POST", "/v1/returns", backKey, back, 200},
		{"reused", subjects.POSReturn, "POST", "/v1/returns", saleKey, sale, 422},
		{"no key", subjects.POSReceipt, "POST", "/v1/receipts", "", sale, 400},
		{"other key", subjects.POSReceipt, "POST", "/v1/receipts", backKey, sale, 400},
		{"garbage", subjects.POSReceipt, "POST", "/v1/receipts", saleKey, []byte("\xff"), 400},
		{"too large", subjects.POSReceipt, "POST", "/v1/receipts", saleKey, make([]byte, record.MaxBody+1), 413},
		{"find", subjects.POSReceipts, "GET", "/v1/receipts/" + saleKey, "", []byte(`{"rid":"` + saleKey + `"}`), 200},
		{"find nothing", subjects.POSReceipts, "GET", "/v1/receipts/0199c1b2-7c40-7d7e-9a52-3f6f0b1c2d3e", "",
			[]byte(`{"rid":"0199c1b2-7c40-7d7e-9a52-3f6f0b1c2d3e"}`), 404},
		{"sale", subjects.POSSale, "GET", "/v1/receipts/" + saleKey + "/sale", "", []byte(`{"rid":"` + saleKey + `"}`), 200},
		{"number", subjects.POSNumber, "GET", "/v1/receipts?number=none%20such", "", []byte(`{"id":"none such"}`), 200},
		{"find no rid", subjects.POSReceipts, "GET", "/v1/receipts/x", "", []byte(`{}`), 400},
	} {
		over := ask(t, nc, tt.subject, tt.key, tt.body)
		header := map[string]string{}
		if tt.key != "" {
			header[HeaderKey] = tt.key
		}
		http := n.do(tt.method, tt.path, header, tt.body)
		if over.status != tt.status || http.status != tt.status || !bytes.Equal(over.body, http.body) ||
			over.header.Get("Content-Type") != http.header.Get("Content-Type") ||
			over.header.Get(HeaderReplayed) != http.header.Get(HeaderReplayed) {
			t.Errorf("%s: want %d; over NATS %d %s, over HTTP %d %s", tt.name, tt.status, over.status, over.body, http.status, http.body)
		}
	}
}

func TestManyAtOnceOverNATS(t *testing.T) {
	t.Parallel()
	nc := connect(t)
	n := start(t, t.TempDir(), func(c *Config) { c.Conn = nc })
	serving(t, nc)
	const callers, each = 100, 3 // more callers than slots
	var wg sync.WaitGroup
	for range callers {
		bodies := [each][]byte{receipt(t, nil), receipt(t, nil), receipt(t, nil)}
		wg.Go(func() {
			for _, b := range bodies {
				if r := ask(t, nc, subjects.POSReceipt, ridOf(t, b).String(), b); r.status != http.StatusCreated {
					t.Errorf("%d %s", r.status, r.body)
				}
			}
		})
	}
	wg.Wait()
	if records, _ := n.journal.Unconfirmed(); records != callers*each+1 {
		t.Errorf("%d records, want %d and a start", records, callers*each)
	}
}

// A node may publish where a POS may not. A POS that wants its answer there, or nowhere, is not heard at all:
// else the answer to a look-up would be a question of the till to its store, or a receipt at the same till.
func TestAnswersGoToInboxesOnly(t *testing.T) {
	t.Parallel()
	nc := connect(t)
	n := start(t, t.TempDir(), func(c *Config) { c.Conn = nc })
	serving(t, nc)
	sub, err := nc.SubscribeSync(">")
	if err != nil {
		t.Fatal(err)
	}
	lane := subjects.Lane{Store: store("0001"), Till: till("01")}
	own, body := subjects.POSInbox+".1", receipt(t, nil)
	question := func(reply string) *nats.Msg {
		return &nats.Msg{Subject: subjects.POSReceipt, Reply: reply, Data: body, Header: nats.Header{
			headerAuth: {bearer}, HeaderKey: {ridOf(t, body).String()},
		}}
	}
	for _, reply := range []string{lane.Ingest(), subjects.POSLookup, subjects.POSInbox, subjects.POSInbox + "x.1", lane.Inbox() + ".1", ""} {
		if err := nc.PublishMsg(question(reply)); err != nil {
			t.Fatal(err)
		}
	}
	if err := nc.PublishMsg(question(own)); err != nil {
		t.Fatal(err)
	}
	for {
		m, err := sub.NextMsgWithContext(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if m.Subject == own {
			if got := m.Header.Get(HeaderStatus); got != "201" {
				t.Errorf("the question with an inbox is answered with %s, want 201: it is the first that is heard", got)
			}
			break
		}
		if m.Subject != subjects.POSReceipt {
			t.Errorf("an answer was sent to %s", m.Subject)
		}
	}
	if records, _ := n.journal.Unconfirmed(); records != 2 {
		t.Errorf("%d records, want the receipt and a start", records)
	}
}

// A question that waits when the node stops is answered over NATS too, and later ones find nobody.
func TestStopOverNATS(t *testing.T) {
	t.Parallel()
	nc := connect(t)
	asked, say := make(chan struct{}), make(chan struct{})
	n := start(t, t.TempDir(), func(c *Config) {
		c.Conn = nc
		c.Ask = func(context.Context, record.AccountID) (record.Shopper, string, bool, error) {
			close(asked)
			<-say
			return record.Shopper{Balance: 7, AsOf: 1}, "store", true, nil
		}
	})
	serving(t, nc)
	inbox := nc.NewInbox()
	sub, err := nc.SubscribeSync(inbox)
	if err != nil {
		t.Fatal(err)
	}
	question := &nats.Msg{
		Subject: subjects.POSLookup, Reply: inbox, Header: nats.Header{"Authorization": {bearer}},
		Data: []byte(`{"identifier":{"kind":"card","value":"1"},"wait_ms":2000}`),
	}
	if err := nc.PublishMsg(question); err != nil {
		t.Fatal(err)
	}
	<-asked
	stopped := make(chan error, 1)
	go func() { stopped <- n.stop() }()
	close(say)
	m, err := sub.NextMsgWithContext(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var s Shopper
	if err := json.Unmarshal(m.Data, &s); err != nil || *s.Points.Available != 7 {
		t.Errorf("got %s, %v", m.Data, err)
	}
	if err := <-stopped; err != nil {
		t.Errorf("stop: %v", err)
	}
	if _, err := nc.RequestWithContext(t.Context(), subjects.POSLookup, nil); err != nats.ErrNoResponders {
		t.Errorf("after the stop: %v, want no responders", err)
	}
}

// A till whose API is stopped and started again on the same NATS has one service, not two.
func TestRunAgainOverNATS(t *testing.T) {
	t.Parallel()
	nc, dir := connect(t), t.TempDir()
	body := receipt(t, nil)
	for i := range 2 {
		n := start(t, dir, func(c *Config) { c.Conn = nc })
		serving(t, nc)
		r := ask(t, nc, subjects.POSReceipt, ridOf(t, body).String(), body)
		if want := [...]int{http.StatusCreated, http.StatusOK}[i]; r.status != want {
			t.Errorf("run %d: %d %s, want %d", i, r.status, r.body, want)
		}
		if err := n.stop(); err != nil {
			t.Fatal(err)
		}
		if _, err := n.journal.Find(ridOf(t, body)); err == nil {
			t.Error("the journal is still open")
		}
	}
}

// What is in the path over HTTP is a header over NATS, and what is a header there is one here.
func TestBasketsOverNATS(t *testing.T) {
	t.Parallel()
	nc := connect(t)
	s := open(t, func(c *Config) { c.Conn = nc })
	serving(t, nc)
	send := func(subject string, header map[string]string, body []byte) (*nats.Msg, string) {
		t.Helper()
		m := nats.NewMsg(subject)
		m.Data = body
		m.Header.Set("Authorization", bearer)
		for k, v := range header {
			m.Header.Set(k, v)
		}
		r, err := nc.RequestMsgWithContext(t.Context(), m)
		if err != nil {
			t.Fatal(err)
		}
		return r, r.Header.Get(HeaderStatus)
	}
	b := basket(t, nil)
	put, status := send(subjects.POSBasketPut, map[string]string{HeaderID: ridIn(b)}, b)
	if status != "201" || put.Header.Get("ETag") == "" {
		t.Fatalf("suspend: %s %s", status, put.Data)
	}
	if r, status := send(subjects.POSBasketResume, map[string]string{HeaderID: ridIn(b), "If-Match": `"x"`}, nil); status != "412" {
		t.Errorf("not what was seen: %s %s", status, r.Data)
	}
	got, status := send(subjects.POSBasketResume, map[string]string{"If-Match": put.Header.Get("ETag")}, []byte(`{"rid":"`+ridIn(b)+`"}`))
	if status != "200" || !bytes.Equal(got.Data, b) {
		t.Errorf("resume: %s %s", status, got.Data)
	}
	q, status := send(subjects.POSQuote, nil, b)
	var over Quote
	if err := json.Unmarshal(q.Data, &over); err != nil || status != "200" || over.Digest != s.quote(b).Digest {
		t.Errorf("quote: %s %s, %v", status, q.Data, err)
	}
	m := nats.NewMsg(subjects.POSQuote)
	m.Data = b
	if r, err := nc.RequestMsgWithContext(t.Context(), m); err != nil || r.Header.Get(HeaderStatus) != "401" || r.Header.Get(HeaderProblem) != "/problems/unauthorised" {
		t.Errorf("without a token: %v %v", r, err)
	}
}
