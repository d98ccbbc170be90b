// Package feed brings upstream's records into the cache, and serves them on to the tills of a store.
// Both hops speak the same protocol: a follower pulls what changed since its cursor, and a poke, which
// may be lost, says that a pull would bring something.
//
// # Flow
//
// [Follower] pulls when it starts, when it is poked, when its connection is back, and every second
// in any case. It tells the journal how far the centre has posted, then puts the page in the cache,
// and pulls on at once while there is more. [Server] answers tills from a store's cache and pokes
// them when it changes; with each page it says how the store hears the centre, which a till cannot hear itself.
//
// # Failure
//
// An upstream that does not answer, or answers nonsense, costs a wait with jitter that doubles up to
// the usual interval; nothing is lost, the cursor stays. The age of the last answer ([Follower.Age]) is
// the health of the link: a connection's own status says connected while the leaf behind it is cut.
// A damaged cache ends both Run methods with cache.ErrDamaged, and the owner makes a new cache.
package feed
