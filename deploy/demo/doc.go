// Package demo is `tillstream demo`: the whole chain in one process, fed with receipts through the
// tills' HTTP doors as a POS would, with faults on request, and held to an independent count at the
// end. Nothing is put into the centre but by a till, and, as ops would, with --flow the documents of the event flow,
// and with --quotes the item master, sets and promotions: then each sale is quoted first, and what it must cost and
// earn is counted independently too.
//
// # Failure
//
// A POS that hears nothing sends the same bytes again. One whose quote is not known again asks for another,
// under the same rid. One that is told that the till has other bytes under the rid, because the receipt was sold
// in an earlier run, asks for what was kept.
package demo
