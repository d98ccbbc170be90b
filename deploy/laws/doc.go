// Package laws owns the invariants of the whole system, as functions of what is left of a run.
//
// # Flow
//
//	what POS terminals sent + journal + books of each node = History -> laws -> violations
//
// [Examine] reads the journal and the books of a centre whose nodes run in this process; whoever sent the
// receipts adds what was sent. The laws fold the journal themselves, by code of their own that keeps
// everything, see model; nothing that a node says of itself is taken for granted. They are the same for a
// fleet in one process and for a soak of real processes, and are numbered as in the catalogue of invariants; I24 and
// what follows are behind its end, about points that are spent and sales that come back.
//
// # Failure
//
// A law that does not hold gives [Violation]s: the law's number, and what breaks it. What a test provokes on
// purpose it names in [History.Meant].
package laws
