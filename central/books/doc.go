// Package books is the exact state of one brand: points accounts, their lots and debt, holds, single-use coupons,
// the marks of the tills' chains, and which receipts have been posted. It is a [fold.Machine]: Apply is pure, so the same
// journal gives the same books on every node, from zero, in any batching.
//
// # Flow
//
// A store's pack becomes a proposal of receipt headers ([Pack.Proposal]); Apply moves the chain's mark
// over each record that extends it and posts the receipt if its rid is not known. A record that extends
// its chain with a known rid is a repeat: the mark moves, nothing is posted (or the chain would stop
// for ever). The outcome is the pack's answer, a mark per chain.
//
// What is no pack is a command (command.go): a store's question about a hold, ops' release of one, a policy.
//
// # Double entry
//
// A transaction's postings sum to zero over the accounts SHOPPER, HELD and DEBT of the shopper, ISSUED, RETURNED,
// REDEEMED and EXPIRED. Whatever comes to a shopper repays debt first. A return takes from the balance, and what
// is missing there becomes debt. Balances, debts and what is held are never negative.
//
// # Lots and holds
//
// A balance lies in lots by the day on which they expire; [Policy] says which. Points are spent and held oldest
// first; a hold keeps what it took of which lot (type hold), a sale that spent them likewise (type deal), so that
// both can be undone to the lot. Returns are held to their sales, and wait for those that have not come.
//
// Nothing is done by a clock: an entry's time makes holds due, and lets rounds go on (sweep.go), each of which
// visits all that waits for a day, once a day.
//
// # Sales found again
//
// [Books.Sale] says for a remembered sale in which entries of the journal its record and those of its returns
// lie: ranges of entries, the sale's first, each to be read and searched for the rid. A range is rarely more than
// one entry where the centre is busy, since it covers 64 rids.
//
// # Durability
//
// The books live in memory; the journal is what they are worth. See package replica.
//
// History has a line for each account that is opened, each number that a chain gets, what became of each
// record, and each incident (line.go gives their form). An account's posting says how far back the one
// before lies, and an incident likewise; the books keep where the newest lie. So nothing needs an index.
//
// # What is let go of
//
// Rids, and what is remembered of sales, 45 days after their last record; holds that were let go of, and the wait of
// a return, after 45 days; a store's sight of an account after 90 days without a receipt
// there; the removal that follows from that 45 days after it; and, 45 days after it was closed by a chain
// behind it and has moved, most of a chain (see type rested). All by the journal's time, on every node
// with the same entry.
package books
