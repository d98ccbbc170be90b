package fleet

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"tillstream/deploy/laws"
	"tillstream/deploy/sales"
	"tillstream/kv/record"
)

// Answer is what a till said to a receipt or a return.
type Answer struct {
	Status int
	Body   []byte
}

// Kept reports whether the till has the receipt, now or from before.
func (a Answer) Kept() bool { return a.Status == http.StatusCreated || a.Status == http.StatusOK }

// Repeated reports whether the till had it from before.
func (a Answer) Repeated() bool { return a.Status == http.StatusOK }

// Post gives a receipt or a return to a till as a POS does: over HTTP, its rid as the idempotency key.
func Post(ctx context.Context, client *http.Client, till string, isReturn bool, rid record.RID, body []byte) (Answer, error) {
	path := "/v1/receipts"
	if isReturn {
		path = "/v1/returns"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, till+path, bytes.NewReader(body))
	if err != nil {
		return Answer{}, fmt.Errorf("post receipt %s: %w", rid, err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+Token())
	req.Header.Set("Idempotency-Key", rid.String())
	res, err := client.Do(req)
	if err != nil {
		return Answer{}, fmt.Errorf("post receipt %s: %w", rid, err)
	}
	defer res.Body.Close() //nolint:errcheck // read to its end or given up
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return Answer{}, fmt.Errorf("post receipt %s: %w", rid, err)
	}
	return Answer{res.StatusCode, b}, nil
}

// Sell gives the till a receipt as Post does, and notes in the fleet's journal what was sent and whether it
// was kept.
func (t *Till) Sell(ctx context.Context, client *http.Client, r *sales.Receipt) (Answer, error) {
	return t.SellAt(ctx, client, t.URL(), r)
}

// SellAt does the same at another node that believes it is this till.
func (t *Till) SellAt(ctx context.Context, client *http.Client, url string, r *sales.Receipt) (Answer, error) {
	at := t.Place()
	body := r.Body(at.Store.String(), at.Till.String(), r.Customer)
	t.f.Sent().Send(laws.NewSale(r, at, t.f.cards.Account(r.Customer), body))
	a, err := Post(ctx, client, url, r.Return, r.RID, body)
	if err == nil && a.Kept() {
		t.f.Sent().Answered(r.RID, at)
	}
	return a, err
}

// Place is where the till stands.
func (t *Till) Place() laws.Place { return laws.Place{Store: t.cfg.Store, Till: t.cfg.Till} }

// Lookup asks a till or store for a card, as a POS does.
func Lookup(ctx context.Context, client *http.Client, node, card string) (Answer, error) {
	body, err := json.Marshal(map[string]any{"identifier": map[string]string{"kind": "card", "value": card}})
	if err != nil {
		return Answer{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, node+"/v1/lookups", bytes.NewReader(body))
	if err != nil {
		return Answer{}, fmt.Errorf("look up: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+Token())
	res, err := client.Do(req)
	if err != nil {
		return Answer{}, fmt.Errorf("look up: %w", err)
	}
	defer res.Body.Close() //nolint:errcheck // read to its end or given up
	b, err := io.ReadAll(res.Body)
	return Answer{res.StatusCode, b}, err
}
