package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"tillstream/central/books"
	"tillstream/kv/record"
)

func (a *Admin) handleBooks(mux *http.ServeMux) {
	mux.HandleFunc("POST /v1/books/account", answer(a.account))
	mux.HandleFunc("GET /v1/books/policy", answer(a.policy))
	mux.HandleFunc("POST /v1/books/policy", answer(a.setPolicy))
	mux.HandleFunc("GET /v1/books/holds", answer(a.dueHolds))
	mux.HandleFunc("POST /v1/books/holds/release", answer(a.releaseHold))
}

// decode reads a request's body.
func decode(r *http.Request, into any) error {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("%w: %w", errRequest, err)
	}
	return nil
}

// AccountQuestion is the body of POST /v1/books/account: a card number or an account.
type AccountQuestion struct {
	Card    string `json:"card,omitempty"`
	Account string `json:"account,omitempty"`
	Entry   uint64 `json:"not_before,omitempty"` // journal entry that the answer must contain
}

// Account is its answer.
type Account struct {
	Account  string    `json:"account"`
	Balance  int64     `json:"balance"`
	Debt     int64     `json:"debt"`
	Held     int64     `json:"held"` // by holds, and not in the balance
	AsOf     time.Time `json:"as_of"`
	Entry    uint64    `json:"entry"` // this node has folded so far
	Lots     []Lot     `json:"lots"`  // of the balance, oldest first
	Holds    []Hold    `json:"holds"` // that stand
	Postings []Posting `json:"postings"`
}

// Lot is a part of a balance.
type Lot struct {
	Points  int64      `json:"points"`
	Expires *time.Time `json:"expires,omitempty"` // absent: never
}

// Posting is one line of an account.
type Posting struct {
	Entry   uint64    `json:"entry"`
	At      time.Time `json:"at"`
	Receipt string    `json:"receipt"`         // or the hold; empty: neither
	Kind    string    `json:"kind"`            // of the receipt, or why points moved without one
	Why     string    `json:"why,omitempty"`   // of a return that waits or waited for its sale
	Points  int64     `json:"points"`          // into the balance
	Debt    int64     `json:"debt"`            // + owed, - repaid
	Held    int64     `json:"held,omitempty"`  // + set aside
	Spent   int64     `json:"spent,omitempty"` // + paid with, - given back
	Expired int64     `json:"expired,omitempty"`
}

func (a *Admin) account(r *http.Request) (Account, error) {
	var q AccountQuestion
	if err := decode(r, &q); err != nil {
		return Account{}, err
	}
	id, err := a.accountID(q)
	if err != nil {
		return Account{}, err
	}
	out := Account{Account: id.String()}
	known := false
	var newest uint64
	ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
	defer cancel()
	err = a.cfg.Replica.Read(ctx, q.Entry, func(entry uint64) {
		var s record.Shopper
		s, known = a.cfg.Books.Shopper(id)
		out.Balance, out.Debt, out.Held, out.AsOf, out.Entry = s.Balance, s.Debt, s.Held, time.UnixMilli(s.AsOf).UTC(), entry
		out.Lots, out.Holds = lotsOf(a.cfg.Books.LotsOf(id)), holdsOf(a.cfg.Books.HoldsOf(id))
		newest = a.cfg.Books.LastPosting(id)
	})
	if err != nil {
		return Account{}, err
	}
	if !known {
		return Account{}, fmt.Errorf("account %s: %w", id, errUnknown)
	}
	out.Postings, err = a.postings(newest)
	return out, err
}

func (a *Admin) accountID(q AccountQuestion) (record.AccountID, error) {
	switch {
	case (q.Card == "") == (q.Account == ""):
		return record.AccountID{}, fmt.Errorf("%w: give either card or account", errRequest)
	case q.Card != "":
		return a.cfg.Cards.Account(q.Card), nil
	}
	id, err := record.ParseAccountID(q.Account)
	if err != nil {
		return id, fmt.Errorf("%w: %w", errRequest, err)
	}
	return id, nil
}

// maxPostings bounds the lines of one answer: the latest.
const maxPostings = 1000

// postings reads an account's newest lines, and gives them oldest first.
func (a *Admin) postings(newest uint64) ([]Posting, error) {
	out := []Posting{}
	err := books.Postings(a.cfg.Replica, newest, func(p books.Posting) bool {
		out = append(out, posting(&p))
		return len(out) < maxPostings
	})
	slices.Reverse(out)
	return out, err
}

func posting(p *books.Posting) Posting {
	out := Posting{
		Entry: p.Entry, At: time.UnixMilli(p.At).UTC(), Kind: p.Cause.String(), Points: p.Shopper, Debt: -p.Debt,
		Held: p.Held, Spent: p.Redeemed, Expired: p.Expired,
	}
	if p.RID != (record.RID{}) {
		out.Receipt = p.RID.String()
	}
	if p.Kind != 0 {
		out.Kind = p.Kind.String()
		if p.Cause != 0 {
			out.Why = p.Cause.String()
		}
	}
	return out
}

func lotsOf(ls []books.Lot) []Lot {
	out := []Lot{}
	for _, l := range ls {
		lot := Lot{Points: l.Points}
		if l.Expires != 0 {
			at := time.UnixMilli(l.Expires).UTC()
			lot.Expires = &at
		}
		out = append(out, lot)
	}
	return out
}
