// Package hub owns the NATS server inside a node of the centre: one of a cluster, with JetStream, and
// the door where stores join as leafs. No other package of the centre imports nats-server.
//
// # Flow
//
// Each brand has an account, in which subjects, streams and users are its own. The node's own services
// connect in process, see [Hub.Connect], with full rights in one brand's account, as a user that exists
// only while this server runs and may connect only in process. There is no user for other clients, and
// none for those who bring no credentials; what door there is (a cluster cannot do without) is on
// loopback and lets nobody in.
//
// A store proves its nkey and may join only as a leaf, within the allow-lists that
// subjects.Net.StorePermissions gives. In particular no store reaches JetStream: one publish with a
// wrong expectation, even from a leaf, stops an R3 stream for good. Besides, the stores of a brand have an
// account of their own, and only the questions and pokes of subjects.DoorsOf pass between it and the
// centre's. So an answer of the centre's goes back the way that the server has made for it, whatever reply
// subject the store has named; and $JS.ACK, which the server lets every leaf publish, reaches nobody. The
// server's allow_responses does nothing here, for messages cross a leaf only where there is interest, and
// interest crosses only where the lists allow it. So a store
// that answers a question of the centre's (which shopper's screen it is) has _R_.> in its list, where the server draws
// a subject at random for each question to a store: it leads to the asker, no store may listen there, and one that
// would forge an answer has to guess it.
//
// The price: the stores' account takes every question, so one that no node serves yet (the centre is starting)
// goes unanswered, where a single account would say "no responders" at once. Stores ask again after 2 s.
//
// Stores do not see each other's subscriptions. Who breaks the allow-lists (a well-behaved leaf is told
// them and does not) is disconnected and named in the log. The server lets interest through in wildcards
// wider than the list, and delivers nothing on them that the list does not allow.
//
// Nodes of the centre know each other by a shared secret, and by TLS where it is configured.
//
// # Durability
//
// Config.DataDir holds JetStream's files and is precious: the streams of all brands. It is written with
// an fsync for each message before that is acknowledged. There is no setting to relax this: the server's
// default, an fsync every 2 minutes, lost the whole stream in 4 of 4 power cuts. A node whose directory
// is lost is filled by the other two; a directory that is rolled back is brought forward by them,
// unless two are rolled back alike. Nobody edits it by hand.
//
// # Failure
//
// [Hub.Close] hands over what this node leads before it stops: some 20 to 110 ms without an answer, to
// which a client adds its own pause before it tries again. When a node dies, streams it led have no
// leader for 4 to 7.5 s. A dead route is found by pings, each second, at most 2 unanswered; a dead leaf by
// pings every 10 s, since leafs ping faster themselves.
//
// JetStream that has met the end of its disk hangs, and room does not revive it. So [Hub.Guard] closes the
// server while there is still some, and opens it when there is enough; connections of [Hub.Connect] find the
// new one by themselves. JetStream's own bound is off: it is three quarters of what was free at the start,
// and a node would come to it with a disk that is far from full. One damaged snapshot of the cluster's own
// log keeps a server from starting ("snapshot corrupt"): remove DataDir then, with the other two up.
//
// [Hub.SetStores] makes JetStream's API of this node answer "no responders" for some milliseconds;
// publishing to streams goes on.
package hub
