// Package central is a node of the centre: an embedded nats-server of the cluster, a replica of each
// journal, and the services that stores, tills and central ops ask. Three nodes make a centre; any of
// them answers anything.
//
// # Order
//
// Start: the NATS server, the replica's files, the admin API; then, once the cluster is ready, the
// streams, a backup if one is to be restored, the fold, and, when that is level with the journal, the
// services. Stop: the services and the fold first, so that another node
// takes over writing, then the server, which hands over what it leads.
package central
