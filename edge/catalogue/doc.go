// Package catalogue is what every store gets (items, promotions, product sets, settings) in memory, as of
// one revision. It is pure.
//
// A [Catalogue] never changes: whoever holds one reads one revision of everything for as long as they
// like, without a lock. The next revision is another Catalogue, made from the one before by [Catalogue.Next];
// the two share what they have in common.
//
// Items are many: 200,000, and one look-up for each line of a basket. They lie in one string, behind a hash
// table of positions in it, so that a look-up is one probe and the garbage collector has nothing to walk.
// What has changed since that string was made lies in a map beside it; when that has grown to an eighth
// of it, another string is made.
package catalogue
