// Package demo is `tillstream demo`: the whole chain in one process, fed with receipts through the
// tills' HTTP doors as a POS would, with faults on request, and held to an independent count at the
// end. Nothing is put into the centre but by a till.
package demo
