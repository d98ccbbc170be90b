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
// The journal stream is the truth and precious: R3, fsync always, never purged. The two files of a node
// are made from it, and are the same bytes on every node: lose them, put back old ones or another node's,
// and the node folds what is missing, if need be all of the journal. Nobody edits them by hand.
//
// history.log is the lines that the machine appends ([fold.LinesHead] and [fold.AppendLine] give its
// form): written with each entry, never changed, not synced as it grows. What a line holds is the
// machine's. state.snapshot is the state after an entry (its form is in snapshot.go): written every five
// minutes on every node while the fold goes on, and when a node stops in order. It names how long history
// then was and the SHA-256 of that; history is synced before. A start reads all of both, cuts history back
// to where the snapshot says, and folds from there.
//
// A pair of files for another node is a snapshot, and the first bytes of any node's history that it
// names: those never change, so they may be copied from a node that works. [Load] checks a pair.
//
// # Another life
//
// [Restore] puts a lost journal back from a backup and begins another generation in it: fold.Tip.Check
// says how. A node whose files are of a journal that is no more drops them when it starts; one that has none
// takes a peer's snapshot and history, if the journal is long, or folds from the first entry.
//
// # Failure
//
// An entry that does not follow the last one stops the fold: the node keeps answering reads, says so
// in its status and log, and reads the stream again from its last good entry. A publish whose fate is
// unknown is settled by reading the last message at the stream leader and comparing hashes, before
// anything else is written.
//
// A file that is not as it was written is found by its checksums: at a start, which then folds the journal
// from its beginning, by [Replica.Check] on a node that works, and whenever a line is read. Each gives
// [ErrDamaged], and no wrong byte is answered. When history cannot be written, as on a full disk, the lines
// wait in memory, where they are read like the others, and are written at their place when there is room
// ([Replica.Err] is an [ErrHistory] until then); when 32 MiB wait, the node stops folding and does not write
// the journal.
package replica
