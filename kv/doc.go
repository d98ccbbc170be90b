// Package kv owns the centre's buckets: their names, their keys, and the one way in which a record of
// them is changed, by compare-and-set on the revision that was read. No other package spells a bucket or
// a key as a string.
//
// [Buckets] is the same as data: central/streams makes the buckets from it, and CATALOGUE.md is printed
// from it by go generate; a test compares.
//
// # Durability
//
// A bucket is a JetStream stream of the centre, R3 with an fsync per message. Stores cannot reach it: what
// of it concerns them falls with the feed, or is asked for. A JetStream subject costs some 500 bytes of
// memory on every node, so a bucket has hundreds of keys, or thousands, not hundreds of thousands; mass
// records are packed into parts. The flow's buckets are the exception: an attempt, a claim and a message that waits are
// a key each, since each is changed by itself and fades by itself. Each bucket's [Bucket] says what it is worth: lost, rolled back, edited
// by hand.
//
// # Failure
//
// A read is answered by the stream's leader, never by the copy at hand; a leader that has just been
// replaced and does not know it yet may still answer what was. A change made from such a read is refused as
// [ErrConflict]: read again. A change whose answer does not come may have been made or not; read again,
// and see.
//
// While a stream has no leader, for the seconds of an election, what it is asked is not refused but lost, and
// the next leader does not answer it. So each call of a [Store], but for Watch, fails after 5 s at the latest,
// however much time its caller has: ask again for as long as there is time. (A caller with two minutes once
// spent all of them on one read, and the stream had had a leader since the eighth second.)
package kv

//go:generate go run ./gen
