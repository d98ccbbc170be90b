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

// Problem is what a POS gets instead of an answer (RFC 9457). It repeats no value of the request.
type Problem struct {
	Type         string `json:"type"` // "/problems/" and a slug
	Title        string `json:"title"`
	Status       int    `json:"status"`
	Detail       string `json:"detail"`
	Action       string `json:"action"` // what the POS does
	CashierText  string `json:"cashier_text"`
	Field        string `json:"field,omitempty"` // JSON pointer
	RetryAfterMS int64  `json:"retry_after_ms,omitempty"`
}

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
	errMissingKey  = errors.New("no idempotency key")
	errNotATill    = errors.New("this node keeps no receipts")
	errTooLarge    = errors.New("body too large")
	errTooMany     = errors.New("too many lines")
	errIncomplete  = errors.New("body incomplete")
	errMediaType   = errors.New("not JSON")
	errCardUnknown = errors.New("card unknown")
	errNoSuchPath  = errors.New("no such path")
	errStopping    = errors.New("stopping")
)

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
		field  *pricing.FieldError
		card   *cardError
		store  *storeError
		method *methodError
		syntax *jsontext.SyntacticError
		sense  *json.SemanticError
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
	case errors.As(err, &method):
		return problem("method-not-allowed", http.StatusMethodNotAllowed, actFix, "Another method",
			"This path is served under the method "+method.allow+".", textReport)
	}
	return refusal(err)
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
	return outage(err)
}

// outage is the part of problemOf that is not the request's fault.
func outage(err error) *Problem {
	switch {
	case errors.Is(err, errStopping):
		return problem("stopping", http.StatusServiceUnavailable, actRetry, "The node is stopping",
			"Ask again under the same key.", textAgain).later()
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
