// Package fleet runs a whole chain in one process: a centre of three nodes, stores and their tills,
// joined by relays that can be cut. Tests, the demo and the benchmarks use it alike, so what they show
// is what edge and central do, from their own configuration files.
//
// # What a crash here is
//
// Crash drops a node's goroutines and connections, leaves those who wait without an answer, and reopens
// from the files. It is not a power cut and not kill -9 of a process: a centre node's nats-server still
// gets to hand over what it leads.
package fleet
