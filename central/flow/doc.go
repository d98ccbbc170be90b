// Package flow holds what every component of the event flow is given: connections, the documents that ops puts, and
// metrics. Each component is a package below, named as document 004 names it; README.md follows the flow through
// them.
package flow
