package ops

import (
	"bytes"
	"context"
	"io"
	"net/http"

	"tillstream/central/gateway"
)

type incidentsCommand struct{}

// Run prints what the books have noted for a person, the latest first.
func (*incidentsCommand) Run(ctx context.Context, stdout io.Writer, c *Command) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	all, err := client.Incidents(ctx)
	if err != nil {
		return c.advise(err)
	}
	return c.print(stdout, all, func(b *bytes.Buffer) {
		if len(all.Incidents) == 0 {
			b.WriteString("no incidents\n")
			return
		}
		t := newTable(b)
		t.row("ENTRY", "WHAT")
		for _, i := range all.Incidents {
			t.row(i.Entry, i.Text)
		}
		t.end()
		b.WriteString("what a till or store then has on its disk only: tillstream edge aside, there\n")
	})
}

// Incidents asks one node for the latest incidents.
func (c Client) Incidents(ctx context.Context) (all gateway.Incidents, err error) {
	err = c.first(ctx, http.MethodGet, "/v1/incidents", nil, &all)
	return all, err
}
