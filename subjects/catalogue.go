package subjects

// Travel is how a message goes.
type Travel string

// Ways to travel.
const (
	Request Travel = "request/reply" // a micro service answers, within the asker's deadline
	Publish Travel = "publish"       // core NATS: whoever listens now
	Stream  Travel = "stream"        // kept by JetStream, R3
)

// State says whether a subject is in use.
type State string

// States.
const (
	Built    State = "built"
	Reserved State = "reserved" // a name only, for now: nothing is sent there yet
)

// Group is where in the round a subject belongs.
type Group string

// Groups, in the order in which the catalogue prints them.
const (
	GroupFlow   Group = "The documented flow"
	GroupParts  Group = "Between the components of the flow"
	GroupBooks  Group = "Receipts and books"
	GroupStore  Group = "Between a store and the centre"
	GroupCentre Group = "Between the nodes of the centre"
	GroupLane   Group = "Between a till and its store"
	GroupPOS    Group = "Between a POS and its own node"
)

// Groups gives every group, in the order in which they print.
func Groups() []Group {
	return []Group{GroupFlow, GroupParts, GroupBooks, GroupStore, GroupCentre, GroupLane, GroupPOS}
}

// Entry describes one subject.
type Entry struct {
	Name    string // id in the AsyncAPI document
	Builder string // what builds it in this package
	Pattern string // with {dc} {brand} {env} {store} {till} {node} {stage} for tokens
	Group   Group
	From    string // who sends or asks
	To      string // who listens or answers
	Travel  Travel
	Payload string
	Reply   string // payload of the answer to a request
	Source  string // where the rule comes from: document 004, or our own; and requirements
	State   State
}

// Catalogue gives every subject, group by group.
func Catalogue() []Entry {
	var all []Entry
	for _, g := range []struct {
		group   Group
		entries []Entry
	}{
		{GroupFlow, flowSubjects()},
		{GroupParts, partsSubjects()},
		{GroupBooks, booksSubjects()},
		{GroupStore, storeSubjects()},
		{GroupCentre, centreSubjects()},
		{GroupLane, laneSubjects()},
		{GroupPOS, posSubjects()},
	} {
		for _, e := range g.entries {
			e.Group = g.group
			all = append(all, e)
		}
	}
	return all
}

func flowSubjects() []Entry {
	return []Entry{{
		Name: "cppActivity", Builder: "Net.CPPActivity", Pattern: "{dc}.{brand}.cpp.activity",
		From: "CPP", To: "DEC", Travel: Stream, State: Built,
		Payload: "CPPActivity; at the end of week two also unqualification", Source: "004 §1, §4; R78, R79, R104",
	}, {
		Name: "eppmActivity", Builder: "Net.EPPMActivity", Pattern: "{dc}.{brand}.eppm.activity",
		From: "EPPM", To: "DEC", Travel: Stream, State: Built,
		Payload: "EPPMActivity, unqualification at the end of week one", Source: "004 §3; R103",
	}, {
		Name: "cppEnriched", Builder: "Net.CPPEnriched", Pattern: "{brand}.cpp.enriched.events",
		From: "DEC", To: "TIM", Travel: Stream, State: Built,
		Payload: "CloudEvent of an enriched CPPActivity", Source: "004 §1; R83",
	}, {
		Name: "relevant", Builder: "Net.Relevant", Pattern: "{brand}.relevant.events",
		From: "TIM", To: "FRED", Travel: Stream, State: Built,
		Payload: "CloudEvent of a regular event", Source: "004 §1; R89",
	}, {
		Name: "relevantUnqualification", Builder: "Net.RelevantUnqualification",
		Pattern: "{brand}.relevant.unqualification.events",
		From:    "DEC (week one), TIM (week two)", To: "FRED", Travel: Stream, State: Built,
		Payload: "CloudEvent of an unqualification event", Source: "004 §3, §4; R103, R104",
	}, {
		Name: "msqDelete", Builder: "Net.MSQDelete", Pattern: "msq.inbound.delete.{env}",
		From: "TIM", To: "MSQ", Travel: Stream, State: Built,
		Payload: "DeleteMessageInstruction", Source: "004 §2; R102",
	}, {
		Name: "decided", Builder: "Net.Decided", Pattern: "{brand}.decided.events",
		From: "FRED", To: "BCG", Travel: Stream, State: Built,
		Payload: "CloudEvent with a decision; header has-decision", Source: "own (004 names no topic); R91",
	}}
}

func partsSubjects() []Entry {
	return []Entry{{
		Name: "deadLetters", Builder: "Net.DeadLetters", Pattern: "{brand}.dlq.{stage}",
		From: "any stage", To: "ops", Travel: Stream, State: Built,
		Payload: "the event as it came, and why it can never be handled", Source: "own; HOUSE §6",
	}, {
		Name: "pphPromotion", Builder: "Net.PPHPromotion", Pattern: "{brand}.pph.promotion",
		From: "DEC", To: "PPH", Travel: Request, State: Built,
		Payload: "promoCode; header ce-attemptid", Reply: "event.PPHPromotion: what is known of the promotion", Source: "004 §1; R80",
	}, {
		Name: "desDecide", Builder: "Net.DESDecide", Pattern: "{brand}.des.decide",
		From: "FRED", To: "DES", Travel: Request, State: Built,
		Payload: "CloudEvent as FRED received it", Reply: "CloudEvent with a decision; header has-decision", Source: "004 §1; R91–R94",
	}, {
		Name: "cslContent", Builder: "Net.CSLContent", Pattern: "{brand}.csl.content",
		From: "BCG", To: "CSL", Travel: Request, State: Built,
		Payload: "JSON: message type, promotion and what its variables are (event.ContentQuestion)", Reply: "JSON: language, title and text (event.Content)", Source: "004 §1; R97",
	}, {
		Name: "osgDeliver", Builder: "Net.OSGDeliver", Pattern: "{brand}.osg.deliver",
		From: "BCG, MSQ", To: "OSG", Travel: Request, State: Built,
		Payload: "CloudEvent of an onsite message", Reply: "header status: 200 delivered, 404 not on site", Source: "004 §1; R98",
	}, {
		Name: "osgArrived", Builder: "Net.OSGArrived", Pattern: "{brand}.osg.arrived",
		From: "OSG", To: "MSQ", Travel: Publish, State: Built,
		Payload: "account (16 bytes) of a shopper who was identified somewhere, and again while they are there; header since: when they came", Source: "004 §1; R99",
	}, {
		Name: "osgScreen", Builder: "Net.OSGScreen", Pattern: "{brand}.osg.{node}.screen",
		From: "OSG", To: "the instance of OSG that has a device of the app", Travel: Request, State: Built,
		Payload: "record.Screen", Reply: "header status: 200 delivered, 404 not on site", Source: "004 §1; R98, R105",
	}, {
		Name: "msqPut", Builder: "Net.MSQPut", Pattern: "{brand}.msq.put",
		From: "BCG", To: "MSQ", Travel: Request, State: Built,
		Payload: "CloudEvent of an onsite message", Reply: "nothing: it is queued", Source: "004 §1; R99",
	}, {
		Name: "intakeCPP", Builder: "Net.IntakeCPP", Pattern: "{brand}.intake.cpp",
		From: "a producer outside", To: "the intake", Travel: Request, State: Built,
		Payload: "CloudEvent of a CPPActivity, binary or structured", Reply: "id under which it entered the flow", Source: "004 §1; R78",
	}, {
		Name: "intakeEPPM", Builder: "Net.IntakeEPPM", Pattern: "{brand}.intake.eppm",
		From: "a producer outside", To: "the intake", Travel: Request, State: Built,
		Payload: "CloudEvent of an EPPMActivity, binary or structured", Reply: "id under which it entered the flow", Source: "004 §3; R103",
	}}
}

func booksSubjects() []Entry {
	return []Entry{{
		Name: "journal", Builder: "Net.Journal", Pattern: "{brand}.journal",
		From: "the writer", To: "every centre node", Travel: Stream, State: Built,
		Payload: "journal entry: one transaction of the books", Source: "own; R37, R65, R69",
	}, {
		Name: "customersJournal", Builder: "Net.CustomersJournal", Pattern: "{brand}.customers.journal",
		From: "the customers' writer", To: "every centre node", Travel: Stream, State: Reserved,
		Payload: "journal entry: one transaction over customers", Source: "own; R17, R62",
	}, {
		Name: "receiptsPosted", Builder: "Net.ReceiptsPosted", Pattern: "{brand}.receipts.posted",
		From: "the centre", To: "whoever subscribes (ERP, data lake)", Travel: Publish, State: Built,
		Payload: "CloudEvent tillstream.receipt.posted.v1; data is the receipt as the till kept it",
		Source:  "own; R32, R66",
	}}
}

func storeSubjects() []Entry {
	return []Entry{{
		Name: "storeIngest", Builder: "Net.Ingest", Pattern: "{brand}.ingest.{store}",
		From: "store node", To: "any centre node", Travel: Request, State: Built,
		Payload: "record.Pack", Reply: "record.Mark, one for each chain", Source: "own; R39, P2",
	}, {
		Name: "storeFeed", Builder: "Net.FeedPull", Pattern: "{brand}.feed.{store}.pull",
		From: "store node", To: "any centre node", Travel: Request, State: Built,
		Payload: "record.Pull", Reply: "record.Page", Source: "own; R33, R57",
	}, {
		Name: "storeFeedChanged", Builder: "Net.FeedChanged", Pattern: "{brand}.feed.{store}.changed",
		From: "the centre", To: "store node", Travel: Publish, State: Built,
		Payload: "nothing: a poke to pull", Source: "own; R33",
	}, {
		Name: "storeScreen", Builder: "Net.StoreScreen", Pattern: "{brand}.store.{store}.screen",
		From: "OSG", To: "store node, which asks the till", Travel: Request, State: Built,
		Payload: "record.Screen: an onsite message and the till", Reply: "header status: 200 delivered, 404 not on site", Source: "004 §1; R98",
	}, {
		Name: "storePresence", Builder: "Net.POSPresence", Pattern: "{brand}.pos.{store}.presence",
		From: "store node", To: "OSG", Travel: Request, State: Built,
		Payload: "record.Presence: which shopper is at which till, or no longer", Reply: "nothing", Source: "004 §1 (\"when a customer comes back online\"); R99",
	}, {
		Name: "storeLookup", Builder: "Net.POSLookup", Pattern: "{brand}.pos.{store}.lookup",
		From: "store node", To: "POS gateway", Travel: Request, State: Built,
		Payload: "account (16 bytes) of a shopper whom the store does not know", Reply: "record.Shopper; empty: unknown here too",
		Source: "own; R25, R41",
	}, {
		Name: "storeKeyRing", Builder: "Net.KeyRing", Pattern: "{brand}.keyring.{store}",
		From: "store node", To: "any centre node", Travel: Request, State: Built,
		Payload: "record.RingCopy of its own, sealed, or none", Reply: "every record.RingCopy kept of this node", Source: "own; R3",
	}, {
		Name: "storeHold", Builder: "Net.POSHold", Pattern: "{brand}.pos.{store}.hold",
		From: "store node", To: "POS gateway", Travel: Request, State: Built,
		Payload: "record.HoldQuestion: points and coupons of a basket, set aside", Reply: "record.HoldAnswer",
		Source: "own; R26, R64",
	}, {
		Name: "storeSale", Builder: "Net.POSSale", Pattern: "{brand}.pos.{store}.sale",
		From: "store node", To: "POS gateway", Travel: Request, State: Built,
		Payload: "rid (16 bytes) of a sale", Reply: "record.SaleAnswer: the sale and what was given back of it", Source: "own; R28",
	}}
}

func centreSubjects() []Entry {
	return []Entry{{
		Name: "propose", Builder: "Net.Propose", Pattern: "{brand}.centre.{node}.propose",
		From: "centre node", To: "the centre node that writes", Travel: Request, State: Built,
		Payload: "proposal for the brand's journal", Reply: "what became of it", Source: "own; R69",
	}, {
		Name: "heartbeat", Builder: "Net.Heartbeat", Pattern: "{brand}.centre.{node}.heartbeat",
		From: "centre node", To: "every centre node", Travel: Publish, State: Built,
		Payload: "term, whether it writes, and its clock", Source: "own; R69",
	}, {
		Name: "files", Builder: "Net.Files", Pattern: "{brand}.centre.{node}.files",
		From: "centre node without files", To: "another centre node", Travel: Request, State: Built,
		Payload: "what there is, or which piece of it", Reply: "the snapshot's head, or up to 512 KiB of it or of history",
		Source: "own; R69",
	}, {
		Name: "scrub", Builder: "Net.Scrub", Pattern: "{brand}.centre.{node}.scrub",
		From: "centre node", To: "another centre node", Travel: Request, State: Built,
		Payload: "nothing", Reply: "JSON: what the node has found in its copy of the journal", Source: "own; R69",
	}}
}

func laneSubjects() []Entry {
	return []Entry{{
		Name: "tillIngest", Builder: "Lane.Ingest", Pattern: "edge.{store}.{till}.ingest",
		From: "till node", To: "store node", Travel: Request, State: Built,
		Payload: "record.Pack", Reply: "record.Mark, one for each chain", Source: "own; R39, P2",
	}, {
		Name: "tillFeed", Builder: "Lane.FeedPull", Pattern: "edge.{store}.{till}.feed",
		From: "till node", To: "store node", Travel: Request, State: Built,
		Payload: "record.Pull", Reply: "record.Page", Source: "own; R33, R57",
	}, {
		Name: "tillLookup", Builder: "Lane.Lookup", Pattern: "edge.{store}.{till}.lookup",
		From: "till node", To: "store node", Travel: Request, State: Built,
		Payload: "account (16 bytes) of a shopper whom the till does not know", Reply: "record.Shopper; empty: unknown here too",
		Source: "own; R25",
	}, {
		Name: "tillKeyRing", Builder: "Lane.KeyRing", Pattern: "edge.{store}.{till}.keyring",
		From: "till node", To: "store node", Travel: Request, State: Built,
		Payload: "record.RingCopy of its own, sealed, or none", Reply: "every record.RingCopy kept of this node", Source: "own; R3",
	}, {
		Name: "tillHold", Builder: "Lane.Hold", Pattern: "edge.{store}.{till}.hold",
		From: "till node", To: "store node, which asks the centre", Travel: Request, State: Built,
		Payload: "record.HoldQuestion", Reply: "record.HoldAnswer", Source: "own; R26, R64",
	}, {
		Name: "tillSale", Builder: "Lane.Sale", Pattern: "edge.{store}.{till}.sale",
		From: "till node", To: "store node, which asks the centre", Travel: Request, State: Built,
		Payload: "rid (16 bytes) of a sale", Reply: "record.SaleAnswer", Source: "own; R28",
	}, {
		Name: "tillBaskets", Builder: "Lane.Baskets", Pattern: "edge.{store}.{till}.baskets",
		From: "till node", To: "store node", Travel: Request, State: Built,
		Payload: "record.BasketQuestion: a suspended basket put, read, taken; or all of them", Reply: "record.BasketAnswer",
		Source: "own; R24",
	}, {
		Name: "tillPresence", Builder: "Lane.Presence", Pattern: "edge.{store}.{till}.presence",
		From: "till node", To: "store node, which tells OSG", Travel: Request, State: Built,
		Payload: "record.Presence", Reply: "nothing", Source: "004 §1; R99",
	}, {
		Name: "tillScreen", Builder: "Lane.Screen", Pattern: "edge.{store}.{till}.screen",
		From: "store node", To: "till node", Travel: Request, State: Built,
		Payload: "record.Screen", Reply: "header status: 200 delivered, 404 not on site", Source: "004 §1; R98",
	}, {
		Name: "tillFeedChanged", Builder: "Lane.FeedChanged", Pattern: "edge.{store}.{till}.changed",
		From: "store node", To: "till node", Travel: Publish, State: Built,
		Payload: "nothing: a poke to pull", Source: "own; R33",
	}}
}

func posSubjects() []Entry {
	var all []Entry
	for _, e := range []struct{ name, builder, pattern, payload, source string }{
		{"posLookup", "POSLookup", POSLookup, "", "own; R25, R27, P5"},
		{"posScan", "POSScan", POSScan, "", "own; R24, R31"},
		{"posCoupon", "POSCoupon", POSCoupon, "", "own; R20"},
		{"posQuote", "POSQuote", POSQuote, "", "own; R24, R28"},
		{"posHold", "POSHold", POSHold, "", "own; R26, R64"},
		{"posHoldFind", "POSHoldFind", POSHoldFind, "id of a hold", "own; R26"},
		{"posHoldRelease", "POSHoldRelease", POSHoldRelease, "id of a hold", "own; R26"},
		{"posReceipt", "POSReceipt", POSReceipt, "", "own; R32, P5"},
		{"posReceipts", "POSReceipts", POSReceipts, "rid of a receipt", "own; P5"},
		{"posNumber", "POSNumber", POSNumber, "number of a receipt", "own; P5"},
		{"posSale", "POSSale", POSSale, "rid of a sale of any till", "own; P5"},
		{"posVoid", "POSVoid", POSVoid, "", "own; R77"},
		{"posReturn", "POSReturn", POSReturn, "", "own; R77, P5"},
		{"posBaskets", "POSBaskets", POSBaskets, "nothing", "own"},
		{"posBasket", "POSBasket", POSBasket, "rid of a basket", "own"},
		{"posBasketPut", "POSBasketPut", POSBasketPut, "", "own"},
		{"posBasketResume", "POSBasketResume", POSBasketResume, "rid of a basket", "own"},
	} {
		if e.payload == "" {
			e.payload = "JSON as in the node's OpenAPI"
		}
		all = append(all, Entry{
			Name: e.name, Builder: e.builder, Pattern: e.pattern,
			From: "POS", To: "its node", Travel: Request, State: Built,
			Payload: e.payload, Reply: "JSON as in the node's OpenAPI", Source: e.source,
		})
	}
	return all
}
