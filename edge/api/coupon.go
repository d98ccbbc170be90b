package api

import (
	"context"
	"crypto/sha256"
	"net/http"
	"sync"
	"time"

	"tillstream/kv/record"
)

// States of a coupon, as the document has them.
const (
	couponUsable  = "usable"
	couponUnknown = "unknown"
)

// Guessing: wrong codes that a basket may have, and how long they are remembered.
const (
	maxGuesses   = 5
	guessesKeep  = time.Hour
	maxGuessers  = 1000 // baskets
	couponHidden = "***"
)

// guesses counts the wrong coupon codes of each basket. A code that is sent again counts once: a basket
// is quoted many times.
type guesses struct {
	mu   sync.Mutex
	of   map[record.RID]*guessed
	turn []record.RID // oldest first
}

type guessed struct {
	at    time.Time
	codes map[[8]byte]bool
}

// wrong notes a wrong code and gives how many more the basket may have; below zero: too many.
func (g *guesses) wrong(rid record.RID, code string, now time.Time) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	for len(g.turn) > 0 {
		first := g.of[g.turn[0]]
		if len(g.turn) < maxGuessers && now.Sub(first.at) < guessesKeep {
			break
		}
		delete(g.of, g.turn[0])
		g.turn = g.turn[1:]
	}
	if g.of == nil {
		g.of = map[record.RID]*guessed{}
	}
	of := g.of[rid]
	if of == nil {
		of = &guessed{now, map[[8]byte]bool{}}
		g.of[rid] = of
		g.turn = append(g.turn, rid)
	}
	sum := sha256.Sum256([]byte(code))
	if len(of.codes) <= maxGuesses { // one over the limit is enough to know
		of.codes[[8]byte(sum[:8])] = true
	}
	return maxGuesses - len(of.codes)
}

// spent reports whether the basket has used up its guesses.
func (g *guesses) spent(rid record.RID) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	of := g.of[rid]
	return of != nil && len(of.codes) >= maxGuesses
}

// maskCode is what may be shown of a coupon's code.
func maskCode(code string) string { return code[:min(2, len(code)/3)] + couponHidden }

func (a *API) lookUpCoupon(_ context.Context, q question) (answer, error) {
	var body CouponLookup
	if err := a.read.decode(q.body, &body); err != nil {
		return answer{}, err
	}
	d := head{rid: body.RID, shopper: body.Shopper}
	field := d.paymentCard(a.read.own)
	if body.Coupon == nil {
		return answer{}, invalid("/coupon", "is needed")
	}
	if field == "" && holdsPaymentCard(body.Coupon.Code, true, a.read.own) {
		field = "/coupon/code"
	}
	if field != "" {
		return answer{}, &cardError{field}
	}
	var h record.Header
	if err := a.read.readWho(d, &h); err != nil {
		return answer{}, err
	}
	if !isCode(body.Coupon.Code) {
		return answer{}, invalid("/coupon/code", "want 1 to 64 printable ASCII characters without blanks")
	}
	if err := oneOf("/coupon/entry", body.Coupon.Entry, "", "scanned", "keyed", "tapped"); err != nil {
		return answer{}, err
	}
	if !isText(body.ManagerCode, maxText) {
		return answer{}, invalid("/manager_code", "want at most 64 printable characters")
	}
	if err := a.mayGuess(h.RID, "/coupon/code", body.ManagerCode); err != nil {
		return answer{}, err
	}
	c := a.coupon(body.Coupon.Code, h.Account)
	told := Coupon{
		CodeMasked: maskCode(body.Coupon.Code), State: c.State, Pool: c.Pool, Promotion: c.Promotion,
		Text: couponText(c.State), ValidFrom: c.From, ValidUntil: c.Until,
	}
	if c.State == couponUnknown {
		told.GuessesLeft = max(a.guesses.wrong(h.RID, body.Coupon.Code, a.cfg.Now()), 0)
	}
	return answer{status: http.StatusOK, body: &told}, nil
}

// mayGuess refuses more coupons of a basket that has guessed too often, until a manager keys a code.
func (a *API) mayGuess(rid record.RID, field, manager string) error {
	if !a.guesses.spent(rid) {
		return nil
	}
	if a.isManager(manager) {
		return nil
	}
	return &atField{field, errGuesses}
}

// coupon gives what is known of a code.
func (a *API) coupon(code string, account record.AccountID) CouponFacts {
	if a.cfg.Facts.Coupon != nil {
		if c, ok := a.cfg.Facts.Coupon(code, account); ok {
			return c
		}
	}
	return CouponFacts{State: couponUnknown}
}

// couponText says in the cashier's words why a coupon cannot be used.
func couponText(state string) string {
	switch state {
	case couponUsable:
		return "Can be used."
	case couponUnknown:
		return "No such coupon. Scan it again."
	case "bad_check_digit":
		return "Misread. Scan the coupon again."
	case "other_brand":
		return "A coupon of another chain."
	case "not_yet":
		return "Not valid yet."
	case "expired":
		return "No longer valid."
	case "used":
		return "Already used."
	case "held_elsewhere":
		return "In use at another till."
	case "needs_connection":
		return "Cannot be checked just now. It stays valid."
	case "needs_card":
		return "Only with the loyalty card."
	}
	return "Cannot be used."
}
