// Package reference owns what every store gets (items, promotions, product sets, settings) at the centre:
// this node's fold of the reference bucket, the one way in which it is changed, and the answers of the feed
// from it. It holds a promotion to its format (package promotion) and to product sets that are there, a setting to
// what nodes take (package setting), and does not know what they do.
//
// # Flow
//
// Records lie in the bucket in parts that never change, and the head names the parts that count: a
// change, be it one promotion or 200,000 items, writes parts and then moves the head by compare-and-set.
// So it takes effect at once and whole, or not at all, and two who change at one time are put in order. [Set]
// watches the head, reads the parts that are new to it, and answers from memory: [Set.Page] pulls of stores,
// the rest ops.
//
// Records that a change touches get entries above all that were given out: an entry is what a cursor of
// the feed counts, and what a quote names as its revision. A bucket that is made anew begins with another
// generation, at the seconds since 1970: so no entry is given out twice in the life of a brand.
//
// # Durability
//
// Nothing of it lies on this node's disk. The bucket's worth: package kv.
//
// # Failure
//
// A node that dies between parts and head leaves parts that nobody names; the next compaction lets go of
// them. A change whose answer did not come is looked for in the head: it was made if its parts are there.
package reference
