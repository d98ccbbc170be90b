// Package journal keeps receipts, hash-chained in a bbolt file, until the centre has them. Their
// bodies are opaque bytes here. The code is one for both tiers: a till commits its own receipts on a
// chain of its own ([Journal.Commit]); a store accepts the runs of its tills ([Journal.Accept]).
//
// # Flow
//
//	Commit, Accept -> one transaction, one fsync -> Kept -> answers
//	                                             -> Next -> upstream -> Confirm
//	                       feed -> SetPosted -> Sweep
//
// There is no goroutine here. Callers append to a waiting list; a one-slot channel is the turn;
// whoever has the turn writes all that is waiting in one transaction and answers all of it. A lone
// caller pays one transaction, and callers that come meanwhile share the next. (bbolt's Batch waits up
// to 10 ms for company.)
//
// A chain begins with the first receipt after Open, in the same transaction, not at Open: a till that
// is switched on and off without a sale costs no fsync and leaves no empty chain behind. A process that
// runs for long begins another chain every seven days, as a restart would, because a chain leaves the
// disk only as a whole: so a chain that is here is here from its first record, and an upstream that
// lost its disk can be sent all of it.
//
// # Durability
//
// journal.db is precious. If it is lost, the receipts that upstream did not have yet are lost; what a
// till lost, its store and the centre still have up to their marks. If it is rolled back a day, nothing
// breaks: the next start begins a new chain, and the old records are repeats upstream. Nobody edits it
// by hand. The key ring must be kept with it.
//
// Buckets: meta (format version), chains (chain -> sealed state), runs (chain and first seq -> clear
// prefix and sealed run), rids (rid -> chain and seq, of records committed here only: a store is not
// asked by rid), aside (runs of forked chains, for ops). A rid is in its sealed record from the moment
// that the receipt is answered, and with 255 others in the index later: a commit that wrote its own would
// write two pages more, seven for five. Until then memory knows it, and a start, which reads the records
// that a chain's entry calls not yet indexed. Sealed values are bound to file, bucket, key
// and prefix: bbolt has no checksums, so this is how a damaged page is noticed.
//
// The free list is written with each commit, as a map. Without it (NoFreelistSync) bbolt rebuilds it
// at open, and after each failed commit, in a goroutine of its own, where a damaged page panics beyond
// any recover and takes the process along. Pages are filled to 90 %, as keys only grow within a chain.
//
// # Failure
//
// A transaction that fails changes nothing in memory, and every waiter gets the error. Whether it was
// kept all the same is not known, so the tips are read again from the file before anything else is
// written, and until a later transaction has gone through, repeats are answered only after an fsync of
// their own. A full disk is ErrFull; later commits work again when there is space.
//
// Every bbolt transaction runs under one guard that turns a panic or a fault into ErrDamaged. A
// journal that met damage in bbolt's pages says ErrDamaged to everything until it is closed and opened
// again (see Err). Open checks the file's pages and its free list, keys and prefixes of all runs, opens
// the runs that upstream has not confirmed and the tail of each chain, and when something is wrong,
// salvages: it reads the file page by page without bbolt, takes every run that still opens, and writes a
// new file; the old one is set aside as journal.db.damaged-<time>. Damage that only a reader has met is noted in
// journal.db.suspect, for the next Open to salvage too. Records behind a hole go on in the
// till's next chain under their rids; a store drops them, since its tills still have them and are asked
// to send again. What was swept may still lie in free pages: the entry of a swept chain stays for ten
// times Keep, so that a salvage does not send it anew.
//
// A disk whose fsync fails may drop pages that it shows in memory, and nothing here can tell. What comes
// after a power cut then is checked by Open, and upstream has what it was sent.
package journal
