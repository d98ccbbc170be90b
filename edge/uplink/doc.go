// Package uplink moves a node's journal to its upstream, and takes at a store what its tills move: the
// two ends of one hop. Both hops, till to store and store to centre, are the same request and reply.
//
// # Flow
//
// On connecting the uplink asks which records of its chains the upstream holds; without that, every
// restart would send the whole journal again. Then it sends packs, one at a time, each as large as what
// is waiting allows, and tells the journal what the answer confirms. A number lower than one confirmed
// before is believed: the upstream has lost its disk and gets the records again.
//
// # Failure
//
// A pack without an answer is sent again when the link has come back, or the time is up; what had
// arrived is then a repeat. A question without an answer is asked again sooner. Nothing here is kept: the journal is.
package uplink
