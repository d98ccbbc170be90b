// Package edge is the node that stands in a store: at a till, or as the store's server. Both are one
// [Node] with the same parts: a NATS leaf with one upstream, a journal that rises, a cache that falls,
// and the answers a POS gets. A till's upstream is its store, a store's is the centre; a store also
// serves its tills what the centre serves it.
//
// # Order
//
// Start: leaf, keys, journal (precious), cache (disposable) with the overlay rebuilt from the journal,
// then the parts that talk. The POS is answered from the first moment, upstream or not. Stop: answer
// whoever waits, drop the rest; all that matters is on the disk already.
//
// Prices come from what fell to the store, as of one revision (package programme); baskets that are suspended
// lie at the store, and while it cannot be asked at the till.
//
// # Failure
//
// A part that ends with an error ends the node: systemd starts it again in a fraction of a second, and
// a start is the same whether the last stop was a crash or not.
package edge
