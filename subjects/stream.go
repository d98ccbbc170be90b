package subjects

import "strings"

// JournalStream is the name of the brand's journal stream.
func (n Net) JournalStream() string { return "journal_" + n.Brand.s }

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
