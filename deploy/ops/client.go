package ops

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"tillstream/central/gateway"
)

// Client asks the admin APIs of a centre's nodes.
type Client struct {
	URLs  []string // http://host:port of the nodes
	Token string   // bearer token; empty: none
}

// How long a node may take to answer. Verification counts all postings again.
const (
	askLimit    = 15 * time.Second
	verifyLimit = 10 * time.Minute
)

var errNoNode = errors.New("no node of the centre is named")

// file is a question that goes as it is.
type file []byte

// first asks the nodes one after the other until one answers.
func (c Client) first(ctx context.Context, method, path string, question, answer any) error {
	return c.firstFor(ctx, askLimit, method, path, question, answer)
}

func (c Client) firstFor(ctx context.Context, limit time.Duration, method, path string, question, answer any) error {
	if len(c.URLs) == 0 {
		return errNoNode
	}
	var errs []error
	for _, url := range c.URLs {
		err := c.askFor(ctx, limit, url, method, path, question, answer)
		var p *Problem
		if err == nil || errors.As(err, &p) && p.Status < http.StatusInternalServerError {
			return err
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// Problem is an answer that says what is wrong (RFC 9457). One without a Type is not a node's.
type Problem struct {
	Type   string `json:"type"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
}

func (p *Problem) Error() string {
	if p.Type == "" {
		return p.Detail
	}
	return fmt.Sprintf("%d %s: %s", p.Status, strings.TrimPrefix(p.Type, "/problems/"), p.Detail)
}

func (c Client) ask(ctx context.Context, url, method, path string, question, answer any) error {
	return c.askFor(ctx, askLimit, url, method, path, question, answer)
}

// askFor asks one node, which has to answer within a limit.
func (c Client) askFor(ctx context.Context, limit time.Duration, url, method, path string, question, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var body io.Reader
	switch q := question.(type) {
	case nil:
	case file:
		body = bytes.NewReader(q)
	default:
		b, err := json.Marshal(q)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, url+path, body)
	if err != nil {
		return fmt.Errorf("ask %s: %w", url, err)
	}
	if c.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.Token)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("ask: %w", err)
	}
	defer res.Body.Close() //nolint:errcheck // read to its end or given up
	if res.StatusCode != http.StatusOK {
		p := &Problem{}
		if err := json.NewDecoder(res.Body).Decode(p); err != nil || p.Detail == "" {
			p = &Problem{Detail: res.Status} // another server's, or a proxy's
		}
		p.Status = res.StatusCode
		return fmt.Errorf("%s%s: %w", url, path, p)
	}
	if raw, ok := answer.(*[]byte); ok {
		*raw, err = io.ReadAll(res.Body)
	} else {
		err = json.NewDecoder(res.Body).Decode(answer)
	}
	if err != nil {
		return fmt.Errorf("%s%s: %w", url, path, err)
	}
	return nil
}

// Status asks every node for its status.
func (c Client) Status(ctx context.Context) ([]gateway.Status, error) {
	var out []gateway.Status
	var errs []error
	for _, url := range c.URLs {
		var s gateway.Status
		if err := c.ask(ctx, url, http.MethodGet, "/v1/status", nil, &s); err != nil {
			errs = append(errs, err)
			continue
		}
		out = append(out, s)
	}
	return out, errors.Join(errs...)
}

// Account asks one node for an account.
func (c Client) Account(ctx context.Context, q gateway.AccountQuestion) (a gateway.Account, err error) {
	err = c.first(ctx, http.MethodPost, "/v1/books/account", q, &a)
	return a, err
}

// Plan asks what differs between the streams that are and those that should be; Apply changes it.
func (c Client) Plan(ctx context.Context) (p gateway.Plan, err error) {
	err = c.first(ctx, http.MethodPost, "/v1/streams/plan", nil, &p)
	return p, err
}

// Apply carries the plan out.
func (c Client) Apply(ctx context.Context) (p gateway.Plan, err error) {
	err = c.first(ctx, http.MethodPost, "/v1/streams/apply", nil, &p)
	return p, err
}

// Journal asks for entries behind one, in the form of an archive's segment; without entries there are none.
func (c Client) Journal(ctx context.Context, after uint64) (segment []byte, err error) {
	err = c.first(ctx, http.MethodGet, fmt.Sprintf("/v1/journal?after=%d", after), nil, &segment)
	return segment, err
}

// CloseSegment has every node that keeps an archive close its open segment.
func (c Client) CloseSegment(ctx context.Context) (out []gateway.Closed, err error) {
	var errs []error
	for _, url := range c.URLs {
		var one gateway.Closed
		if err := c.askFor(ctx, verifyLimit, url, http.MethodPost, "/v1/archive/close", nil, &one); err != nil {
			errs = append(errs, err)
			continue
		}
		out = append(out, one)
	}
	return out, errors.Join(errs...)
}
