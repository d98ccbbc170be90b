// Package gateway answers what a store cannot answer alone (the POS gateway: look-ups of shoppers that
// it does not know), and what central ops ask (the admin API: the node's state, accounts, verification
// of the books, plans for the streams, and the event flow: its stages, traces, dead letters, documents).
// Errors turn into answers here and nowhere else in the centre.
//
// # Flow
//
// A trace reads the flow's stream in order, headers only: the events' ids, their receipt and their stamps tell
// what belongs together and how long it took. The data of an event is opened where ops look at a dead letter, and
// for one in structured mode, which has its headers there.
//
// # Failure
//
// A dead letter that is replayed is published, then taken away. In between the node may die: then it is there to be
// replayed once more, with the same id. What is read of streams is bounded in time and number, and says where it
// stopped.
package gateway
