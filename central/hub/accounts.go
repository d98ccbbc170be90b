package hub

import (
	"fmt"
	"strings"

	"github.com/nats-io/nats-server/v2/server"

	"tillstream/subjects"
)

// answerWithin is how long the server keeps the way back of a question that a store has asked: longer than
// any service of the centre waits itself. Of a flood that nobody answers, so much is in memory.
const answerWithin = "15s"

// storesOf names the account of a brand's stores; no brand has a name like that.
func storesOf(b Brand) string { return b.Net.Brand.String() + ":stores" }

// accounts gives options with two accounts per brand: that of the centre, with JetStream, and that of the
// stores, with nothing but the doors between the two. Only the server's configuration language can say
// that, so that is what it is told in.
func accounts(brands []Brand) (*server.Options, error) {
	var b strings.Builder
	b.WriteString("accounts {\n")
	for _, brand := range brands {
		centre, stores, doors := brand.Net.Brand.String(), storesOf(brand), subjects.DoorsOf(brand.Net)
		fmt.Fprintf(&b, "%q {\n jetstream: enabled\n exports: [\n", centre)
		lines(&b, doors.Up, "{ service: %q, threshold: %q }\n", answerWithin)
		lines(&b, doors.Pokes, "{ stream: %q, accounts: [%q] }\n", stores)
		b.WriteString("]\n imports: [\n")
		lines(&b, doors.Down, "{ service: { subject: %q, account: %q } }\n", stores)
		fmt.Fprintf(&b, "]\n}\n%q {\n exports: [\n", stores)
		lines(&b, doors.Down, "{ service: %q, threshold: %q }\n", answerWithin)
		b.WriteString("]\n imports: [\n")
		lines(&b, doors.Up, "{ service: { subject: %q, account: %q } }\n", centre)
		lines(&b, doors.Pokes, "{ stream: { subject: %q, account: %q } }\n", centre)
		b.WriteString("]\n}\n")
	}
	b.WriteString("}\n")
	o := new(server.Options)
	if err := o.ProcessConfigString(b.String()); err != nil {
		return nil, fmt.Errorf("make accounts: %w", err)
	}
	return o, nil
}

// lines writes a line for each subject.
func lines(b *strings.Builder, subjects []string, format, other string) {
	for _, s := range subjects {
		fmt.Fprintf(b, format, s, other)
	}
}
