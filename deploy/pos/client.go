package pos

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"tillstream/edge/api"
)

// Client asks one till's node.
type Client struct {
	base  string // http://…
	token string
	http  *http.Client
	heard func(json.RawMessage) // every answer as it came; nil: nobody listens
}

// patience bounds one question; a POS would give up sooner.
const patience = 10 * time.Second

// NewClient makes a client of the node at a URL, "http://host:port" or "unix:/path".
func NewClient(url, token string) *Client {
	c := &Client{base: strings.TrimSuffix(url, "/"), token: token, http: &http.Client{Timeout: patience}}
	if path, ok := strings.CutPrefix(url, "unix:"); ok {
		c.base = "http://till"
		c.http.Transport = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		}}
	}
	return c
}

// ReadToken reads the token's file: the token alone, or the first token of a node's pos_tokens_file.
func ReadToken(path string) (string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("read token: %w", err)
	}
	for line := range strings.Lines(string(b)) {
		line, _, _ = strings.Cut(line, "#")
		switch fields := strings.Fields(line); {
		case len(fields) == 1:
			return fields[0], nil
		case len(fields) > 1 && fields[len(fields)-1] != "manager":
			return fields[1], nil
		}
	}
	return "", fmt.Errorf("read token: %s has none", path)
}

// ProblemError is a problem that the node answered.
type ProblemError struct{ api.Problem }

func (e *ProblemError) Error() string {
	text := fmt.Sprintf("%s (%s): %s", e.CashierText, strings.TrimPrefix(e.Type, "/problems/"), e.Detail)
	if e.Left != "" {
		text += " Left: " + e.Left + "."
	}
	if e.Field != "" {
		text += " See " + e.Field + "."
	}
	return text
}

// ask asks a question and reads its answer.
func (c *Client) ask(ctx context.Context, method, path, key string, question, answer any) error {
	var body io.Reader
	if question != nil {
		b, err := json.Marshal(question)
		if err != nil {
			return fmt.Errorf("ask the till: %w", err)
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return fmt.Errorf("ask the till: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+c.token)
	if key != "" {
		req.Header.Set(api.HeaderKey, key)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("ask the till: %w", err)
	}
	b, err := io.ReadAll(res.Body)
	if err = joinClose(err, res.Body.Close()); err != nil {
		return fmt.Errorf("read the till's answer: %w", err)
	}
	if c.heard != nil {
		c.heard(b)
	}
	if res.StatusCode >= http.StatusBadRequest {
		p := &ProblemError{}
		if err := json.Unmarshal(b, &p.Problem); err != nil {
			return fmt.Errorf("the till answers %s: %.200s", res.Status, b)
		}
		return p
	}
	if err := json.Unmarshal(b, answer); err != nil {
		return fmt.Errorf("read the till's answer: %w", err)
	}
	return nil
}

func joinClose(err, closed error) error {
	if err != nil {
		return err
	}
	return closed
}

// LookUp asks who a shopper is.
func (c *Client) LookUp(ctx context.Context, id api.Identifier) (s api.Shopper, err error) {
	return s, c.ask(ctx, http.MethodPost, "/v1/lookups", "", api.Lookup{Identifier: &id}, &s)
}

// Quote prices a basket.
func (c *Client) Quote(ctx context.Context, b *api.Basket) (q api.Quote, err error) {
	return q, c.ask(ctx, http.MethodPost, "/v1/quotes", "", b, &q)
}

// Hold sets points and coupons aside under a key, which becomes the hold's id.
func (c *Client) Hold(ctx context.Context, key string, r *api.HoldRequest) (h api.Hold, err error) {
	return h, c.ask(ctx, http.MethodPost, "/v1/holds", key, r, &h)
}

// Commit keeps a receipt.
func (c *Client) Commit(ctx context.Context, b *api.Basket) (k api.Committed, err error) {
	return k, c.ask(ctx, http.MethodPost, "/v1/receipts", b.RID, b, &k)
}

// Return keeps a return.
func (c *Client) Return(ctx context.Context, r *api.Return) (k api.Committed, err error) {
	return k, c.ask(ctx, http.MethodPost, "/v1/returns", r.RID, r, &k)
}

// Find asks what became of a receipt.
func (c *Client) Find(ctx context.Context, rid string) (k api.Committed, err error) {
	return k, c.ask(ctx, http.MethodGet, "/v1/receipts/"+rid, "", nil, &k)
}
