package api

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// A quote is made where another was made before it, of a longer basket with more to say. It has nothing of that one,
// also when many ask at once.
func TestQuoteHasNothingOfAnother(t *testing.T) {
	t.Parallel()
	s := open(t, nil)
	rich := basket(t, func(o obj) {
		lines := o["lines"].([]any)
		for i := range lines {
			l := lines[i].(obj)
			l["description"], l["category"], l["tax_code"] = "of another", "food/other", "A"
			l["manual_discount"] = obj{"amount": 10, "reason": "dented"}
		}
		o["lines"] = append(lines, obj{"line_id": "zz", "item": "nowhere", "quantity": "2", "unit_price": 199, "price_override": true})
		o["coupons"] = []any{obj{"code": "AUTUMN1", "entry": "keyed"}, obj{"code": "OLD1"}}
	})
	plain := basket(t, func(o obj) {
		o["lines"] = o["lines"].([]any)[:1]
		delete(o, "shopper")
	})
	door := s.api.routes()
	said := func(body []byte) []byte {
		r := httptest.NewRequestWithContext(t.Context(), "POST", "/v1/quotes", bytes.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", bearer)
		w := httptest.NewRecorder()
		door.ServeHTTP(w, r)
		var q Quote
		if err := json.Unmarshal(w.Body.Bytes(), &q); err != nil || w.Code != http.StatusOK {
			t.Errorf("%d %s: %v", w.Code, w.Body, err)
		}
		q.Context = "" // sealed with another nonce each time
		return mustEncode(&q)
	}
	wantPlain, wantRich := said(plain), said(rich)
	if bytes.Contains(wantPlain, []byte(`"coupons"`)) || strings.Count(string(wantRich), `"line_id"`) < 2 {
		t.Fatalf("plain %s\nrich %s", wantPlain, wantRich)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 10 {
				if got := said(rich); !bytes.Equal(got, wantRich) {
					t.Errorf("got  %s\nwant %s", got, wantRich)
				}
				if got := said(plain); !bytes.Equal(got, wantPlain) {
					t.Errorf("got  %s\nwant %s", got, wantPlain)
				}
			}
		})
	}
	wg.Wait()
}
