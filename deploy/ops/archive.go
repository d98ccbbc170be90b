package ops

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"tillstream/central/archive"
	"tillstream/central/gateway"
	"tillstream/kv/record"
)

type archiveCommand struct {
	Close  closeCommand         `cmd:"" help:"Have the nodes close their archive's open segment now, so that a copy has all that they have folded."`
	Verify verifyArchiveCommand `cmd:"" help:"Check an archive, or a copy of one, against its signatures. Exit status 1 if something is wrong."`
}

type closeCommand struct{}

// Run prints a line for every node that keeps an archive.
func (*closeCommand) Run(ctx context.Context, stdout io.Writer, c *Command) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	closed, asked := client.CloseSegment(ctx)
	if len(closed) == 0 {
		return c.advise(asked)
	}
	if err := c.print(stdout, closed, func(b *bytes.Buffer) { printClosed(b, closed) }); err != nil {
		return err
	}
	if p, ok := errors.AsType[*Problem](asked); ok && p.Type == "/problems/no-archive" {
		return nil // a node without an archive, beside one that has it
	}
	return c.advise(asked)
}

func printClosed(b *bytes.Buffer, closed []gateway.Closed) {
	t := newTable(b)
	t.row("NODE", "FIRST", "LAST", "BYTES", "DIGEST", "CLOSED")
	for _, s := range closed {
		t.row(s.Node, s.First, s.Last, s.Bytes, orDash(prefix(s.Digest)), s.Time.Format(time.RFC3339))
	}
	t.end()
}

type verifyArchiveCommand struct {
	Dir string `arg:"" help:"The archive's directory."`
	Key string `required:"" placeholder:"PUBLIC" help:"Public half of the key that signed it, as nk -pubout prints it."`
}

// Archived is what an archive holds, as JSON.
type Archived struct {
	Segments []gateway.Closed `json:"segments"`
	Open     uint64           `json:"open"` // entries behind the last checkpoint
	Wrong    []string         `json:"wrong"`
}

// Run prints a line for each segment, then what is wrong, which is also the error.
func (v *verifyArchiveCommand) Run(stdout io.Writer, c *Command) error {
	r, err := archive.Verify(v.Dir, v.Key, nil)
	if err != nil {
		return err
	}
	out := Archived{Segments: []gateway.Closed{}, Open: r.Open, Wrong: append([]string{}, r.Wrong...)}
	for _, s := range r.Checkpoints {
		line := gateway.Closed{First: s.First, Last: s.Last, Bytes: s.Bytes, Time: s.Time}
		if s.Digest != (record.Hash{}) {
			line.Digest = s.Digest.String()
		}
		out.Segments = append(out.Segments, line)
	}
	if err := c.print(stdout, out, func(b *bytes.Buffer) { printArchived(b, &r, out) }); err != nil {
		return err
	}
	return r.Err()
}

func printArchived(b *bytes.Buffer, r *archive.Report, out Archived) {
	t := newTable(b)
	t.row("FIRST", "LAST", "BYTES", "DIGEST", "CLOSED")
	for _, s := range out.Segments {
		t.row(s.First, s.Last, s.Bytes, orDash(prefix(s.Digest)), s.Time.Format(time.RFC3339))
	}
	t.end()
	if r.Open > 0 {
		fmt.Fprintf(b, "%d entries behind the last checkpoint are not signed and would not be restored\n", r.Open)
	}
	if last := r.Last(); len(r.Wrong) == 0 && last.Last > 0 {
		fmt.Fprintf(b, "the archive of brand %s is in order up to entry %d of %s\n", last.Brand, last.Last, last.Time.Format(time.RFC3339))
	}
}
