// Package scrub reads a node's own copy of the journal from its first message to its last, and says what
// is wrong with it. Three copies and an fsync for each message are not enough: a copy with a truncated
// block is served in silence when its node leads the stream, and nobody misses a message who does not
// count.
//
// # Flow
//
// A pass asks the node's own nats-server for message after message, by direct gets that the hub lets no
// other node answer. Entries must be numbered without a hole and each must name the hash of the one
// before; the copy must reach what its own state says is its end, and what this node has folded, with the
// same hash. After damage the pass goes on with the next message that can be read.
//
// One pass is always under way, slowly: [Scrub.Run] spreads it over most of a day. Others are made when
// ops ask. While the last pass found damage the node gives up the stream's lead, whenever it has it: what
// it cannot read, nobody is given.
//
// A pass ends with the files that the node makes of the journal, history and snapshot: damaged ones are
// made again by the node itself, at once.
//
// # Failure
//
// Mending is not done by itself: it takes two other copies that are whole at that moment, and reading
// those costs as much as a pass. Ops ask for it, see [Scrub.Repair]; it refuses unless both others have
// just been read through, clean. A pass that is interrupted says nothing.
package scrub
