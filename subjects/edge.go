package subjects

import "strings"

// Lane is the hop between a till and its store. Its subjects never cross the store's leaf upward,
// and a subject of this hop is never used on the other.
type Lane struct {
	Store StoreID
	Till  TillID
}

func (l Lane) prefix() string { return join("edge", l.Store.s, l.Till.s) }

// Ingest is where a till sends packs of records to its store.
func (l Lane) Ingest() string { return join(l.prefix(), "ingest") }

// FeedPull is where a till asks its store for records.
func (l Lane) FeedPull() string { return join(l.prefix(), "feed") }

// Lookup is where a till asks its store for a shopper whom it does not know.
func (l Lane) Lookup() string { return join(l.prefix(), "lookup") }

// KeyRing is where a till gives its store a sealed copy of its key ring, and asks for it back.
func (l Lane) KeyRing() string { return join(l.prefix(), "keyring") }

// Hold is where a till asks its store to ask the centre about points and coupons set aside.
func (l Lane) Hold() string { return join(l.prefix(), "hold") }

// Sale is where a till asks its store to ask the centre for a sale that is not its own.
func (l Lane) Sale() string { return join(l.prefix(), "sale") }

// Baskets is where a till asks its store about suspended baskets.
func (l Lane) Baskets() string { return join(l.prefix(), "baskets") }

// Presence is where a till tells its store which shopper is there, or no longer.
func (l Lane) Presence() string { return join(l.prefix(), "presence") }

// Screen is where a store asks a till to show a message.
func (l Lane) Screen() string { return join(l.prefix(), "screen") }

// Answer is the prefix of the subjects on which a till answers its store: the store's own inbox it may not write to.
func (l Lane) Answer() string { return join(l.prefix(), "answer") }

// FeedChanged is the store's poke to one till.
func (l Lane) FeedChanged() string { return join(l.prefix(), "changed") }

// Inbox is the prefix of the till's reply subjects. No token has upper case, so it is no store's.
func (l Lane) Inbox() string { return join("_INBOX_TILL", l.Store.s, l.Till.s) }

// LaneInbox gives the inbox of the till that a subject of this hop names, where alone an answer on it may
// go. A subject that names no till gives a prefix that no subject has.
func LaneInbox(subject string) string {
	l, ok := LaneOf(subject)
	if !ok {
		return " "
	}
	return l.Inbox()
}

// Permissions are the allow-lists of one till's user on its store's node.
func (l Lane) Permissions() (publish, subscribe []string) {
	publish = []string{l.Ingest(), l.FeedPull(), l.Lookup(), l.Hold(), l.Sale(), l.KeyRing(), l.Baskets(), l.Presence(),
		l.Answer() + ".>"}
	return publish, []string{l.FeedChanged(), l.Screen(), l.Inbox() + ".>"}
}

// AnyLane are the wildcards under which a store's node serves all its tills.
type AnyLane struct{ Store StoreID }

// Ingest matches Ingest of every till of the store.
func (a AnyLane) Ingest() string { return join("edge", a.Store.s, "*", "ingest") }

// FeedPull matches FeedPull of every till of the store.
func (a AnyLane) FeedPull() string { return join("edge", a.Store.s, "*", "feed") }

// Lookup matches Lookup of every till of the store.
func (a AnyLane) Lookup() string { return join("edge", a.Store.s, "*", "lookup") }

// KeyRing matches KeyRing of every till of the store.
func (a AnyLane) KeyRing() string { return join("edge", a.Store.s, "*", "keyring") }

// Hold matches Hold of every till of the store.
func (a AnyLane) Hold() string { return join("edge", a.Store.s, "*", "hold") }

// Sale matches Sale of every till of the store.
func (a AnyLane) Sale() string { return join("edge", a.Store.s, "*", "sale") }

// Baskets matches Baskets of every till of the store.
func (a AnyLane) Baskets() string { return join("edge", a.Store.s, "*", "baskets") }

// Presence matches Presence of every till of the store.
func (a AnyLane) Presence() string { return join("edge", a.Store.s, "*", "presence") }

// LaneOf gives the till and store that a subject of this hop names.
func LaneOf(subject string) (Lane, bool) {
	parts := strings.Split(subject, ".")
	if len(parts) != 4 || parts[0] != "edge" {
		return Lane{}, false
	}
	s, err := ParseStoreID(parts[1])
	if err != nil {
		return Lane{}, false
	}
	t, err := ParseTillID(parts[2])
	return Lane{s, t}, err == nil
}

// Questions a POS asks its own node over the local NATS. They stay on the node: the till's user at
// the store may neither publish nor subscribe to them.
const (
	POSLookup       = "pos.lookup"
	POSScan         = "pos.scan"
	POSCoupon       = "pos.coupon"
	POSQuote        = "pos.quote"
	POSHold         = "pos.hold"
	POSHoldFind     = "pos.hold.find"
	POSHoldRelease  = "pos.hold.release"
	POSReceipt      = "pos.receipt"
	POSReceipts     = "pos.receipts" // by rid
	POSNumber       = "pos.receipts.number"
	POSSale         = "pos.sale" // by rid, of any till
	POSVoid         = "pos.void"
	POSReturn       = "pos.return"
	POSBaskets      = "pos.baskets"
	POSBasket       = "pos.basket" // by rid
	POSBasketPut    = "pos.basket.put"
	POSBasketResume = "pos.basket.resume"
)

// POSQuestions gives every subject on which a POS asks.
func POSQuestions() []string {
	return []string{
		POSLookup, POSScan, POSCoupon, POSQuote, POSHold, POSHoldFind, POSHoldRelease, POSReceipt, POSReceipts,
		POSNumber, POSSale, POSVoid, POSReturn, POSBaskets, POSBasket, POSBasketPut, POSBasketResume,
	}
}

// POSInbox is the prefix of a POS terminal's reply subjects on its node.
const POSInbox = "_INBOX_pos"

// POSPermissions are the allow-lists of a POS terminal at its node's NATS door.
func POSPermissions() (publish, subscribe []string) {
	return append(POSQuestions(), "$SRV.>"), []string{POSInbox + ".>"}
}

// StaysHere are the subjects an edge node's leaf never sends upward, whatever it is allowed there.
func StaysHere() []string { return []string{"edge.>", "pos.>", "$SRV.>"} }

// StaysOnTill are those a till's leaf never sends to its store; edge.> is this hop's own.
func StaysOnTill() []string { return []string{"pos.>", "$SRV.>"} }

// Desk stands for the POS of a store's own node, which has no till: no till may be called so.
var Desk = TillID{Token{"_"}}

// Headquarters is the store of the online channels. It has no till; devices of the app are in its place.
var Headquarters = StoreID{Token{"0000"}}

// Micro service names.
const (
	ServicePOS     = "tillstream-pos"
	ServiceStore   = "tillstream-store"
	ServiceIngest  = "tillstream-ingest"
	ServiceFeed    = "tillstream-feed"
	ServiceGateway = "tillstream-gateway"
	ServiceReplica = "tillstream-replica"
	ServiceKeyRing = "tillstream-keyring"
	ServiceScrub   = "tillstream-scrub"
	ServicePPH     = "tillstream-pph"
	ServiceDES     = "tillstream-des"
	ServiceCSL     = "tillstream-csl"
	ServiceIntake  = "tillstream-intake"
	ServiceOSG     = "tillstream-osg"
	ServiceMSQ     = "tillstream-msq"
)

// Services gives every service name.
func Services() []string {
	return []string{ServicePOS, ServiceStore, ServiceIngest, ServiceFeed, ServiceGateway, ServiceReplica,
		ServiceKeyRing, ServiceScrub, ServiceDES, ServiceCSL, ServicePPH, ServiceIntake, ServiceOSG, ServiceMSQ}
}
