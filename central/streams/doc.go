// Package streams has the centre's JetStream streams, those under its buckets among them, as data: what they should be, the plan from what
// they are to that, and its application. A plan never deletes a stream, and what JetStream cannot
// change in place is reported, not forced.
package streams
