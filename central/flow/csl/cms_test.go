package csl_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"tillstream/subjects/event"
	"tillstream/subjects/service"
)

// prismic is a CMS with the shape of Prismic's API, version 2, on loopback.
type prismic struct {
	*httptest.Server
	mu        sync.Mutex
	documents map[string]string                        // guarded by mu: by "tag/lang", what data holds
	asked     int                                      // guarded by mu: for documents
	fault     func(http.ResponseWriter, *http.Request) // guarded by mu: answers instead
	release   chan struct{}                            // ends what hangs
}

func newPrismic(t *testing.T) *prismic {
	p := &prismic{documents: map[string]string{}, release: make(chan struct{})}
	p.Server = httptest.NewServer(p)
	t.Cleanup(func() { close(p.release); p.Close() })
	return p
}

func (p *prismic) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	fault := p.fault
	p.mu.Unlock()
	if fault != nil {
		fault(w, r)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch q := r.URL.Query(); r.URL.Path {
	case "/api/v2":
		fmt.Fprint(w, `{"refs":[{"id":"later","ref":"r0~x","label":"Spring","isMasterRef":false},
			{"id":"master","ref":"r1","label":"Master","isMasterRef":true}],
			"languages":[{"id":"en-gb","name":"English","is_master":true},{"id":"cy"}],"license":"All Rights Reserved"}`)
	case "/api/v2/documents/search":
		p.asked++
		if q.Get("ref") != "r1" {
			http.Error(w, `{"type":"api_notfound_error"}`, http.StatusNotFound)
			return
		}
		tag, ok := strings.CutPrefix(q.Get("q"), `[[at(document.tags,["`)
		tag, ok2 := strings.CutSuffix(tag, `"])]]`)
		if !ok || !ok2 || q.Get("lang") == "en" {
			http.Error(w, `{"type":"api_validation_error"}`, http.StatusBadRequest)
			return
		}
		results := ""
		if data := p.documents[tag+"/"+q.Get("lang")]; data != "" {
			results = fmt.Sprintf(`{"id":"X1","uid":null,"type":"message","tags":[%q,"autumn"],"lang":%q,"data":%s}`, tag, q.Get("lang"), data)
		}
		fmt.Fprintf(w, `{"page":1,"results_per_page":20,"next_page":null,"results":[%s]}`, results)
	default:
		http.NotFound(w, r)
	}
}

func (p *prismic) set(place, data string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.documents[place] = data
}

func (p *prismic) fails(fault func(http.ResponseWriter, *http.Request)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault = fault
}

func (p *prismic) questions() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked
}

// start is where these tests' clock stands.
var start = time.Date(2011, 12, 1, 12, 0, 0, 0, time.UTC)

// published is a desk whose brand has its templates in a CMS, with a stopped clock.
func published(t *testing.T) (*desk, *prismic) {
	d, p := open(t), newPrismic(t)
	d.SetNow(start)
	d.PutSettings("languages: [en, cy, en-gb]\ncms: " + p.URL + "/api/v2") // en the CMS does not have
	d.put("REWARD_AWARDED.STAMPS", "en", "text: in the bucket, which nobody reads where there is a CMS")
	return d, p
}

func (d *desk) wants(t *testing.T, code, want string) {
	t.Helper()
	if c, err := d.content(event.MessageRewardAwarded, code); err != nil || c.Language+"|"+c.Title+"|"+c.Text != want {
		t.Errorf("got %+v, %v, want %s", c, err, want)
	}
}

func TestTemplatesOfACMS(t *testing.T) {
	d, p := published(t)
	if _, err := d.content(event.MessageRewardAwarded, "STAMPS"); !errors.Is(err, service.ErrLater) {
		t.Fatalf("without a document: got %v, want to be told to ask again", err)
	}
	// Rich text and plain, and a field that is not ours.
	p.set("REWARD_AWARDED/en-gb", `{"title":[{"type":"heading1","text":"Well done","spans":[]}],"image":{"url":"x"},
		"text":[{"type":"paragraph","text":"{promoName}","spans":[]},{"type":"paragraph","text":"at any till","spans":[]}]}`)
	p.set("REWARD_AWARDED.CAKES/cy", `{"title":null,"text":"Cacen: {promoName}"}`)
	d.SetNow(start.Add(2 * time.Minute)) // that there was none is known for a minute
	d.wants(t, "STAMPS", "en-gb|Well done|Ten ‹b›stamps‹/b›\nat any till")
	d.wants(t, "CAKES", "cy||Cacen: Ten ‹b›stamps‹/b›")

	// A copy is good for a minute, then it is the CMS's word again.
	asked := p.questions()
	p.set("REWARD_AWARDED/en-gb", `{"text":"New"}`)
	d.wants(t, "STAMPS", "en-gb|Well done|Ten ‹b›stamps‹/b›\nat any till")
	if p.questions() != asked {
		t.Error("the CMS is asked though there are fresh copies")
	}
	d.SetNow(start.Add(4 * time.Minute))
	d.wants(t, "STAMPS", "en-gb||New")

	// Another CMS has other words, at once; and without one the bucket's count.
	other := newPrismic(t)
	other.set("REWARD_AWARDED/cy", `{"text":"Other"}`)
	d.PutSettings("languages: [cy, en]\ncms: " + other.URL + "/api/v2/")
	d.wants(t, "STAMPS", "cy||Other")
	d.PutSettings("languages: [cy, en]")
	d.wants(t, "STAMPS", "en||in the bucket, which nobody reads where there is a CMS")
}

// The last good copy stands in for as long as the CMS is not itself, whatever it does.
func TestACMSThatIsNotItself(t *testing.T) {
	d, p := published(t)
	p.set("REWARD_AWARDED/en-gb", `{"text":"Good"}`)
	d.wants(t, "STAMPS", "en-gb||Good")
	now := start
	say := func(code int, body string) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(code)
			fmt.Fprint(w, body)
		}
	}
	master := `{"refs":[{"ref":"r1","isMasterRef":true}]}`
	search := func(body string) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/api/v2" {
				fmt.Fprint(w, master)
				return
			}
			fmt.Fprint(w, body)
		}
	}
	for name, fault := range map[string]func(http.ResponseWriter, *http.Request){
		"no JSON":      say(200, "<html>Please log in</html>"),
		"empty":        say(200, ""),
		"another JSON": say(200, `[1, 2]`),
		"no refs":      say(200, `{}`),
		"down":         say(503, master),
		"too many":     say(429, ""),
		"forbidden":    say(403, `{"error":"token"}`),
		"elsewhere": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusFound)
		},
		"hangs": func(_ http.ResponseWriter, r *http.Request) { <-p.release },
		"huge":  say(200, `{"refs":[`+strings.Repeat(" ", 2<<20)+`]}`),
		"cut off": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "900")
			fmt.Fprint(w, master)
		},
		"no results":     search(`{}`),
		"wrong words":    search(`{"results":[{"tags":["REWARD_AWARDED"],"lang":"en-gb","data":{"text":"<b>{x}"}}]}`),
		"no words":       search(`{"results":[{"tags":["REWARD_AWARDED"],"lang":"en-gb","data":{}}]}`),
		"unknown fields": search(`{"results":[{"tags":["REWARD_AWARDED"],"lang":"en-gb","data":{"text":{"a":1}}}]}`),
	} {
		now = now.Add(2 * time.Minute)
		d.SetNow(now)
		p.fails(fault)
		before := d.counted("tillstream_csl_cms_total", "failed") + d.counted("tillstream_csl_cms_total", "wrong")
		d.wants(t, "STAMPS", "en-gb||Good")
		if d.counted("tillstream_csl_cms_total", "failed")+d.counted("tillstream_csl_cms_total", "wrong") == before {
			t.Errorf("%s: it is not counted", name)
		}
	}
	p.fails(nil)
	p.set("REWARD_AWARDED/en-gb", `{"text":"Mended"}`)
	d.SetNow(now.Add(2 * time.Minute))
	d.wants(t, "STAMPS", "en-gb||Mended")
}

// Before there is a copy nobody knows whether the promotion has words of its own: BCG asks again, and the CMS is not
// asked for each message.
func TestACMSThatIsDownFromTheStart(t *testing.T) {
	d, p := published(t)
	p.set("REWARD_AWARDED.STAMPS/cy", `{"text":"Here"}`)
	p.fails(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	for i := range 20 {
		if _, err := d.content(event.MessageRewardAwarded, []string{"STAMPS", "CAKES"}[i%2]); !errors.Is(err, service.ErrLater) {
			t.Fatalf("got %v, want to be told to ask again", err)
		}
	}
	if got := d.counted("tillstream_csl_cms_total", "failed"); got != 1 {
		t.Errorf("a CMS that is down is asked %v times within a moment, want once", got)
	}
	p.fails(nil)
	d.SetNow(start.Add(10 * time.Second))
	d.wants(t, "STAMPS", "cy||Here")
}

// A document that was there from the start and cannot be shown is nobody's for ever.
func TestACMSWhoseFirstDocumentIsWrong(t *testing.T) {
	d, p := published(t)
	p.set("REWARD_AWARDED/cy", `{"text":"Dear {firstName}"}`)
	if _, err := d.content(event.MessageRewardAwarded, "STAMPS"); !refused(err) {
		t.Fatalf("got %v, want a refusal", err)
	}
	p.set("REWARD_AWARDED/cy", `{"text":"Dear you"}`)
	d.SetNow(start.Add(10 * time.Second))
	d.wants(t, "STAMPS", "cy||Dear you")
}
