// Package subjects owns every subject, stream and service name of tillstream: it builds them,
// parses them, and prints them as a catalogue. No other package spells one as a string.
//
// An id enters a subject only as a [Token], whose one parser refuses everything but
// [a-z0-9_-]{1,64}: an id that is a wildcard, or that carries a dot, cannot become one. (In a
// trial a raw customer id of "*" deleted 102 of 105 messages.)
//
// JetStream refuses a stream whose first token is a wildcard, so the data centre and the brand
// are literal in every subject: [Net] holds them, and its methods are the builders.
//
// [Catalogue] is the same as data. CATALOGUE.md and asyncapi.yaml are printed from it by go generate;
// tests hold the three together, and the catalogue to the builders.
package subjects

//go:generate go run ./gen
