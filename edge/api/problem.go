package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/goccy/go-json/jsontext"
	"github.com/goccy/go-json/v2"

	"tillstream/edge/journal"
	"tillstream/edge/pricing"
)

// What a POS does about a problem.
const (
	actRetry   = "retry"
	actFix     = "fix"
	actAsk     = "ask"
	actWithout = "continue_without"
	actStop    = "stop"
)

const (
	typePrefix = "/problems/"
	retryAfter = 200 // milliseconds
)

func (p *Problem) slug() string { return strings.TrimPrefix(p.Type, typePrefix) }

func (p *Problem) at(field string) *Problem {
	p.Field = field
	return p
}

func (p *Problem) later() *Problem {
	p.RetryAfterMS = retryAfter
	return p
}

// Errors of this package; those of a field are a *pricing.FieldError, a *cardError or a *storeError.
var (
	errUnauthorised = errors.New("no token, or an unknown one")
	errMissingKey   = errors.New("no idempotency key")
	errNotATill     = errors.New("this node keeps no receipts")
	errTooLarge     = errors.New("body too large")
	errTooMany      = errors.New("too many lines")
	errIncomplete   = errors.New("body incomplete")
	errMediaType    = errors.New("not JSON")
	errCardUnknown  = errors.New("card unknown")
	errNoSuchPath   = errors.New("no such path")
	errStopping     = errors.New("stopping")

	errCheckDigit  = errors.New("wrong check digit")
	errPhone       = errors.New("no phone number")
	errGuesses     = errors.New("too many wrong codes")
	errTraining    = errors.New("training and live do not mix")
	errHoldNeeded  = errors.New("no hold")
	errAge         = errors.New("age not confirmed")
	errVoided      = errors.New("the sale is void")
	errVoidLate    = errors.New("too late to void")
	errNoSale      = errors.New("no such sale here")
	errNoHold      = errors.New("nobody can say about holds")
	errHoldRefused = errors.New("hold refused")
	errHoldUnknown = errors.New("no such hold")
	errHoldExpired = errors.New("the hold has ended")
	errHoldKey     = errors.New("the key is of another hold")
	errNoBasket    = errors.New("no such basket")
	errTaken       = errors.New("the basket is not what was seen last")
	errShelfFull   = errors.New("too many suspended baskets")
	errNoShelf     = errors.New("suspended baskets cannot be kept")
	errNoMessage   = errors.New("no such message")
	errExpired     = errors.New("the message has expired")
)

// atField is an error of a field.
type atField struct {
	field string
	err   error
}

func (e *atField) Error() string { return e.field + ": " + e.err.Error() }
func (e *atField) Unwrap() error { return e.err }

// changedError means that a receipt's quote does not come out again; quote is the new one.
type changedError struct {
	old   bool // its revision is gone, or it is of yesterday
	quote *Quote
}

func (e *changedError) Error() string { return "the quote has changed" }

// refusedError means that a hold was refused; quote is the basket's without it.
type refusedError struct{ quote *Quote }

func (e *refusedError) Error() string { return errHoldRefused.Error() }

// unlinkedError means that the chain's policy does not let a return pass so.
type unlinkedError struct{ field, detail, cashier string }

func (e *unlinkedError) Error() string { return e.field + ": " + e.detail }

// leftError means that more is given back than is left.
type leftError struct{ field, left string }

func (e *leftError) Error() string { return e.field + ": only " + e.left + " are left" }

// cardError means that the field holds the number of a payment card.
type cardError struct{ field string }

func (e *cardError) Error() string { return e.field + ": a payment card number" }

// storeError means that the field names another store or till than this node's.
type storeError struct{ field string }

func (e *storeError) Error() string { return e.field + ": not this node's" }

// methodError means that the path exists for another method.
type methodError struct{ allow string }

func (e *methodError) Error() string { return "want method " + e.allow }

// problemOf is the one place where errors become answers.
func problemOf(err error) *Problem {
	var (
		field   *pricing.FieldError
		card    *cardError
		store   *storeError
		method  *methodError
		changed *changedError
		left    *leftError
		refused *refusedError
		blind   *unlinkedError
		syntax  *jsontext.SyntacticError
		sense   *json.SemanticError
	)
	switch {
	case errors.As(err, &syntax) && syntax.Err == jsontext.ErrDuplicateName:
		return problem("duplicate-key", http.StatusBadRequest, actFix, "A field is there twice",
			"An object of the body has the same field twice.", textReport).at(pointer(syntax.JSONPointer))
	case errors.As(err, &syntax):
		return problem("malformed-json", http.StatusBadRequest, actFix, "Not JSON",
			fmt.Sprintf("The body is not one JSON value in UTF-8: see byte %d.", syntax.ByteOffset), textReport)
	case errors.As(err, &sense):
		return problem("invalid-field", http.StatusBadRequest, actFix, "A field is wrong",
			senseReason(sense), textReport).at(pointer(sense.JSONPointer))
	case errors.As(err, &field):
		return problem("invalid-field", http.StatusBadRequest, actFix, "A field is wrong",
			sentence(field.Reason), textReport).at(field.Field)
	case errors.As(err, &store):
		return problem("wrong-store-or-brand", http.StatusForbidden, actFix, "Another store or till",
			"The receipt names a store or till that is not this node's.", textReport).at(store.field)
	case errors.As(err, &card):
		return problem("payment-card-refused", http.StatusUnprocessableEntity, actAsk, "A payment card number",
			"The field holds the number of a payment card. Such numbers are neither kept nor logged.",
			"That is a payment card. Scan the loyalty card.").at(card.field)
	case errors.As(err, &changed):
		return changed.problem()
	case errors.As(err, &refused):
		p := refusalOfSale(errHoldRefused)
		p.Quote = refused.quote
		return p
	case errors.As(err, &blind):
		return problem("return-unlinked-not-allowed", http.StatusUnprocessableEntity, actAsk, "Not without the sale",
			blind.detail, blind.cashier).at(blind.field)
	case errors.As(err, &left):
		p := problem("return-too-much", http.StatusUnprocessableEntity, actAsk, "More than is left",
			"Of this line less is left to give back.", "Of this item less can still be given back.").at(left.field)
		p.Left = left.left
		return p
	case errors.As(err, &method):
		return problem("method-not-allowed", http.StatusMethodNotAllowed, actFix, "Another method",
			"This path is served under the method "+method.allow+".", textReport)
	}
	p := refusal(err)
	if f, ok := errors.AsType[*atField](err); ok {
		p.Field = f.field
	}
	return p
}

func (e *changedError) problem() *Problem {
	p := problem("quote-changed", http.StatusConflict, actAsk, "The price has changed",
		"The quote does not come out again. Show the new one, or send the sale with happened.", "The total has changed.")
	if e.old {
		p = problem("quote-too-old", http.StatusConflict, actAsk, "The quote is too old",
			"The rules of the quote are gone: it is older than 24 hours. Show the new one, or send the sale with happened.",
			"The total is calculated anew.")
	}
	p.Quote = e.quote
	return p
}

// refusal is the part of problemOf for errors that carry nothing.
func refusal(err error) *Problem {
	switch {
	case errors.Is(err, errMissingKey):
		return problem("missing-idempotency-key", http.StatusBadRequest, actFix, "No idempotency key",
			"Send the receipt's rid in the header Idempotency-Key.", textReport)
	case errors.Is(err, errNoSuchPath):
		return problem("not-found", http.StatusNotFound, actFix, "No such path",
			"See /openapi.yaml for what is served.", textReport)
	case errors.Is(err, journal.ErrNotFound):
		return problem("not-found", http.StatusNotFound, actAsk, "No such receipt",
			"No receipt of this rid is kept here.", "This receipt is not known here.")
	case errors.Is(err, errCardUnknown):
		return problem("card-unknown", http.StatusNotFound, actAsk, "Card unknown",
			"Upstream knows no account of this card; the first receipt with it opens one.",
			"This card is not known yet. Scan it again, or go on: points start with this receipt.")
	case errors.Is(err, errIncomplete):
		return problem("body-incomplete", http.StatusRequestTimeout, actRetry, "The body did not come in whole",
			"The connection broke or was too slow before the body's end.", textAgain).later()
	case errors.Is(err, errNotATill), errors.Is(err, journal.ErrNoTill):
		return problem("not-a-till", http.StatusConflict, actStop, "Not a till",
			"This node serves a whole store and answers look-ups only. Send receipts to the till's own node.", textReport)
	case errors.Is(err, errTooLarge), errors.Is(err, journal.ErrTooLarge):
		return problem("basket-too-large", http.StatusRequestEntityTooLarge, actWithout, "Too large",
			"A body has at most 524288 bytes.", "Too large for the loyalty system. Go on without points.")
	case errors.Is(err, errTooMany):
		return problem("basket-too-large", http.StatusRequestEntityTooLarge, actWithout, "Too many lines",
			"A receipt has at most 2000 lines.", "Too many lines for the loyalty system. Go on without points.").at("/lines")
	case errors.Is(err, errMediaType):
		return problem("unsupported-media-type", http.StatusUnsupportedMediaType, actFix, "Not JSON",
			"Send the body as application/json.", textReport)
	case errors.Is(err, journal.ErrOtherBody):
		return problem("key-reused", http.StatusUnprocessableEntity, actFix, "The key is of another receipt",
			"Another receipt is kept under this rid. Draw a new rid for a new receipt, and repeat one with the same bytes.",
			textReport)
	}
	return refusalOfSale(err)
}

// refusalOfSale is the part of problemOf for what a sale, a return or a basket meets.
func refusalOfSale(err error) *Problem {
	switch {
	case errors.Is(err, errUnauthorised):
		return problem("unauthorised", http.StatusUnauthorized, actStop, "No token",
			"Send a token of the node's pos_tokens_file as Authorization: Bearer.",
			"Loyalty is not available. Go on without, and call for help.")
	case errors.Is(err, errCheckDigit):
		return problem("card-bad-check-digit", http.StatusUnprocessableEntity, actAsk, "Misread",
			"The check digit does not fit.", "Misread. Scan the card again.")
	case errors.Is(err, errPhone):
		return problem("phone-invalid", http.StatusUnprocessableEntity, actAsk, "No phone number",
			"Want + and 8 to 15 digits.", "That is no phone number. Key it again, with the country's number.")
	case errors.Is(err, errGuesses):
		return problem("too-many-attempts", http.StatusTooManyRequests, actAsk, "Too many wrong codes",
			"Five wrong coupon codes in one basket. Send a manager's code as manager_code.",
			"Too many wrong coupon codes. Call a manager.")
	case errors.Is(err, errTraining):
		return problem("training-mismatch", http.StatusConflict, actFix, "Training and live",
			"The token or the quote is for training and the document is not, or the other way round.",
			"Training and selling do not mix. Start the basket again.")
	case errors.Is(err, errAge):
		return problem("age-not-confirmed", http.StatusConflict, actAsk, "Age not confirmed",
			"Ask for the age, send it as confirmed, and quote again.", "Check the shopper's age.")
	case errors.Is(err, errHoldNeeded):
		return problem("hold-needed", http.StatusConflict, actAsk, "Nothing is set aside",
			"Points or single-use coupons are in the quote: place a hold, or quote again without them.",
			"The points or the coupon are not set aside. Calculate again.")
	case errors.Is(err, errVoided):
		return problem("receipt-voided", http.StatusConflict, actStop, "Nothing is left of the sale",
			"The sale is void, or given back in full.", "This receipt is already void.")
	case errors.Is(err, errVoidLate):
		return problem("void-too-late", http.StatusConflict, actAsk, "Too late to void",
			"A sale is voided on its own business date. Send a return.", "Too late to void. Take the goods back as a return.")
	case errors.Is(err, errNoSale):
		return problem("not-found", http.StatusNotFound, actAsk, "No such sale",
			"No sale of this rid is kept here.", "This receipt is not known here.")
	case errors.Is(err, errHoldUnknown):
		return problem("not-found", http.StatusNotFound, actAsk, "No such hold",
			"The centre knows no hold of this id.", "Nothing is set aside.")
	case errors.Is(err, errHoldRefused):
		return problem("hold-refused", http.StatusConflict, actAsk, "Not set aside",
			"The balance or a coupon is not what the quote took it for. Quote again.",
			"The points or the coupon cannot be used. Calculate again.")
	case errors.Is(err, errHoldExpired):
		return problem("hold-expired", http.StatusConflict, actAsk, "What was set aside has gone back",
			"The hold has ended, or was given back. Place another, or quote again without points and coupons.",
			"The points or the coupon are not set aside any more. Calculate again.")
	case errors.Is(err, errHoldKey):
		return problem("key-reused", http.StatusUnprocessableEntity, actFix, "The key is of another hold",
			"Another hold was asked for under this key.", textReport)
	}
	return refusalOnShelf(err)
}

// refusalOnShelf is the part of problemOf for suspended baskets and messages.
func refusalOnShelf(err error) *Problem {
	switch {
	case errors.Is(err, errNoBasket):
		return problem("not-found", http.StatusNotFound, actAsk, "No such basket",
			"No basket of this rid is suspended here; perhaps it was resumed.", "This basket is not here any more.")
	case errors.Is(err, errTaken):
		return problem("basket-taken", http.StatusPreconditionFailed, actAsk, "Another basket than you saw",
			"The basket has changed since you read it, or another lies under this rid.", "Another till has this basket.")
	case errors.Is(err, errShelfFull):
		return problem("too-many-baskets", http.StatusConflict, actAsk, "Too many suspended baskets",
			"A till keeps 100. Resume or drop one.", "Too many baskets are set aside. Finish one first.")
	case errors.Is(err, errNoShelf):
		return problem("basket-unavailable", http.StatusServiceUnavailable, actWithout, "Baskets cannot be set aside",
			"The node's disk does not take or give the basket.", "Baskets cannot be set aside just now.").later()
	case errors.Is(err, errNoMessage):
		return problem("not-found", http.StatusNotFound, actAsk, "No such message",
			"No message of this id is here.", textReport)
	case errors.Is(err, errExpired):
		return problem("message-expired", http.StatusGone, actFix, "The message has expired",
			"Do not show it.", "This message is no longer valid.")
	}
	return outage(err)
}

// outage is the part of problemOf that is not the request's fault.
func outage(err error) *Problem {
	switch {
	case errors.Is(err, errStopping):
		return problem("stopping", http.StatusServiceUnavailable, actRetry, "The node is stopping",
			"Ask again under the same key.", textAgain).later()
	case errors.Is(err, errNoHold):
		return problem("hold-unavailable", http.StatusServiceUnavailable, actWithout, "Nobody can set aside",
			"The centre does not answer, or does not hold yet. Quote again without points and single-use coupons.",
			"Points can not be spent just now; the sale goes on.")
	case errors.Is(err, journal.ErrFull):
		return problem("disk-full", http.StatusServiceUnavailable, actRetry, "The disk is full",
			"There is no space for the receipt. Try again under the same key, then keep it in the POS's queue.", textQueue).later()
	case errors.Is(err, journal.ErrDamaged), errors.Is(err, journal.ErrClosed),
		errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return problem("journal-unavailable", http.StatusServiceUnavailable, actRetry, "The journal does not answer",
			"Whether the receipt is kept is not known. Try again under the same key, then keep it in the POS's queue.",
			textQueue).later()
	}
	return problem("internal", http.StatusInternalServerError, actRetry, "An error of the node",
		"Try again once under the same key; the node's log says more.", textAgain).later()
}

// What the cashier reads.
const (
	textReport = "Loyalty is not available for this sale. Go on without, and report it."
	textAgain  = "One moment, trying again."
	textQueue  = "Points follow later."
)

func problem(slug string, status int, action, title, detail, cashier string) *Problem {
	return &Problem{
		Type: typePrefix + slug, Title: title, Status: status, Detail: detail, Action: action, CashierText: cashier,
	}
}

func sentence(reason string) string { return strings.ToUpper(reason[:1]) + reason[1:] + "." }
