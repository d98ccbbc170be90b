package subjects

import "strings"

// JournalStream is the name of the brand's journal stream.
func (n Net) JournalStream() string { return "journal_" + n.Brand.s }

// FlowStream keeps every event of the flow, in the order in which they came; each stage is a consumer of it.
func (n Net) FlowStream() string { return "flow_" + n.Brand.s }

// DeadStream keeps dead letters, for ops.
func (n Net) DeadStream() string { return "dead_" + n.Brand.s }

// Stage names a step of the flow that reads its stream; its consumer there has the same name.
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

// FlowSubjects lists what the flow's stream keeps.
func (n Net) FlowSubjects() []string {
	return []string{n.CPPActivity(), n.EPPMActivity(), n.CPPEnriched(), n.Relevant(), n.RelevantUnqualification(), n.Decided(), n.MSQDelete()}
}

// SubjectsOf lists what a stage reads of it.
func (n Net) SubjectsOf(s Stage) []string {
	switch s {
	case DEC:
		return []string{n.CPPActivity(), n.EPPMActivity()}
	case TIM:
		return []string{n.CPPEnriched()}
	case FRED:
		return []string{n.Relevant(), n.RelevantUnqualification()}
	case BCG:
		return []string{n.Decided()}
	case MSQ:
		return []string{n.MSQDelete()}
	}
	return nil
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
