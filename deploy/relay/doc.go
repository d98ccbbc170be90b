// Package relay owns a TCP relay that stands between two tiers in tests and in the demo, and breaks
// their link on demand.
//
// # Flow
//
// Every accepted connection is paired with one to the target; two pumps carry the bytes. While the
// link is whole a pump is one io.Copy between two TCP connections, which the kernel splices: the
// bytes do not pass through this process.
//
// # Failure
//
// The four states of a link:
//
//   - whole: bytes pass. A link may be slow, see [Relay.Delay] and [Relay.Rate].
//   - cut: as if a router said "unreachable". Connections are reset at once, new ones are reset as
//     soon as they are accepted. Both ends know.
//   - silent: as if a cable were pulled behind a switch. Connections stay open, nothing passes, and
//     new ones are accepted and hang. Nobody is told; only time-outs and pings find out. After
//     [Relay.Heal] the bytes that were held are delivered in order, as TCP would by sending again.
//   - deaf: the client hears nothing. What it says passes, what the target answers is held, so that
//     requests arrive and their answers are lost once the client has given the connection up.
package relay
