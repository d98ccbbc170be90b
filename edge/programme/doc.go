// Package programme makes of what every store gets (package catalogue) what a basket is priced by in one
// store: a [Revision] of the rules, with the items, the points policy, the scanner, the store's clock and sets.
//
// A Revision is a function of the catalogue and the store alone, and is named by the catalogue's revision. So
// whoever has the catalogue of a revision prices as everybody did who had it, after a restart as well.
//
// # Flow
//
// [Revisions] follows the cache: a catalogue that comes is compiled once, away from whoever asks, and swapped in
// whole. What did not change is taken over: new items do not compile 10,000 promotions again. A receipt asks
// [Revisions.At] for the revision that its quote names: of now, of the last two that were asked for, or compiled
// again from cache.AsOf, for 24 hours.
//
// # Failure
//
// A promotion, set or setting that makes no sense here is a [Fault]: logged, and told in health. The revision
// before it is gone by, whole, so that a revision is never half of two. A node that has none before it, because
// its disk is new, goes by what is left without the documents at fault.
package programme
