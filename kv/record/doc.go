// Package record has one type for each kind of record that tiers hand to each other or keep at
// rest: the header of a receipt, a run and a pack of them, the marks that answer a pack, and the
// items of the feed.
//
// Every type here has one binary form, written by Append… and read by a [Reader]. Old bytes decode
// for ever: testdata holds goldens. The standard library and the S2 codec are all it imports.
package record
