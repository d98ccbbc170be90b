// Package kv owns the centre's buckets: their names, their keys, and how a record in them may change.
//
// # Durability
//
// keyrings_<brand> keeps, for each store's node, copies of its key ring that only the node itself opens.
// If it is lost, nodes that run bring their copies again within the hour; a node whose disk is lost in
// the same hour cannot read a journal that was saved from it. If it is rolled back, the same. Nobody edits
// it by hand. A copy is created once and never changed.
package kv
