package api

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestBasketIsSuspendedAndResumed(t *testing.T) {
	t.Parallel()
	s := open(t, nil)
	body := basket(t, nil)
	at := "/v1/baskets/" + ridIn(body)
	put := s.do("PUT", at, nil, body)
	if put.status != http.StatusCreated || put.header.Get("ETag") == "" {
		t.Fatalf("got %d %s", put.status, put.body)
	}
	told := into[Suspended](t, put)
	if told.POS != "lane-1" || told.Till != "3" || told.Lines != 2 || !told.ExpiresAt.Equal(s.now().Add(24*time.Hour)) || told.Etag != put.header.Get("ETag") {
		t.Errorf("got %+v", told)
	}
	list := into[BasketList](t, s.do("GET", "/v1/baskets", nil, nil))
	if len(list.Baskets) != 1 || list.Baskets[0].RID != ridIn(body) {
		t.Errorf("list %+v", list)
	}
	read := s.do("GET", at, nil, nil)
	if !bytes.Equal(read.body, body) || read.header.Get("ETag") != told.Etag {
		t.Errorf("read %s", read.body)
	}
	// Changed by whoever has seen it last, and by nobody else.
	changed := basket(t, func(o obj) { o["rid"], o["operator"] = ridIn(body), "op8" })
	wantProblem(t, s.do("PUT", at, map[string]string{"If-Match": `"other"`}, changed), "basket-taken", http.StatusPreconditionFailed)
	if r := s.do("PUT", at, map[string]string{"If-Match": told.Etag}, changed); r.status != http.StatusOK || r.header.Get("ETag") == told.Etag {
		t.Errorf("change: %d %s", r.status, r.body)
	}
	// What lies on the disk tells nothing, and a restart finds it.
	sealed, err := os.ReadFile(filepath.Join(s.api.cfg.Shelf.cfg.Dir, ridIn(body)+basketSuffix))
	if err != nil || bytes.Contains(sealed, []byte(ourCard)) || bytes.Contains(sealed, []byte("lines")) {
		t.Errorf("on the disk: %q, %v", sealed, err)
	}
	if s.api.cfg.Shelf, err = OpenShelf(s.api.cfg.Shelf.cfg); err != nil {
		t.Fatal(err)
	}
	var took atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if r, err := s.try("DELETE", at, nil, nil); err == nil && r.status == http.StatusOK && bytes.Equal(r.body, changed) {
				took.Add(1)
			}
		})
	}
	wg.Wait()
	if took.Load() != 1 {
		t.Errorf("%d of 8 tills have resumed the basket, want 1", took.Load())
	}
	wantProblem(t, s.do("GET", at, nil, nil), "not-found", http.StatusNotFound)
}

func TestSuspendedBasketExpires(t *testing.T) {
	t.Parallel()
	s := open(t, nil)
	body := basket(t, nil)
	s.do("PUT", "/v1/baskets/"+ridIn(body), nil, body)
	s.clock.Add(basketsKeep.Milliseconds())
	wantProblem(t, s.do("GET", "/v1/baskets/"+ridIn(body), nil, nil), "not-found", http.StatusNotFound)
	if left, err := os.ReadDir(s.api.cfg.Shelf.cfg.Dir); err != nil || len(left) != 0 {
		t.Errorf("%d files are left, %v", len(left), err)
	}
}

// eventIDs gives the ids of a stream's events as they come.
func eventIDs(t *testing.T, r io.Reader) <-chan string {
	t.Helper()
	ids := make(chan string, 16)
	go func() {
		defer close(ids)
		for lines := bufio.NewScanner(r); lines.Scan(); {
			if id, ok := strings.CutPrefix(lines.Text(), "id: "); ok {
				ids <- id
			}
		}
	}()
	return ids
}
