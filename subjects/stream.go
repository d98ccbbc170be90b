package subjects

import "strings"

// JournalStream is the name of the brand's journal stream.
func (n Net) JournalStream() string { return "journal_" + n.Brand.s }

// Streams of the flow. One consumer, named for its stage, reads each.

// ActivityStream keeps what CPP and EPPM say, for DEC.
func (n Net) ActivityStream() string { return "activity_" + n.Brand.s }

// EnrichedStream keeps enriched activities, for TIM.
func (n Net) EnrichedStream() string { return "enriched_" + n.Brand.s }

// RelevantStream keeps regular and unqualification events, for FRED.
func (n Net) RelevantStream() string { return "relevant_" + n.Brand.s }

// DecidedStream keeps events with a decision, for BCG.
func (n Net) DecidedStream() string { return "decided_" + n.Brand.s }

// DeleteStream keeps DeleteMessageInstructions, for MSQ. The brand has it in its own account.
func (n Net) DeleteStream() string { return "msq_delete_" + n.Env.s }

// DeadStream keeps dead letters, for ops.
func (n Net) DeadStream() string { return "dead_" + n.Brand.s }

// Stage names a step of the flow that reads a stream; its consumer there has the same name.
type Stage struct{ Token }

// Stages of the flow, as document 004 calls them.
var (
	DEC  = Stage{Token{"dec"}}
	TIM  = Stage{Token{"tim"}}
	FRED = Stage{Token{"fred"}}
	BCG  = Stage{Token{"bcg"}}
	MSQ  = Stage{Token{"msq"}}
)

// Stages gives them in the order in which an event passes them.
func Stages() []Stage { return []Stage{DEC, TIM, FRED, BCG, MSQ} }

// StreamOf gives the stream that a stage reads.
func (n Net) StreamOf(s Stage) string {
	switch s {
	case DEC:
		return n.ActivityStream()
	case TIM:
		return n.EnrichedStream()
	case FRED:
		return n.RelevantStream()
	case BCG:
		return n.DecidedStream()
	case MSQ:
		return n.DeleteStream()
	}
	return ""
}

// StreamCopy is where a node of the centre reads its own copy of a stream, message by message, damage and
// all: nats-server's direct get, which for a journal the hub lets no other node answer.
func StreamCopy(stream string) string { return "$JS.API.DIRECT.GET." + stream }

// StreamMessage is where a stream's leader is asked for a message, at the JetStream API of a prefix; empty:
// the usual one.
func StreamMessage(api, stream string) string {
	if api = strings.TrimSuffix(api, "."); api == "" {
		api = "$JS.API"
	}
	return api + ".STREAM.MSG.GET." + stream
}
