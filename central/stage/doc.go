// Package stage is one step of the event flow: it receives an event, hands it to a handler, publishes what the
// handler made of it, and acknowledges. It knows no loyalty.
//
// # Flow
//
// A stage takes what its consumer has for it, up to [Config].AtOnce events at a time, each in a goroutine of its own:
// so what the handlers publish and ask goes out together, in whatever batch has gathered meanwhile, and no event
// waits for a batch to fill. Events of one account are handled one after the other where that is asked for.
//
// Several instances may share a stage, on one node or many: they share its consumer. Events of one account are in
// order within an instance only, so a handler must stand an order that is another.
//
// # Durability
//
// Outputs are published, and known to be kept, before their input is acknowledged. An instance that dies leaves its
// inputs to the others, after the consumer's wait, and what it had published comes again, with the same ids. So a
// handler gives the same outputs for the same input, and whoever reads them settles repeats by id.
//
// # Failure
//
// A handler's error means "again, later": the event is handled again here, with growing waits, for as long as it
// takes. [Reject] means "never": the event goes to the dead letters, whole, with the error, and from there it can be
// replayed. There is no third outcome. What is no event of the flow, comes back to a stage that it has passed, is
// larger than [event.MaxData] or is of the future never reaches the handler: it is rejected.
package stage
