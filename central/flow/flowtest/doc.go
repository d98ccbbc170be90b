// Package flowtest gives the tests of the event flow's components a centre of one node: its server, the flow's streams,
// consumers and buckets as they are made everywhere, and the documents that ops puts. It knows no component.
package flowtest
