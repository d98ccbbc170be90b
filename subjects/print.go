package subjects

import (
	"bufio"
	"io"
	"slices"
	"strconv"
	"strings"
)

// parameters describes the placeholders of patterns, in the order in which they print.
func parameters() [][2]string {
	return [][2]string{
		{"dc", "data centre, of configuration"},
		{"brand", "brand; one NATS account, one journal, one set of books"},
		{"env", "environment, of configuration"},
		{"store", "a shop; 0000 is headquarters, for the online channels"},
		{"till", "a checkout of that store"},
		{"node", "a node of the centre"},
		{"stage", "a step of the flow: dec, tim, fred, bcg or msq"},
	}
}

// placeholders gives the parameters of a pattern.
func placeholders(pattern string) (names []string) {
	for part := range strings.SplitSeq(pattern, ".") {
		if name, ok := strings.CutPrefix(part, "{"); ok {
			names = append(names, strings.TrimSuffix(name, "}"))
		}
	}
	return names
}

// sample is a Net whose tokens print as placeholders.
func sample() (Net, StoreID, TillID) {
	return Net{DC: Token{"{dc}"}, Env: Token{"{env}"}, Brand: BrandID{Token{"{brand}"}}},
		StoreID{Token{"{store}"}}, TillID{Token{"{till}"}}
}

// WriteCatalogue prints the catalogue for people.
func WriteCatalogue(w io.Writer) error {
	p := printer{w: bufio.NewWriter(w)}
	p.line("<!-- Generated from catalogue.go by go generate. Do not edit. -->")
	p.line("# Subjects")
	p.line("")
	p.line("Every subject of tillstream. A subject that is *reserved* is a name only: nothing is sent there yet.")
	p.line("A token in braces is 1 to 64 of `a-z`, `0-9`, `_` and `-`:")
	p.line("")
	for _, param := range parameters() {
		p.line("- `{" + param[0] + "}`: " + param[1])
	}
	for _, g := range Groups() {
		p.line("")
		p.line("## " + string(g))
		p.line("")
		p.row("subject", "who -> who", "travels", "payload", "answer", "source", "state", "built by")
		p.row("---", "---", "---", "---", "---", "---", "---", "---")
		for _, e := range Catalogue() {
			if e.Group == g {
				p.row("`"+e.Pattern+"`", e.From+" -> "+e.To, string(e.Travel), e.Payload, e.Reply,
					e.Source, string(e.State), "`"+e.Builder+"`")
			}
		}
	}
	p.rights()
	return p.w.Flush()
}

// printer writes lines; the buffer keeps the first error until it is flushed.
type printer struct{ w *bufio.Writer }

func (p printer) line(s string) {
	p.w.WriteString(s)
	p.w.WriteByte('\n')
}

func (p printer) row(cells ...string) { p.line("| " + strings.Join(cells, " | ") + " |") }

func (p printer) rights() {
	net, store, till := sample()
	lane := Lane{store, till}
	storePub, storeSub := net.StorePermissions(store)
	lanePub, laneSub := lane.Permissions()
	p.line("")
	p.line("## Who may what")
	p.line("")
	p.line("| user | may publish | may subscribe |")
	p.line("| --- | --- | --- |")
	p.row("a store, on a centre node", code(storePub), code(storeSub))
	p.row("a till, on its store's node", code(lanePub), code(laneSub))
	p.line("")
	p.line("Never sent upward by a store's leaf: " + code(StaysHere()) + "; by a till's leaf: " + code(StaysOnTill()) + ".")
	p.line("")
	p.line("## Streams and services")
	p.line("")
	p.line("- stream `" + net.JournalStream() + "`: `" + net.Journal() + "`")
	for _, s := range Services() {
		p.line("- service `" + s + "`")
	}
}

func code(subjects []string) string { return "`" + strings.Join(subjects, "`, `") + "`" }

// WriteAsyncAPI prints the catalogue as an AsyncAPI 3.0 document in YAML.
func WriteAsyncAPI(w io.Writer) error {
	p := printer{w: bufio.NewWriter(w)}
	p.line("# Generated from catalogue.go by go generate. Do not edit.")
	p.line("asyncapi: 3.0.0")
	p.line("info:")
	p.line("  title: tillstream")
	p.line("  version: 1.0.0")
	p.line("  description: " + quote("Every subject of tillstream. Operations name both ends of a subject: "+
		"send is the one that publishes or asks, receive the one that listens or answers."))
	p.line("  license:")
	p.line("    name: Apache-2.0")
	p.line("defaultContentType: application/octet-stream")
	p.line("channels:")
	for _, e := range Catalogue() {
		p.channel(e)
	}
	p.line("operations:")
	for _, e := range Catalogue() {
		p.operation(e, "send", e.From)
		p.operation(e, "receive", e.To)
	}
	p.components()
	return p.w.Flush()
}

func (p printer) channel(e Entry) {
	p.line("  " + e.Name + ":")
	p.line("    address: " + quote(e.Pattern))
	p.line("    title: " + quote(string(e.Group)))
	p.line("    description: " + quote(e.From+" -> "+e.To+", "+string(e.Travel)+", "+string(e.State)+". Source: "+e.Source+"."))
	p.message(e.Name, e.Payload)
	if params := placeholders(e.Pattern); len(params) > 0 {
		p.line("    parameters:")
		for _, name := range params {
			p.line("      " + name + ":")
			p.line("        $ref: " + quote("#/components/parameters/"+name))
		}
	}
	if e.Travel != Request {
		return
	}
	p.line("  " + e.Name + "Reply:")
	p.line("    address: null")
	p.line("    title: " + quote(string(e.Group)))
	p.line("    description: " + quote("The asker's own inbox, for the answer to "+e.Pattern+"."))
	p.message(e.Name+"Reply", e.Reply)
}

func (p printer) message(name, payload string) {
	p.line("    messages:")
	p.line("      " + name + ":")
	p.line("        summary: " + quote(payload))
	if strings.HasPrefix(payload, "CloudEvent") || strings.HasPrefix(payload, "JSON") {
		p.line("        contentType: application/json")
	}
	if strings.HasPrefix(payload, "CloudEvent") {
		p.line("        headers:")
		p.line("          $ref: " + quote("#/components/schemas/cloudEventHeaders"))
	}
}

func (p printer) operation(e Entry, action, who string) {
	p.line("  " + e.Name + "." + action + ":")
	p.line("    action: " + action)
	p.line("    summary: " + quote(who))
	p.line("    channel:")
	p.line("      $ref: " + quote("#/channels/"+e.Name))
	p.line("    messages:")
	p.line("      - $ref: " + quote("#/channels/"+e.Name+"/messages/"+e.Name))
	if e.Travel != Request {
		return
	}
	reply := e.Name + "Reply"
	p.line("    reply:")
	p.line("      channel:")
	p.line("        $ref: " + quote("#/channels/"+reply))
	p.line("      messages:")
	p.line("        - $ref: " + quote("#/channels/"+reply+"/messages/"+reply))
}

func (p printer) components() {
	p.line("components:")
	p.line("  parameters:")
	for _, param := range parameters() {
		p.line("    " + param[0] + ":")
		p.line("      description: " + quote(param[1]))
	}
	p.line("  schemas:")
	p.line("    cloudEventHeaders:")
	p.line("      type: object")
	p.line("      description: " + quote("Attributes of a CloudEvent 1.0 in NATS binary mode."))
	required := []string{"ce-specversion", "ce-id", "ce-source", "ce-type"}
	p.line("      required: [" + strings.Join(required, ", ") + "]")
	p.line("      properties:")
	for _, h := range slices.Concat(required, []string{"ce-subject", "ce-time", "ce-datacontenttype", "ce-dc", "ce-brand"}) {
		p.line("        " + h + ":")
		p.line("          type: string")
	}
}

// quote gives a string that YAML reads back as it is: the catalogue is ASCII and the section sign.
func quote(s string) string { return strconv.Quote(s) }
