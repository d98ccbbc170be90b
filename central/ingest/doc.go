// Package ingest takes what stores send: packs of records, by request/reply. It checks their form,
// hands them to the node that writes the journal, and answers with the marks that came of it.
//
// # Flow
//
// Any node answers any store, and the store is the one that the subject names: the hub lets a store's
// user publish its own name only. A pack is answered when the journal has it, not before; so a store
// that hears nothing sends it again, and what was taken already is a repeat.
//
// # Failure
//
// A pack that cannot be read is refused with what is wrong with it; nothing of it is taken. When the
// writer changes, the pack is proposed to the next one. When nobody writes, the request times out and
// the store keeps its records.
//
// # Activities of producers outside
//
// [Intake] takes CPP and EPPM activities that are made elsewhere (document 004 §1, §3) and puts them on the documented subjects.
// Source and id of a CloudEvent make its id in the flow, so one that is handed in again is known there. What is wrong is refused
// by the name of its header or field; an answer that does not come means: hand it in again.
package ingest
