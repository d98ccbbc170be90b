// Package ops is central ops' command line, and the client of the centre's admin API behind it.
//
// A question goes to one node after the other until one answers; what every node must answer for
// itself (status, verification of the books, what its stages of the event flow count) goes to all of
// them. A card number goes in a request's body, never in a URL.
//
// # Failure
//
// Every question has a time limit. An error says which node said what, and what to do about it. A
// command that found something wrong ends with an error, after it has printed what it found.
package ops
