// Package feed answers the stores' pulls: what has changed for a store since its cursor, from this
// node's books. It pokes the stores that pull here when there is more.
//
// # Flow
//
// The rows that say what changed, the values and the marks are read together under the replica's lock, at
// one moment. The books drop the rows of removals after 45 days; a store whose cursor is older than one
// that was dropped begins anew.
package feed
