// Package leaf owns the NATS server inside an edge node: a leaf of its one upstream, the door where the
// tills of a store join as leafs, and the local door of the POS terminals. A till node and a store node
// run the same code. No other package of the edge imports nats-server. There is no JetStream here.
//
// # Flow
//
// The node's own services connect in process, see [Leaf.Connect], as a user that exists only while this
// server runs and may connect only in process. What crosses the link upward is decided twice: the
// upstream's allow-list for this node's key is enforced there and told to this server; Config.DenyUp
// names what this node never sends or asks for upward, whatever it is allowed.
//
// The doors have a user each and no one else: a till proves its nkey and may join only as a leaf, within
// its own allow-list; a POS needs the password and may only publish and subscribe what Config names.
// There is no user for those who bring no credentials.
//
// An allow-list is all there is for answers, too: a till that shall answer a question from its store
// needs the reply's subject among those it may publish, see central/hub for why.
//
// Tills of one store do not see each other's subscriptions, and theirs are not passed upward.
//
// # Failure
//
// A broken link is dialled again every 250 to 500 ms. A link that is open but dead is found by pings: every
// 2 s, at most 2 unanswered, so it is dropped 4 to 6 s after the last answer. A dial, and the greeting
// that must follow it, may take 3 s each.
//
// [Leaf.Run] supervises: a link that is down for 10 s although the upstream answers a dial is disabled
// and enabled again, every 10 s; after 60 s Run returns [ErrStuck]. The server cannot be replaced under
// its open connections, so the owner does that: it closes its connections, closes this Leaf and opens
// another. A line that is down, or a key that is refused, restarts nothing. Only one remote is ever
// configured: two active ones make a loop, and both would drop for 30 s.
//
// A client of this server is connected whether or not the upstream is; [Leaf.Up] says what the server
// knows, which lags by the times above. The health of a node is the age of the last acknowledgement
// from upstream.
//
// The upstream drops an older leaf that has the same server name, so a hostile node could throw its
// neighbours out by taking their names. The name therefore ends in a random part, drawn at each start.
package leaf
