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
// wrong expectation, even from a leaf, stops an R3 stream for good. The lists are also all there is for
// answers: the server's allow_responses does nothing here, for messages cross a leaf only where there is
// interest, and interest in an inbox crosses only where the lists allow it. So a store that shall answer
// a question from the centre needs the reply's subject in its list.
//
// Stores do not see each other's subscriptions. Who breaks the allow-lists (a well-behaved leaf is told
// them and does not) is disconnected and named in the log. Two things the server lets through: interest
// in wildcards wider than the list, on which it then delivers nothing that the list does not allow; and
// any subject under $JS.ACK, so that a hostile store can acknowledge, in the centre's place, messages of a
// consumer whose stream and name it can guess. Therefore nothing that matters rests on a consumer's
// acknowledgements, unless the consumer's name is a secret.
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
// [Hub.SetStores] makes JetStream's API of this node answer "no responders" for some milliseconds;
// publishing to streams goes on.
package hub
