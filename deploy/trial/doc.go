// Package trial has no code, only tests: the faults that take a disk, a clock or two weeks to show. It puts
// the packages of edge and central together itself where a fleet cannot: in virtual time, with clocks that
// are wrong, on a disk whose power goes.
//
// # Two weeks
//
// TestTwoWeeksOffline lets a store and its till be cut off for two weeks of virtual time (testing/synctest),
// 28,000 receipts long, with the real nats-server, JetStream, bbolt, journals, caches, uplinks, feeds and
// books. Every answer on both hops is lost once, and what was not answered is sent again: the questions by
// which an uplink would learn that it has arrived are answered with nothing. TestTwoWeeksOfflineOverLeafs
// does the same with real leafs, lines and three centre nodes, and a clock of the test's in the place of
// virtual time; and goes on until what is posted may be swept, and what is not may not.
//
// What goes in a bubble, and what does not:
//
//   - nats-server goes, with JetStream, fsync always and connections in process, if ats.Register was called
//     before the bubble: its clock waits on a channel of the process, and the bubble would wait for it.
//   - central/hub, replica, ingest, feed and all of edge but leaf and api go as they are.
//   - Files go. A goroutine in fsync or in a mutex does not let virtual time pass, and is soon back.
//   - TCP and unix sockets do not: whoever waits for a connection or a byte may be woken from outside, so
//     virtual time stands still for ever. So there are no leafs, no routes (and no cluster), and no door of
//     edge/api. HTTP goes over net.Pipe.
//   - Heartbeats are every 50 ms, 24 million in two weeks, 14 µs each: a replica costs a second for each
//     virtual hour. The centre works from the moment at which the line heals. For the same reason the
//     followers ask once a minute; what comes sooner is poked.
//   - A bubble needs a process of its own. The client keeps timers in a pool of the process (Flush, NextMsg,
//     Request with a time-out; Drain calls Flush, and stopping a service drains). One that was made in a
//     bubble and comes out of the pool outside ends the process: "reset of synctest timer from outside
//     bubble". So a test in a bubble starts its own binary again, for itself alone.
//
// # Power
//
// TestPowerCut starts a till's node, a store's journal and centres of one and of three nodes, each in a
// process of its own (its own test binary, as a node) whose files lie on ext4 in a file behind a loop device,
// sells as fast as it answers, and copies the file at random moments: what the device was given is there,
// what only the memory of the file system has is not. Each copy is mounted and opened by the same code: every
// receipt that was acknowledged before the copy began must be there, an edge journal must not have to be
// salvaged, the books must keep their laws, and the journal folded into empty books must give the same.
//
// The process stands still (SIGSTOP) while the file is copied. Otherwise the end of the copy would be newer
// than its beginning, a state in which no disk ever is: bbolt writes over pages that it freed two
// transactions before, and would look damaged. What a disk's own cache loses is not shown, since a copy has
// all that was given to the device; an fsync that is missing is.
//
// TestPowerCutWithoutFsync is the test of the test: a seccomp filter answers fsync, fdatasync and msync with
// success and does nothing, in each tier alike and without a switch in any. Then receipts are lost, and the
// test must see it.
//
// Both need root, loop devices, mkfs.ext4 and mount, and are skipped without them. They run in a mount
// namespace of their own, so that nothing stays mounted. Six images by default, -images 50 for 50.
//
// # Clocks
//
// The table of TestClocksOfTheEdge sets the clocks of till and store wrong by an hour and by ten years, before
// 1970, backwards at a start, and lets them leap: sales go on, each receipt is posted once, all tiers know
// the same balances. TestRIDOfAWrongClock: a rid is remembered by the time of its posting.
// TestCentreNodeWithAWrongClock: a node that is off does not write while two others agree, and its time does
// not get into the journal, whose times never go back.
package trial
