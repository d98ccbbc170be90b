package ops

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"tillstream/central/archive"
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
	t.row("NODE", "ENTRY", "TERM", "WRITER", "LEADS", "DIGEST", "BROKEN", "SCRUBBED", "ARCHIVED", "DISK FREE")
	for _, s := range nodes {
		t.row(s.Node, s.Entry, s.Term, orDash(s.Writer), yes(s.Leads), prefix(s.Digest), yes(s.Broken), scrubbed(s.Scrubbed),
			archived(s.Archive), diskFree(s.Disk))
	}
	t.end()
}

// archived tells how far a node's archive is signed, or why it stands still.
func archived(a *archive.Status) string {
	switch {
	case a == nil:
		return "-"
	case a.Paused != "":
		return fmt.Sprintf("%d, paused: %s", a.Signed, a.Paused)
	}
	return fmt.Sprint(a.Signed)
}

// scrubbed says how long ago a node's copy of the journal was read through, or that it is damaged.
func scrubbed(s *gateway.Scrubbed) string {
	switch {
	case s == nil:
		return "-"
	case s.Damages > 0:
		return "DAMAGED"
	}
	return time.Since(s.At).Round(time.Minute).String() + " ago"
}

// diskFree says how much room a node has, or that it has closed its server for want of it.
func diskFree(d gateway.Disk) string {
	if d.Shut != "" {
		return "CLOSED: " + d.Shut
	}
	return fmt.Sprintf("%d MiB", d.Free>>20)
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
