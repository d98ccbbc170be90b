package ops

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"tillstream/central/books"
	"tillstream/central/gateway"
)

type policyCommand struct {
	ExpireDays  *uint16 `placeholder:"N" help:"From now on points that are earned are good for N days and to the end of that month (UTC): 30 to 3650, or 0 for ever."`
	HoldMinutes *uint16 `placeholder:"N" help:"From now on a hold is due after N minutes: 1 to 1440."`
}

// Run prints the policy, or puts what is given.
func (p *policyCommand) Run(ctx context.Context, stdout io.Writer, c *Command) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	var now books.Policy
	if p.ExpireDays == nil && p.HoldMinutes == nil {
		err = client.first(ctx, http.MethodGet, "/v1/books/policy", nil, &now)
	} else {
		err = client.first(ctx, http.MethodPost, "/v1/books/policy", gateway.PolicyChange{ExpireDays: p.ExpireDays, HoldMinutes: p.HoldMinutes}, &now)
	}
	if err != nil {
		return c.advise(err)
	}
	return c.print(stdout, now, func(b *bytes.Buffer) {
		t := newTable(b)
		t.row("revision", now.Revision)
		points := "do not expire"
		if now.ExpireDays != 0 {
			points = fmt.Sprintf("are good for %d days and to the end of that month", now.ExpireDays)
		}
		t.row("points earned now", points)
		t.row("a hold is due after", fmt.Sprintf("%d minutes", now.HoldMinutes))
		t.end()
	})
}

type holdsCommand struct {
	Release string `placeholder:"ID" help:"Let go of this hold: its points may be spent at once. A till that comes with its receipt later takes them from what is there then, or leaves a debt."`
}

// Run lists what is due, or lets go of a hold.
func (h *holdsCommand) Run(ctx context.Context, stdout io.Writer, c *Command) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	if h.Release != "" {
		var done gateway.Released
		if err := client.first(ctx, http.MethodPost, "/v1/books/holds/release", gateway.HoldRelease{ID: h.Release}, &done); err != nil {
			return c.advise(err)
		}
		return c.print(stdout, done, func(b *bytes.Buffer) {
			if done.Before {
				fmt.Fprintf(b, "hold %s had been let go of before\n", done.ID)
				return
			}
			fmt.Fprintf(b, "hold %s is let go of: %d points are free\n", done.ID, done.Points)
		})
	}
	var due gateway.Holds
	if err := client.first(ctx, http.MethodGet, "/v1/books/holds", nil, &due); err != nil {
		return c.advise(err)
	}
	return c.print(stdout, due, func(b *bytes.Buffer) {
		if len(due.Holds) == 0 {
			b.WriteString("no hold is past its time\n")
			return
		}
		printHolds(b, due.Holds)
		if due.More {
			b.WriteString("and more\n")
		}
	})
}

func printHolds(b *bytes.Buffer, hs []gateway.Hold) {
	t := newTable(b)
	t.row("HOLD", "BASKET", "ACCOUNT", "STORE", "TILL", "POINTS", "COUPONS", "DUE")
	for _, h := range hs {
		t.row(h.ID, h.RID, orDash(h.Account), h.Store, h.Till, h.Points, h.Coupons, h.Expires.Format(time.RFC3339))
	}
	t.end()
}
