package api

import (
	"bytes"
	"encoding/json"
	"net/http"
	"testing"
)

// A manager's code is looked at and forgotten: no receipt, return or suspended basket has it, and what is sent again
// with it is still the same.
func TestManagersCodeIsNotKept(t *testing.T) {
	t.Parallel()
	s := open(t, nil)
	code := func(o obj) { o["manager_code"] = boss }
	sale := basket(t, code)
	for name, body := range map[string][]byte{
		"/v1/receipts": paid(t, sale, s.quote(sale), nil), "/v1/receipts without a quote": receipt(t, code), "/v1/returns": receipt(t, code),
	} {
		path, _, _ := bytes.Cut([]byte(name), []byte(" "))
		first, again := s.write(string(path), body), s.write(string(path), body)
		if first.status != http.StatusCreated || again.status != http.StatusOK {
			t.Errorf("%s: %d %s, again %d %s", name, first.status, first.body, again.status, again.body)
		}
		kept, err := s.journal.Find(ridOf(t, body))
		if err != nil || bytes.Contains(kept.Data, []byte(boss)) || !json.Valid(kept.Data) {
			t.Errorf("%s: %v, kept %s", name, err, kept.Data)
		}
	}
	at := "/v1/baskets/" + ridIn(sale)
	put := s.do("PUT", at, nil, sale)
	if r := s.do("GET", at, nil, nil); put.status != http.StatusCreated || r.status != http.StatusOK || bytes.Contains(r.body, []byte(boss)) {
		t.Errorf("suspended: %d, read %d %s", put.status, r.status, r.body)
	}
}

func TestWithoutManager(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"manager_code":"4711"}`:                       `{}`,
		`{ "manager_code" : "4711" , "rid":"1"}`:        `{ "rid":"1"}`,
		`{"rid":"1","manager_code":"4711","x":[1,2]}`:   `{"rid":"1","x":[1,2]}`,
		`{"rid":"1" , "manager_code":"4711"}`:           `{"rid":"1"}`,
		`{"rid":"1" , "manager_code":"4711" , "x":1}`:   `{"rid":"1" , "x":1}`,
		`{"rid":"1","manager\u005fcode":"4711"}`:        `{"rid":"1"}`,
		`{"x":{"manager_code":"a"},"manager_code":"b"}`: `{"x":{"manager_code":"a"}}`,
	} {
		got, err := withoutManager([]byte(body), "4711")
		if err != nil || string(got) != want {
			t.Errorf("%s: %s, %v; want %s", body, got, err, want)
		}
	}
	if _, err := withoutManager([]byte(`{"rid":"1"}`), "4711"); err == nil {
		t.Error("a code that is not found is kept")
	}
	if got, err := withoutManager([]byte(`{"rid":"1"}`), ""); err != nil || string(got) != `{"rid":"1"}` {
		t.Errorf("without a code: %s, %v", got, err)
	}
}
