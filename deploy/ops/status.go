package ops

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"text/tabwriter"

	"tillstream/central/gateway"
)

type statusCommand struct{}

// Run prints a line for every node that answers, and ends with an error if one did not.
func (*statusCommand) Run(ctx context.Context, stdout io.Writer, c *Command) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	nodes, asked := client.Status(ctx)
	if len(nodes) == 0 {
		return c.advise(asked)
	}
	if err := c.print(stdout, nodes, func(b *bytes.Buffer) { printStatus(b, nodes) }); err != nil {
		return err
	}
	return c.advise(asked)
}

func printStatus(b *bytes.Buffer, nodes []gateway.Status) {
	t := newTable(b)
	t.row("NODE", "ENTRY", "TERM", "WRITER", "LEADS", "DIGEST", "BROKEN")
	for _, s := range nodes {
		t.row(s.Node, s.Entry, s.Term, orDash(s.Writer), yes(s.Leads), prefix(s.Digest), yes(s.Broken))
	}
	t.end()
}

// digestShown is how many digits of a digest are printed: enough to see that two differ.
const digestShown = 12

func prefix(digest string) string { return digest[:min(len(digest), digestShown)] }

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// table aligns columns. It writes to a buffer, which takes everything.
type table struct{ w *tabwriter.Writer }

func newTable(b *bytes.Buffer) table { return table{tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)} }

func (t table) row(cells ...any) {
	for i, cell := range cells {
		if i > 0 {
			_, _ = io.WriteString(t.w, "\t")
		}
		_, _ = fmt.Fprint(t.w, cell)
	}
	_, _ = io.WriteString(t.w, "\n")
}

func (t table) end() { _ = t.w.Flush() }
