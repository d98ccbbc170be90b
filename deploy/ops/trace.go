package ops

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"tillstream/central/gateway"
)

type traceCommand struct {
	ID    string        `arg:"" help:"A receipt's rid, or the id of an event of the flow."`
	Since time.Duration `placeholder:"6h" help:"How far back to look. Without it: a receipt's own time, or an hour for an event."`
	After uint64        `placeholder:"SEQUENCE" help:"Go on behind this event of the flow's stream, where a trace has stopped."`
}

// Run prints every activity of a receipt on its way through the flow.
func (t *traceCommand) Run(ctx context.Context, stdout io.Writer, c *Command) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	q := url.Values{}
	if t.Since != 0 {
		q.Set("since", t.Since.String())
	}
	if t.After != 0 {
		q.Set("after", fmt.Sprint(t.After))
	}
	var answer gateway.Trace
	if err := client.first(ctx, http.MethodGet, "/v1/flow/trace/"+url.PathEscape(t.ID)+"?"+q.Encode(), nil, &answer); err != nil {
		return c.advise(err)
	}
	return c.print(stdout, answer, func(b *bytes.Buffer) { printTrace(b, &answer) })
}

func printTrace(b *bytes.Buffer, trace *gateway.Trace) {
	for i := range trace.Ways {
		if i > 0 {
			b.WriteString("\n")
		}
		printWay(b, &trace.Ways[i])
	}
	if len(trace.Dead) > 0 {
		b.WriteString("\n")
		printLetters(b, trace.Dead)
	}
	fmt.Fprintf(b, "\n%d events looked at, from %s on\n", trace.Read, trace.From.Format(time.RFC3339))
	if trace.Stopped != "" {
		fmt.Fprintf(b, "the flow's stream was not read to its end: stopped %s", trace.Stopped)
		if trace.Next != 0 {
			fmt.Fprintf(b, "; go on with --after %d", trace.Next)
		}
		b.WriteString("\n")
	}
}

func printWay(b *bytes.Buffer, w *gateway.Way) {
	fmt.Fprintf(b, "%s %s %s, account %s", w.Promo, w.Attempt, w.Status, w.Account)
	if w.Receipt != "" {
		fmt.Fprintf(b, ", receipt %s", w.Receipt)
	}
	b.WriteString("\n\n")
	t := newTable(b)
	t.row("  SEQUENCE", "FROM", "SUBJECT", "TO", "STATE", "EVENT")
	for _, e := range w.Events {
		state := string(e.State)
		if e.Again {
			state += ", came again"
		}
		t.row(fmt.Sprintf("  %d", e.Sequence), e.From, e.Subject, orDash(e.Stage), state, e.ID)
	}
	t.end()
	b.WriteString("\n")
	t = newTable(b)
	t.row("  PASSED", "AT", "AFTER")
	for i, p := range w.Passed {
		after := "-"
		if i > 0 {
			after = fmt.Sprintf("%.1f ms", p.Millis)
		}
		t.row("  "+p.Point, p.At.Format("2006-01-02T15:04:05.000Z07:00"), after)
	}
	if n := len(w.Passed); n > 1 {
		t.row("  in all", "", fmt.Sprintf("%.1f ms", float64(w.Passed[n-1].At.Sub(w.Passed[0].At))/float64(time.Millisecond)))
	}
	t.end()
	fmt.Fprintf(b, "\n  %s\n", w.Outcome.Text)
	if w.Outcome.Message != "" {
		fmt.Fprintf(b, "  message %s", w.Outcome.Message)
		if w.Outcome.Claim != nil {
			fmt.Fprintf(b, ", claim %s", w.Outcome.Claim)
		}
		if w.Outcome.Tombstone != nil {
			fmt.Fprintf(b, ", deleted %s", w.Outcome.Tombstone)
		}
		b.WriteString("\n")
	}
}
