package csl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

const (
	maxAnswer    = 1 << 20
	maxRedirects = 3
)

// newClient makes the client for a CMS. It follows redirects only within the CMS's own host.
func newClient() *http.Client {
	return &http.Client{
		Timeout: fetchIn,
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 4,
			TLSHandshakeTimeout: fetchIn, IdleConnTimeout: goodFor + againAfter, MaxResponseHeaderBytes: 64 << 10,
		},
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			if len(via) > maxRedirects || req.URL.Host != via[0].URL.Host {
				return http.ErrUseLastResponse
			}
			return nil
		},
	}
}

// repository is what GET {address} gives (Prismic's Repository API).
type repository struct {
	Refs []struct {
		Ref    string `json:"ref"`
		Master bool   `json:"isMasterRef"`
	} `json:"refs"`
	Languages []struct {
		ID string `json:"id"`
	} `json:"languages"`
}

// found is what GET {address}/documents/search gives (Prismic's Content API).
type found struct {
	Results *[]struct {
		Tags []string `json:"tags"`
		Lang string   `json:"lang"`
		Data struct {
			Title field `json:"title"`
			Text  field `json:"text"`
		} `json:"data"`
	} `json:"results"`
}

// ask looks for a template. The ref is asked for each time: with an old one the CMS gives old words, and then none.
func ask(ctx context.Context, client *http.Client, address string, p place) (Template, bool, error) {
	base, err := url.Parse(address)
	if err != nil {
		return Template{}, false, fmt.Errorf("address of the CMS: %w", err)
	}
	base.Path = strings.TrimRight(base.Path, "/")
	var r repository
	if err := get(ctx, client, base, &r); err != nil {
		return Template{}, false, fmt.Errorf("refs of the CMS: %w", err)
	}
	ref := ""
	for _, x := range r.Refs {
		if x.Master {
			ref = x.Ref
		}
	}
	if ref == "" {
		return Template{}, false, errors.New("refs of the CMS: there is no master ref")
	}
	if !speaks(&r, p.language) {
		return Template{}, false, nil
	}
	q := base.Query()
	q.Set("ref", ref)
	q.Set("q", `[[at(document.tags,["`+p.tag+`"])]]`)
	q.Set("lang", p.language)
	q.Set("orderings", "[document.last_publication_date desc]")
	search := base.JoinPath("documents", "search")
	search.RawQuery = q.Encode()
	var f found
	if err := get(ctx, client, search, &f); err != nil {
		return Template{}, false, fmt.Errorf("documents of the CMS: %w", err)
	}
	if f.Results == nil {
		return Template{}, false, errors.New("documents of the CMS: there are no results, not even none")
	}
	for _, d := range *f.Results {
		if !slices.Contains(d.Tags, p.tag) || !strings.EqualFold(d.Lang, p.language) {
			continue // a CMS that does not know a parameter leaves it out
		}
		t := Template{Title: string(d.Data.Title), Text: string(d.Data.Text)}
		return t, true, t.check()
	}
	return Template{}, false, nil
}

// speaks reports whether a repository has a language at all. Asked for one that it does not have, the CMS says that
// the question is wrong.
func speaks(r *repository, language string) bool {
	for _, l := range r.Languages {
		if strings.EqualFold(l.ID, language) {
			return true
		}
	}
	return len(r.Languages) == 0
}

// get reads a JSON answer. An error that is errDown says nothing of the question.
func get(ctx context.Context, client *http.Client, u *url.URL, v any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err // without the address, which may hold an access token
		}
		return fmt.Errorf("%w: %w", errDown, err)
	}
	defer func() { _ = resp.Body.Close() }() // all that was wanted of it is read
	switch {
	case resp.StatusCode == http.StatusOK:
	case resp.StatusCode >= 500 || resp.StatusCode == http.StatusTooManyRequests:
		return fmt.Errorf("%w: status %d", errDown, resp.StatusCode)
	default:
		return fmt.Errorf("status %d, want 200", resp.StatusCode)
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return fmt.Errorf("%w: %w", errDown, err)
	}
	if len(b) > maxAnswer {
		return fmt.Errorf("the answer is larger than %d bytes", maxAnswer)
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("the answer is no JSON of its API: %w", err)
	}
	return nil
}

// field is a document's field: plain, or rich text, whose blocks are lines.
type field string

// UnmarshalJSON reads both.
func (f *field) UnmarshalJSON(b []byte) error {
	var plain string
	if len(b) > 0 && b[0] != '[' {
		err := json.Unmarshal(b, &plain) // null too
		*f = field(plain)
		return err
	}
	var blocks []struct {
		Text string `json:"text"`
	}
	if err := json.Unmarshal(b, &blocks); err != nil {
		return err
	}
	lines := make([]string, len(blocks))
	for i := range blocks {
		lines[i] = blocks[i].Text
	}
	*f = field(strings.TrimSpace(strings.Join(lines, "\n")))
	return nil
}
