// Package scan says what a code is that was scanned or keyed at a till: an item's, with or without a
// weight or price in it, a shopper's card, or something that only others can tell. It is pure, and knows
// what codes look like, not which of them exist.
//
// # Order
//
// The chain's own card prefixes come first. Then what has the length of an EAN, UPC or GTIN is checked as
// one. What is left and looks like a payment card's number is refused. So a loyalty card is never taken for
// an item or a payment card, and an item never for a payment card.
//
// # Failure
//
// A wrong check digit is an error of its own, record.ErrCheckDigit: the code was misread, scan it again. It
// is told apart from a code that is whole and unknown, which is no error here. No error repeats what was
// scanned, because it might be a payment card's number.
//
// # What joins later
//
// GS1 element strings (DataBar, GS1-128, Digital Link) and payment tokens: another Kind, and fields of
// Code beside those that are there. Until then an element string is refused as ErrNotYet.
package scan
