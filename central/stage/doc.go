// Package stage is one step of the event flow: it receives an event, hands it to a handler, publishes what the
// handler made of it, and acknowledges. It knows no loyalty.
//
// # Flow
//
// A stage takes what its consumer has for it, as many events as it has slots for ([Config].AtOnce), each in a goroutine
// of its own: so what the handlers publish and ask goes out together, in whatever batch has gathered meanwhile, and no
// event waits for a batch to fill. While it holds an event it tells the server so, and the server gives it to nobody
// else. Events of one account are handled one after the other where that is asked for.
//
// Several instances may share a stage, on one node or many: they share its consumer. Events of one account are in
// order within an instance only, for as long as none of them fails for seconds and not too many wait. So a handler must
// stand an order that is another. A stage pauses as its consumer does: JetStream's own pause, for all instances.
//
// # Durability
//
// Outputs are published, and known to be kept, before their input is acknowledged. An instance that dies leaves its
// inputs to the others, after the consumer's wait, and what it had published comes again, with the same ids. So a
// handler gives the same outputs for the same input, and whoever reads them settles repeats by id.
//
// # Failure
//
// A handler's error means "again, later", for as long as it takes: first here, with growing waits; an event that still
// fails goes back to the stream and comes again, up to 45 s later, here or elsewhere, so that those that fail do not keep
// the others out. (The consumer bounds how many can be waiting so: then it gives nothing new.) [Reject] means "never":
// the event goes to the dead letters, whole, with the error, and [Revived] makes of it what it was. There is no third
// outcome. What is no event of the flow, comes back to a stage that it has passed, is larger than [event.MaxData] or is of
// the future never reaches the handler: it is rejected.
package stage
