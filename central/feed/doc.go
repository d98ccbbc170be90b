// Package feed answers the stores' pulls: what has changed for a store since its cursor, from this
// node's index, with values as they are now. It pokes the stores that pull here when there is more.
//
// # Flow
//
// The index says which keys changed up to which entry on disk; values and marks are then read together
// under the replica's lock, at one moment that is not before that entry. A store may therefore see a
// value a little newer than its cursor, and see it again with the next pull; it never sees an older one.
package feed
