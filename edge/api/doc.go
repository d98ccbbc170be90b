// Package api is the answers that a POS gets from its own node: who is this shopper, keep this
// receipt, keep this return, what became of that receipt. openapi.yaml is the contract, written before
// the code and served at /openapi.yaml; this page is how a POS lives with it.
//
// # Doors
//
// HTTP on a loopback address or a unix socket, never on another one; and NATS micro services on the
// node's own NATS (subjects.POSLookup, POSReceipt, POSReturn, POSReceipts), the same JSON in and out,
// the key in the header Idempotency-Key, the status in [HeaderStatus]. /metrics is HTTP only. Over NATS a
// question is heard only if its answer goes to an inbox: below subjects.POSInbox, or a client's default.
//
// # Flow
//
// Look the shopper up when the card is scanned. Draw a rid (UUIDv7) when the basket opens. When the
// sale is paid, send it to /v1/receipts with the rid as Idempotency-Key. No answer within two
// seconds: send the same bytes again, or ask /v1/receipts/{rid}; neither can double the receipt. Still
// none: keep the receipt in the POS's own queue, print "points follow", and send it later.
//
// The body goes to the journal exactly as it came; the header before it carries the account, the
// points and the day, so that nobody above opens the body.
//
// # Durability
//
// 201 is said after the journal's fsync. This package keeps nothing itself.
//
// # Failure
//
// Every error is one entry of the switch in problem.go (RFC 9457). A shopper whom nobody could look up
// in time is not an error: the sale goes on and its points count. A damaged or slow cache costs the
// shopper's balance in the answer, never the receipt. Stopping answers those who wait; Crash drops them.
//
// Payment card numbers are refused in every field of a request, and no problem, log or metric repeats
// one, or any other value of a request.
package api
