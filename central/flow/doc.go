// Package flow holds what every component of the event flow is given: connections, the documents that ops puts,
// metrics, and how its parts run together. Each component is a package below, named as document 004 names it; README.md follows the flow through
// them.
//
// It also holds what CPP and EPPM share, who may not import each other: shoppers' progress, changed by compare-and-set and said
// exactly as it was changed ([Standings]), and the ends of cycles ([Endings]).
package flow
