// Package cache owns cache.db: the node's own copy of the records that upstream keeps, and the
// overlay of receipts that were kept here and that upstream has not counted yet. A till asks it who
// a shopper is; a store also serves its tills from it.
//
// # Flow
//
// Pages of upstream's feed come in by [Cache.Apply], receipts kept here by [Cache.Overlay]; a shopper
// is the record of the last page plus the overlay. A receipt leaves the overlay when the page comes
// that holds its account's item and counts its chain as far as its seq, and only then: a page with a
// limit may count a chain further than its items reach, and ending by the count alone would show a
// balance that is too low, ending late one that is too high. The switch is one step: a reader sees
// the record before and the receipt, or the record after and no receipt.
//
// [Cache.Page] serves the same feed downstream. Every item and every chain that changes gets the next
// change number; a follower's cursor is the last number it has. Numbers that come from pages are
// written in the page's transaction; those that come from the overlay are in memory only, and the
// owner puts the overlay together again after a restart, from its journal. Numbers never repeat:
// every opening of the file starts a new range far above the last.
//
// What every store gets (items, promotions, settings) comes with the same pages and has a cursor of its own:
// [Cache.ApplyReference]. Readers have it as a [catalogue.Catalogue], one whole revision at a time: the next
// when the page has come after which there is no more. Versions that were replaced stay as long as a revision of
// the last 24 hours needs them, for [Cache.AsOf]. [Cache.References] serves it downstream, under the entries
// of the centre.
//
// The owner, in this order: Open; Overlay with what its journal holds after [Cache.Counted] of each
// chain; only then serve. A store that serves before that tells its tills of balances without the
// receipts that it told them of before.
//
// # Durability
//
// cache.db is disposable. Lost: the node makes a new one and pulls everything again; shoppers are
// unknown here until it has. Rolled back a day: the cursor is rolled back with the items, because both
// are written in one transaction, and the node pulls the day again; tills whose cursor is ahead are
// told to start anew. Editing it by hand: never; values are sealed, and one that does not open makes
// the file damaged. Whoever loses or sets aside the journal must delete the cache too, because tills
// were told of receipts that the journal no longer gives back.
//
// Pages are committed without fsync: an edge disk has one fsync to give, and the till's receipt needs
// it. A killed process loses nothing by that, the kernel has every byte. A power cut may leave a file
// whose pages are of different transactions, and neither bbolt nor sealed values notice a page that is
// whole but old. So a mark beside the file (cache.db.open) says which boot of the machine is writing;
// it is on the disk before the first commit without fsync, and goes after [Cache.Sync] has brought
// everything to the disk, which the feed does when it is quiet. A file with the mark of another boot
// is deleted. A node that was cut off when the power failed was quiet, and keeps its cache.
//
// # Failure
//
// bbolt panics or faults on a damaged file. Every transaction runs under one guard that turns this
// into [ErrDamaged]. From then on every call answers ErrDamaged; the owner closes the cache and opens
// it again: the file is deleted and made anew, with one line in the log.
package cache
