// Package soak runs a whole chain as real processes under a script of faults, and holds the laws of the
// system to what is left.
//
// # Flow
//
//	seed -> script -> conductor -> processes, links, disks
//	        POS drivers -> tills -> stores -> centre: journal, books
//	        what was sent + journal + books = History -> laws -> violations
//
// Everything that is decided is decided by [newScript] from the seed, before the first process starts: the
// same seed is the same script. When exactly the world feels a fault is not the same twice.
//
// Where the kernel allows it (root, and iproute2's ip), each node has a network namespace of its own, with
// a cable to a switch that is a namespace too; the conductor lives in the switch. A link is cut by pulling
// its cable; it is reset, silenced, slowed and made to stall by relays at the switch, which a store's way
// to the centre and a till's way to its store lead over. Elsewhere all nodes are on loopback, and a relay
// stands for the cable. A TCP relay loses nothing: a lossy line is seen by TCP as a line that stalls, and
// that is what the relay does.
//
// # Shoppers
//
// Four of five questions are receipts as package sales makes them, without a quote. The fifth is a shopper with one of a
// few cards ([world.act]): buys with a quote and with points, leaves points set aside, brings goods back where they were
// sold or elsewhere, has a sale undone. A POS does what the API's document says about each answer, keeps what each till
// has quoted and answered, and holds each answer to what must be in it; the laws hold the books to all of them.
// [world.putProgramme] puts the rules for it before the faults begin.
//
// # What may be lost
//
// A receipt that a till has answered must be posted, once, whatever the script did, but for one case: its
// last copy lay on a disk that the script took away. Whenever a disk is replaced, the journal on it, the
// one in the image that takes its place, and those of the other computers of the store are read. An answered
// receipt is allowed to be lost if at that moment it was on the old disk, not in the image, on no other disk
// of the store, and beyond every mark on the old disk that says what the centre has posted. The count of
// these, and of those of them that were in fact lost, is printed. The same reading holds the disks to what
// the till had answered: a receipt that was answered and is not on the disk breaks a law at once.
//
// # Laws
//
// They are those of package laws: at the end of a soak all processes are stopped in order and the centre's
// nodes are opened in this one, one of them without its replica, which is made again from the journal.
//
// # Failure
//
// A process that ends by itself is started again, as a supervisor would, and is a violation. The seed, the
// violations and the directory with every node's log are printed, and the status is 1.
package soak
