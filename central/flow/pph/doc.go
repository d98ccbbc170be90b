// Package pph is PPH of document 004: it answers a promoCode with the static information that DEC adds to activities
// (§1; R80–R82). What it knows is the progress promotions that ops has put; it keeps nothing of its own.
//
// # Flow
//
// A question is a promoCode, with the attempt in a header: a reward expires on a day that its promotion names, or so
// many days after its attempt ends, so the expirationDate of the answer is that of the attempt that was asked for.
// Without an attempt it is that of the one now.
//
// # Failure
//
// A promoCode that is not known, or an attempt that has no end by which a reward could expire, is refused
// ([service.Refusal]); whether to ask again is for the asker to say. While this node's copy of the documents is not there
// yet, the answer is "later", never "unknown".
package pph
