package soak

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// The programme of a soak: a point for each whole pound, as where there is none, so what is sold without a quote
// earns the same at a till that has lost it. A point pays ten pence; with a card something is off large baskets.
const (
	earnFor    = 100 // pence to pay, for a point
	pointPays  = 10  // pence
	programme  = `{id: programme, revision: 1, currencies: {GBP: {earn: {points: 1, amount: 100}, value: {points: 1, amount: 10}}}}`
	promotions = `{schema: promotion/v1, id: spend-50-save-7, revision: 1, name: 7.00 off 50.00 with a card, text: {en: Spend 50 save 7},
  audience: {card_required: true}, mechanic: {type: spend_threshold, set: all, tiers: [{spend: 5000, amount: 700}]}}`
)

// policies are put one after the other while faults go on, evenly: holds end soon, and points that are earned
// later lie in other lots. Nothing expires while a soak lasts.
var policies = []string{
	`{"expire_days":0,"hold_minutes":1}`, `{"expire_days":60,"hold_minutes":1}`, `{"expire_days":365,"hold_minutes":1}`, `{"expire_days":180,"hold_minutes":1}`,
}

// programmeWithin bounds the wait for tills to go by it.
const programmeWithin = 30 * time.Second

// putProgramme puts what tills go by, and waits until all do.
func (w *world) putProgramme(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, programmeWithin)
	defer cancel()
	var entry uint64
	for path, text := range map[string]string{"/v1/settings": programme, "/v1/promotions": promotions, "/v1/books/policy": policies[0]} {
		for {
			at, err := w.put(ctx, path, text)
			if err == nil {
				entry = max(entry, at)
				break
			}
			if !sleep(ctx, 10*look) {
				return err
			}
		}
	}
	for _, n := range w.of(atTill) {
		for {
			var h struct {
				Programme struct {
					Revision uint64 `json:"revision"`
				} `json:"programme"`
			}
			err := n.get(ctx, w, "/v1/health", &h)
			if err == nil && h.Programme.Revision >= entry {
				break
			}
			if !sleep(ctx, 10*look) {
				return fmt.Errorf("%s does not go by the programme: revision %d, %v", n.target, h.Programme.Revision, err)
			}
		}
	}
	return nil
}

// planPolicies plans those that follow. One that nobody at the centre takes is left out.
func (w *world) planPolicies() {
	for i, text := range policies[1:] {
		at := w.cfg.For * time.Duration(i+1) / time.Duration(len(policies))
		w.plan(at, func(ctx context.Context) error {
			w.wg.Go(func() {
				if _, err := w.put(ctx, "/v1/books/policy", text); err != nil {
					w.counts.act("policies that nobody took", 1)
					w.say("%v", err)
					return
				}
				w.counts.act("policies put", 1)
			})
			return nil
		})
	}
}

// put asks the centre's nodes in turn to take a document, and gives the entry of reference data that has it.
func (w *world) put(ctx context.Context, path, text string) (entry uint64, err error) {
	for _, n := range w.centre() {
		if entry, err = n.give(ctx, w.token, path, text); err == nil {
			return entry, nil
		}
	}
	return 0, err
}

func (n *node) give(ctx context.Context, token, path, text string) (entry uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*askWithin)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, n.url+path, bytes.NewReader([]byte(text)))
	if err != nil {
		return 0, fmt.Errorf("put %s: %w", path, err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := n.client.Do(req)
	if err != nil {
		return 0, fmt.Errorf("put %s: %w", path, err)
	}
	defer res.Body.Close() //nolint:errcheck // read to its end or given up
	b, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode >= http.StatusMultipleChoices {
		err = fmt.Errorf("%s: %s", res.Status, b)
	}
	var changed struct {
		Entry uint64 `json:"entry"`
	}
	if err == nil {
		err = json.Unmarshal(b, &changed)
	}
	if err != nil {
		return 0, fmt.Errorf("put %s: %w", path, err)
	}
	return changed.Entry, nil
}
