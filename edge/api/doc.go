// Package api is the answers that a POS gets from its own node. openapi.yaml is the contract, written
// before the code: contract.gen.go (the types, and the table of operations) is generated from it, it is
// served at /openapi.yaml, and at /docs as a page with what a POS does about each time-out and problem. The till
// page (edge/page) is at /.
//
// # Doors
//
// HTTP on a loopback address or a unix socket, never on another one; and NATS micro services on the
// node's own NATS ([subjects.POSQuestions]), the same JSON in and out. Both range over the same table of
// operations, and meet in reply. Metrics, the papers and the stream of messages are HTTP only. Over NATS a
// question is heard only if its answer goes to an inbox: below subjects.POSInbox, or a client's default.
//
// Who asks shows a token of Config.Tokens; health, metrics and the papers need none, and tell nothing of
// shoppers. A token, or the document itself, may be for training: it is answered as if it were kept, and
// nothing is.
//
// # Flow
//
// Look the shopper up when the card is scanned. Draw a rid (UUIDv7) when the basket opens. Quote it as
// often as it changes: a quote is pure and keeps nothing; what it was priced by beside its revision (segments,
// coupons, limits, the moment) travels sealed in its context, and the revision (package programme) is on the
// disk. When the sale is paid, send the basket with what the quote said of itself to /v1/receipts, the rid as
// Idempotency-Key: it is priced again, by the same facts under the same revision, and has to come out the same.
// No answer within two seconds: send the same bytes again, or ask /v1/receipts/{rid}; neither can double the
// receipt.
//
// What a quote spends, points and single-use coupons, is set aside at the centre just before payment, and the
// receipt names that hold. A hold that no receipt uses the node gives back by itself. While nobody can set
// aside, quotes leave both out and say so; earning asks nobody.
//
// A receipt without a quote goes to the journal as it came, but for a manager's code, which is never kept. One with
// a quote, or with an item that earns no points, is kept with what was priced as a last member "priced", a linked
// return or a void with "returned": a return a month later, at whichever store, finds what each line got there,
// without the rules of then. The header before the body carries the account, the points earned and spent, the hold,
// the sale that a return names, and the day, so that nobody above opens the body.
//
// What the POS says of shoppers, in look-ups, scans, quotes, holds and receipts, is also how the node knows whose
// messages may be on the screen ([API.Shopper], [API.Screen]). A basket of nobody, or two minutes without a word, ends
// that.
//
// # Durability
//
// 201 is said after the journal's fsync. Suspended baskets are files of their own, sealed, fsynced, worth
// little: 24 hours, at most 100. They lie at the store, and while it cannot be asked on the till ([Shelf]).
// Messages, the count of wrong coupon codes and which holds this node has placed are in memory only; a hold is
// found again by asking. What this till has given back of which sale is read from the journal when it is first
// needed.
//
// # Failure
//
// Every error is one entry of the switch in problem.go (RFC 9457). A shopper whom nobody could look up
// in time is not an error: the sale goes on and its points count. Nor is a coupon that cannot be used, in a
// quote. A hold that nobody can place is a problem that says: go on without. A sale that nobody can give in time
// makes a return unverified: kept and flagged, or refused, as the chain's policy says. A damaged or slow cache costs
// the shopper's balance in the answer, never the receipt. Stopping answers those who wait; Crash drops them.
//
// Payment card numbers are refused in every field of a request, and no problem, log or metric repeats
// one, or any other value of a request.
package api
