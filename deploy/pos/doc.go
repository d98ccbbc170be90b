// Package pos is a POS that a script or a person drives from a terminal: `tillstream till` looks a shopper
// up, quotes a basket, pays it and gives parts of it back, at the till's own node, over the same HTTP as
// any other POS. It is the second client of the contract (the till page is the first), and shows an
// integrator in which order things are asked.
//
// # Failure
//
// A problem that the node answers is an error that says what the cashier would read and what a POS does
// about it. A hold that cannot be placed is none: the basket is quoted again without points and
// single-use coupons, and paid.
package pos
