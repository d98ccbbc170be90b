// Package fold says what a journal is to the state that is made from it: the [Entry], the [Proposal]s
// in it, the [Machine] that applies it, the [Effects] of that, and the lines of history among them. It is
// pure: no network, no disk, no clock. Package replica moves entries; package books is a machine.
package fold
