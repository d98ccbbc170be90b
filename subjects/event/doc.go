// Package event owns the envelope in which facts leave the books and travel through the flow:
// CloudEvents 1.0 in NATS binary mode, one "ce-" header for each attribute and the data behind
// them as they are; and one type for each payload.
//
// # Flow
//
// A producer fills a payload type and calls its Encode, which writes the headers by hand: 30,000
// receipts a second may not cost a JSON encoder each. A consumer calls Decode, which reads through
// the CloudEvents SDK and its validation, so that a test of Encode against Decode proves that what
// is sent is a CloudEvent to everybody else. [FromHeaders] and [ToHeaders] do the same for an event
// of any type, for stages that pass on what they do not know.
//
// In the flow of document 004 the envelope is an [Envelope], read and written by hand too, in binary mode; [Receive] takes
// structured mode as well. A stage makes the next envelope of the one that it was given ([Envelope.Next], the binder):
// the times at which an event passed each [Point] go with it, so that the latency of the whole way or any part is read
// from headers alone. schema/ has a JSON Schema of each payload, printed from its type.
//
// Ids are made from what the event is about, never drawn: an event sent twice has one id, and a
// consumer that keeps ids sees it once.
//
// # Failure
//
// What does not decode is refused with [ErrEvent] and the name of the attribute. It will not decode
// the next time either: a stage rejects it.
package event

//go:generate go run ./gen
