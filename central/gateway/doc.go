// Package gateway answers what a store cannot answer alone (the POS gateway: look-ups of shoppers that
// it does not know), and what central ops ask (the admin API: the node's state, accounts, verification
// of the books, plans for the streams). Errors turn into answers here and nowhere else in the centre.
package gateway
