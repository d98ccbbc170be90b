// Command examples is one sale as a POS in Go would make it: look the shopper up, quote the basket, commit
// what was paid, give one piece back. It uses nothing but the standard library, so that it can be copied.
// sale.sh beside it is the same with curl.
//
//	go run ./edge/api/examples http://127.0.0.1:8371 TOKEN
package main

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

// till is a node that answers.
type till struct {
	url, token string
	client     http.Client
}

// problem is what it answers instead (RFC 9457).
type problem struct {
	Type        string `json:"type"`
	Action      string `json:"action"`
	Detail      string `json:"detail"`
	Field       string `json:"field"`
	CashierText string `json:"cashier_text"`
}

func (p *problem) Error() string { return p.Type + ": " + p.Detail + " " + p.Field }

type object = map[string]any

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: examples URL TOKEN")
		os.Exit(2)
	}
	t := &till{url: os.Args[1], token: os.Args[2], client: http.Client{Timeout: 2 * time.Second}}
	if err := sell(t, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// sell makes the sale and gives one piece of it back.
func sell(t *till, out io.Writer) error {
	shopper := object{"identifier": object{"kind": "card", "value": "2000017", "entry": "scanned"}}
	var known struct {
		Known bool `json:"known"`
	}
	// A shopper whom nobody knows is no reason to stop: the first receipt opens the account.
	if err := t.ask("POST", "/v1/lookups", "", object{"identifier": shopper["identifier"]}, &known); err != nil {
		fmt.Fprintln(out, "look-up:", err)
	}

	rid := newRID() // one for the whole life of the basket
	basket := object{
		"rid": rid, "currency": "EUR", "shopper": shopper,
		"lines": []object{
			{"line_id": "1", "item": "8076800195057", "quantity": "4", "unit": "pc", "unit_price": 129},
			{"line_id": "2", "item": "2512340004900", "quantity": "0.412", "unit": "kg", "unit_price": 1190},
		},
	}
	var quote struct {
		Digest   string `json:"digest"`
		Revision int64  `json:"revision"`
		Engine   string `json:"engine"`
		Context  string `json:"context"`
		Totals   struct {
			ToPay int64 `json:"to_pay"`
		} `json:"totals"`
	}
	if err := t.ask("POST", "/v1/quotes", "", basket, &quote); err != nil {
		return err
	}
	fmt.Fprintln(out, "to pay:", quote.Totals.ToPay)

	// Paid. The basket goes back as it was quoted, with what the quote said of itself.
	now := time.Now()
	basket["at"], basket["business_date"] = now.Format(time.RFC3339), now.Format(time.DateOnly)
	basket["tenders"] = []object{{"kind": "cash", "amount": quote.Totals.ToPay}}
	basket["quote"] = object{"digest": quote.Digest, "revision": quote.Revision, "engine": quote.Engine, "context": quote.Context}
	var kept struct {
		State  string `json:"state"`
		Points struct {
			Earned int64 `json:"earned"`
		} `json:"points"`
	}
	if err := t.insist("/v1/receipts", rid, basket, &kept); err != nil {
		return err
	}
	fmt.Fprintln(out, kept.State+":", kept.Points.Earned, "points")

	back := newRID()
	var returned struct {
		Link  string `json:"link"`
		Total int64  `json:"total"`
	}
	err := t.insist("/v1/returns", back, object{
		"rid": back, "of": object{"rid": rid}, "currency": "EUR",
		"at": now.Format(time.RFC3339), "business_date": now.Format(time.DateOnly),
		"lines": []object{{"line_id": "1", "quantity": "1"}},
	}, &returned)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "money back:", returned.Total, returned.Link)
	return nil
}

// insist sends a document until the node has answered for it: the same bytes under the same key cannot
// count twice. A POS keeps what no answer comes to in a queue of its own.
func (t *till) insist(path, key string, question, answer any) (err error) {
	for _, wait := range []time.Duration{0, 200 * time.Millisecond, time.Second, 5 * time.Second} {
		time.Sleep(wait)
		err = t.ask("POST", path, key, question, answer)
		if p, ok := err.(*problem); err == nil || ok && p.Action != "retry" {
			return err
		}
	}
	return err
}

func (t *till) ask(method, path, key string, question, answer any) error {
	body, err := json.Marshal(question) // maps come out sorted: the same bytes each time
	if err != nil {
		return err
	}
	req, err := http.NewRequest(method, t.url+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+t.token)
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	res, err := t.client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode >= 400 {
		p := new(problem)
		if err := json.NewDecoder(res.Body).Decode(p); err != nil {
			return fmt.Errorf("%s: %w", res.Status, err)
		}
		return p
	}
	return json.NewDecoder(res.Body).Decode(answer)
}

// newRID draws a UUID of version 7.
func newRID() string {
	var u [16]byte
	rand.Read(u[:])
	binary.BigEndian.PutUint64(u[:8], uint64(time.Now().UnixMilli())<<16|uint64(u[6])<<8|uint64(u[7]))
	u[6], u[8] = u[6]&0x0f|0x70, u[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[0:4], u[4:6], u[6:8], u[8:10], u[10:])
}
