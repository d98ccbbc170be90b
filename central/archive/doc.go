// Package archive copies a brand's journal, byte for byte and in order, into files that an operator can
// copy away as his backup, and checks such copies. It knows no loyalty.
//
// # Flow
//
// [Archiver.Run] reads the journal's messages by their places at the stream's leader (a consumer could be
// acknowledged by a store) and appends them to the open segment. A segment is closed when it has grown to
// its size, when a day has passed, or when ops ask. A closed segment gets a checkpoint: which entries are in
// it, the SHA-256 of its file, the books' digest at its last entry, signed. [Verify] needs the public
// half of the key and nothing else; replica.Restore puts a verified backup back into an empty centre.
//
// The archive follows the fold and never holds it up. What is not archived when a centre is lost comes
// again from the stores, whose journals keep 35 days.
//
// # Files
//
// <first entry>.segment: eight bytes that say what it is, then for each entry its length, its CRC-32C
// and its bytes. <first entry>.checkpoint: lines of text, the last of them the signature of those before.
//
// # Durability
//
// A closed segment and its checkpoint are on the disk before the next segment begins, and never change:
// together they are the backup. The open segment is not synced and need not be: what is lost of it is
// copied again. Lost: the archive begins anew with entry 1, as long as the stream has it. Rolled back a day:
// it goes on from there. Nobody edits it by hand; nothing here deletes a file.
//
// # Failure
//
// A full disk, an archive that does not fit the journal, a stream without a leader: the archive pauses,
// says so in its status and log, and tries again; the centre does not notice. A half-written segment is cut
// back to its last whole entry. A digest is of the program that wrote it: a release that changes what
// the books sum up has to say so.
package archive
