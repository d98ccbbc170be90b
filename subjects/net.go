package subjects

import "strings"

// Net is one brand's part of one installation: the literal first tokens of its subjects.
type Net struct {
	DC    Token   // data centre, such as "eu1"
	Env   Token   // environment, such as "prod"
	Brand BrandID // brand, such as "acme"
}

func join(parts ...string) string { return strings.Join(parts, ".") }

// The documented flow.

// CPPActivity carries activities from CPP (and at the end of week two) to DEC.
func (n Net) CPPActivity() string { return join(n.DC.s, n.Brand.s, "cpp", "activity") }

// EPPMActivity carries week-one activities from EPPM to DEC.
func (n Net) EPPMActivity() string { return join(n.DC.s, n.Brand.s, "eppm", "activity") }

// CPPEnriched carries enriched activities from DEC to TIM.
func (n Net) CPPEnriched() string { return join(n.Brand.s, "cpp", "enriched", "events") }

// Relevant carries regular events from TIM to FRED.
func (n Net) Relevant() string { return join(n.Brand.s, "relevant", "events") }

// RelevantUnqualification carries unqualification events from DEC and TIM to FRED.
func (n Net) RelevantUnqualification() string {
	return join(n.Brand.s, "relevant", "unqualification", "events")
}

// MSQDelete carries DeleteMessageInstructions from TIM to MSQ. It names the environment, not the brand.
func (n Net) MSQDelete() string { return join("msq", "inbound", "delete", n.Env.s) }

// Decided carries events with a decision from FRED to BCG.
func (n Net) Decided() string { return join(n.Brand.s, "decided", "events") }

// DeadLetters is where a stage puts what it can never handle.
func (n Net) DeadLetters(s Stage) string { return join(n.Brand.s, "dlq", s.s) }

// AnyDeadLetters matches DeadLetters of every stage.
func (n Net) AnyDeadLetters() string { return join(n.Brand.s, "dlq", "*") }

// PPHPromotion is where DEC asks PPH what is known of a promotion.
func (n Net) PPHPromotion() string { return join(n.Brand.s, "pph", "promotion") }

// DESDecide is where FRED asks DES for a decision.
func (n Net) DESDecide() string { return join(n.Brand.s, "des", "decide") }

// CSLContent is where BCG asks CSL for a message's template.
func (n Net) CSLContent() string { return join(n.Brand.s, "csl", "content") }

// OSGDeliver is where BCG and MSQ ask OSG to show a message.
func (n Net) OSGDeliver() string { return join(n.Brand.s, "osg", "deliver") }

// OSGArrived says that a shopper was identified somewhere.
func (n Net) OSGArrived() string { return join(n.Brand.s, "osg", "arrived") }

// OSGScreen is where an instance of OSG is asked for a device of the app that is connected to it.
func (n Net) OSGScreen(instance NodeID) string { return join(n.Brand.s, "osg", instance.s, "screen") }

// MSQPut is where BCG leaves a message for a shopper who is not on site.
func (n Net) MSQPut() string { return join(n.Brand.s, "msq", "put") }

// IntakeCPP and IntakeEPPM are where producers of activities outside hand theirs in.
func (n Net) IntakeCPP() string { return join(n.Brand.s, "intake", "cpp") }

// IntakeEPPM is IntakeCPP for EPPM activities.
func (n Net) IntakeEPPM() string { return join(n.Brand.s, "intake", "eppm") }

// Receipts and books.

// Journal is the one subject of the brand's journal stream.
func (n Net) Journal() string { return join(n.Brand.s, "journal") }

// CustomersJournal is the one subject of the customers' journal stream.
func (n Net) CustomersJournal() string { return join(n.Brand.s, "customers", "journal") }

// ReceiptsPosted carries each posted receipt, as a CloudEvent, to whoever subscribes.
func (n Net) ReceiptsPosted() string { return join(n.Brand.s, "receipts", "posted") }

// Ingest is where a store sends packs of records.
func (n Net) Ingest(s StoreID) string { return join(n.Brand.s, "ingest", s.s) }

// FeedPull is where a store asks for records; FeedChanged is the centre's poke.
func (n Net) FeedPull(s StoreID) string { return join(n.Brand.s, "feed", s.s, "pull") }

// FeedChanged tells a store that a pull would bring something.
func (n Net) FeedChanged(s StoreID) string { return join(n.Brand.s, "feed", s.s, "changed") }

// StoreScreen is where OSG asks a store to show a message.
func (n Net) StoreScreen(s StoreID) string { return join(n.Brand.s, "store", s.s, "screen") }

// POSLookup is where a store asks the POS gateway for a shopper whom it does not know.
func (n Net) POSLookup(s StoreID) string { return join(n.Brand.s, "pos", s.s, "lookup") }

// KeyRing is where a store's node gives the centre a sealed copy of its key ring, and asks for it back.
func (n Net) KeyRing(s StoreID) string { return join(n.Brand.s, "keyring", s.s) }

// POSHold is where a store asks the POS gateway about points and coupons set aside.
func (n Net) POSHold(s StoreID) string { return join(n.Brand.s, "pos", s.s, "hold") }

// POSSale is where a store asks the POS gateway for a sale, to give back from it.
func (n Net) POSSale(s StoreID) string { return join(n.Brand.s, "pos", s.s, "sale") }

// POSPresence is where a store says which shopper is at which of its tills.
func (n Net) POSPresence(s StoreID) string { return join(n.Brand.s, "pos", s.s, "presence") }

// Between the nodes of the centre. No store may publish here.

// Propose is where a centre node hands a proposal for the brand's journal to the node that writes.
func (n Net) Propose(node NodeID) string { return join(n.Brand.s, "centre", node.s, "propose") }

// Heartbeat is where a centre node says that it lives, what it has folded and whether it writes.
func (n Net) Heartbeat(node NodeID) string { return join(n.Brand.s, "centre", node.s, "heartbeat") }

// Files is where a centre node that has none asks another for its snapshot and history.
func (n Net) Files(node NodeID) string { return join(n.Brand.s, "centre", node.s, "files") }

// Scrub is where a centre node is asked what it has found in its copy of the journal.
func (n Net) Scrub(node NodeID) string { return join(n.Brand.s, "centre", node.s, "scrub") }

// Wildcards, for the services of the centre that answer every store.

// AnyIngest matches Ingest of every store.
func (n Net) AnyIngest() string { return join(n.Brand.s, "ingest", "*") }

// AnyFeedPull matches FeedPull of every store.
func (n Net) AnyFeedPull() string { return join(n.Brand.s, "feed", "*", "pull") }

// AnyPOSLookup matches POSLookup of every store.
func (n Net) AnyPOSLookup() string { return join(n.Brand.s, "pos", "*", "lookup") }

// AnyKeyRing matches KeyRing of every store.
func (n Net) AnyKeyRing() string { return join(n.Brand.s, "keyring", "*") }

// AnyPOSHold matches POSHold of every store.
func (n Net) AnyPOSHold() string { return join(n.Brand.s, "pos", "*", "hold") }

// AnyPOSSale matches POSSale of every store.
func (n Net) AnyPOSSale() string { return join(n.Brand.s, "pos", "*", "sale") }

// AnyPOSPresence matches POSPresence of every store.
func (n Net) AnyPOSPresence() string { return join(n.Brand.s, "pos", "*", "presence") }

// AnyHeartbeat matches Heartbeat of every node.
func (n Net) AnyHeartbeat() string { return join(n.Brand.s, "centre", "*", "heartbeat") }

// StoreOf gives the store that an Ingest, FeedPull, FeedChanged, StoreScreen, POSLookup, POSHold, POSSale, POSPresence or
// KeyRing subject names. It is how the centre learns who asks: the hub's permissions allow a store its own name only.
func (n Net) StoreOf(subject string) (StoreID, bool) {
	parts := strings.Split(subject, ".")
	if len(parts) < 3 || parts[0] != n.Brand.s {
		return StoreID{}, false
	}
	switch parts[1] {
	case "ingest", "keyring":
		if len(parts) != 3 {
			return StoreID{}, false
		}
	case "feed", "store", "pos":
		if len(parts) != 4 {
			return StoreID{}, false
		}
	default:
		return StoreID{}, false
	}
	s, err := ParseStoreID(parts[2])
	return s, err == nil
}

// Doors are the subjects that pass between the centre's account of a brand and its stores' account; nothing
// else does. Which of them a store may use is in its permissions.
type Doors struct {
	Up    []string // questions of stores
	Down  []string // questions to stores
	Pokes []string // to stores; nobody answers
}

// DoorsOf gives a brand's doors.
func DoorsOf(n Net) Doors {
	return Doors{
		Up:    []string{n.AnyIngest(), n.AnyFeedPull(), join(n.Brand.s, "pos", "*", ">"), n.AnyKeyRing()},
		Down:  []string{join(n.Brand.s, "store", "*", ">")},
		Pokes: []string{join(n.Brand.s, "feed", "*", "changed")},
	}
}

// StorePermissions are the allow-lists of one store's user on the hub: what its leaf may send
// there and what it may receive. Nothing else crosses.
func (n Net) StorePermissions(s StoreID) (publish, subscribe []string) {
	publish = []string{n.Ingest(s), n.FeedPull(s), join(n.Brand.s, "pos", s.s, ">"), n.KeyRing(s), StoreAnswers}
	subscribe = []string{n.FeedChanged(s), join(n.Brand.s, "store", s.s, ">"), StoreInbox(s) + ".>"}
	return publish, subscribe
}

// StoreAnswers is where a store answers what the centre asks it: subjects that nats-server draws, one for each question
// and at random, which lead from the stores' account to the asker and nowhere else.
const StoreAnswers = "_R_.>"

// StoreInbox is the prefix of a store's reply subjects. With the client's default prefix the
// answer would not pass the hub's allow-list.
func StoreInbox(s StoreID) string { return "_INBOX_" + s.s }
