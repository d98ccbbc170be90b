// Package replica keeps a state on every node of the centre by folding one journal, and lets one
// node at a time write that journal. It knows no loyalty: what a state is, and what a proposal does
// to it, is the [Machine]'s.
//
// # Flow
//
// A proposal (a pack of receipts, a command) enters at any node by [Replica.Propose], goes to the
// node that writes, and is folded there with whatever else is waiting into one entry. The entry is
// one JetStream message, published with the sequence it must follow; once acknowledged it is applied
// and the proposers are answered with what the machine made of it. Every other node reads the entry
// from the stream and applies it too. Because Apply is pure, all nodes hold the same state at the
// same entry, any of them answers reads, and any of them can write next.
//
// # Who writes
//
// Nodes say every 50 ms on core NATS that they live. When the writer has been silent for 200 ms a
// node folds to the end of the journal and appends an empty entry; the compare-and-set on the stream
// decides, and that entry's number is the new term. Nothing else is needed for safety: a writer that
// slept finds its next publish refused. A node whose clock is more than 2 s off the median may not
// write.
//
// # Durability
//
// The journal stream is the truth and precious: R3, fsync always, never purged. history.db (bbolt)
// and the snapshot file beside it are made from it: lose them, or put back old ones, and the node
// folds the journal again. Both carry the generation and the entry number they have come to; nobody
// edits them by hand.
//
// # Failure
//
// An entry that does not follow the last one stops the fold: the node keeps answering reads, says so
// in its status and log, and reads the stream again from its last good entry. A publish whose fate is
// unknown is settled by reading the last message at the stream leader and comparing hashes, before
// anything else is written.
package replica
