// Package eppm is document 004's EPPM: at the end of a shopper's first cycle in a progress promotion it says that they have
// not qualified, if they have had no reward in it (§3; R103). The end of the second cycle is package cpp's (§4); of later
// ones nothing is said.
//
// # Flow
//
// EPPM follows CPP's cursor. When CPP has read the journal past a cycle's end, it goes through the promotion's shoppers, and
// publishes an EPPMActivity of week 1 on Net.EPPMActivity for each whom it concerns ([flow.Endings]).
//
// # Failure
//
// Every node runs EPPM, and the one that writes the journal works. A record per promotion and attempt says that its end was
// worked through, so a start does not do it again; one that dies in the middle leaves the rest to the next, and who was told
// is in the shopper's own record. Two at once say the same, with the same ids.
package eppm
