package ops

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"tillstream/central/gateway"
	"tillstream/kv/record"
)

type booksCommand struct {
	Verify  verifyCommand  `cmd:"" help:"Have every node count its books again and compare them. Exit status 1 if something is wrong."`
	Rebuild rebuildCommand `cmd:"" help:"Make the books again, here, from the journal's first entry, and compare digests. Exit status 1 if they differ."`
	Account accountCommand `cmd:"" help:"Print an account: balance and its lots, debt, holds, and its latest 1,000 postings."`
	Policy  policyCommand  `cmd:"" help:"Print for how long points are good and holds stand, or put it."`
	Holds   holdsCommand   `cmd:"" help:"List holds that are past their time and stand because their tills may still use them, or let go of one."`
}

type verifyCommand struct{}

// Run prints a line for each node, then what is wrong, which is also the error.
func (*verifyCommand) Run(ctx context.Context, stdout io.Writer, c *Command) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	v, found := Verify(ctx, client)
	if len(v.Nodes) == 0 {
		return c.advise(found)
	}
	if err := c.print(stdout, v, func(b *bytes.Buffer) { printVerified(b, v, found) }); err != nil {
		return err
	}
	return c.advise(found)
}

func printVerified(b *bytes.Buffer, v Verified, found error) {
	t := newTable(b)
	t.row("NODE", "ENTRY", "DIGEST", "ACCOUNTS", "POSTINGS", "RECEIPTS", "FINDINGS")
	for _, n := range v.Nodes {
		t.row(n.Node, n.Entry, prefix(n.Digest), n.Accounts, n.Postings, n.Receipts, len(n.Wrong))
	}
	t.end()
	switch {
	case found != nil: // the error says it
	case !v.level():
		b.WriteString("each node's books are in order; the nodes are at different entries, so they are not compared: ask again when fewer receipts come in\n")
	default:
		b.WriteString("the books are in order\n")
	}
}

type accountCommand struct {
	Card      string           `arg:"" optional:"" help:"Card number."`
	Account   record.AccountID `placeholder:"HEX" help:"The account itself: 32 hexadecimal digits, in place of CARD."`
	NotBefore uint64           `placeholder:"ENTRY" help:"The answer has to contain this journal entry; a node that has not come so far waits."`
}

// Run prints an account.
func (a *accountCommand) Run(ctx context.Context, stdout io.Writer, c *Command) error {
	if (a.Card == "") == a.Account.IsZero() {
		return errors.New("whose account? Give either CARD or --account HEX")
	}
	q := gateway.AccountQuestion{Card: a.Card, Entry: a.NotBefore}
	if a.Card == "" {
		q.Account = a.Account.String()
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	answer, err := client.Account(ctx, q)
	if err != nil {
		return c.advise(err)
	}
	return c.print(stdout, answer, func(b *bytes.Buffer) { printAccount(b, answer) })
}

func printAccount(b *bytes.Buffer, a gateway.Account) {
	t := newTable(b)
	t.row("account", a.Account)
	t.row("balance", a.Balance)
	t.row("held", a.Held)
	t.row("debt", a.Debt)
	t.row("as of", a.AsOf.Format(time.RFC3339))
	t.row("entry", a.Entry)
	t.end()
	if len(a.Lots) > 0 {
		b.WriteString("\n")
		t = newTable(b)
		t.row("LOT", "EXPIRES")
		for _, l := range a.Lots {
			expires := "never"
			if l.Expires != nil {
				expires = l.Expires.Format(time.DateOnly)
			}
			t.row(l.Points, expires)
		}
		t.end()
	}
	if len(a.Holds) > 0 {
		b.WriteString("\n")
		printHolds(b, a.Holds)
	}
	b.WriteString("\n")
	t = newTable(b)
	t.row("ENTRY", "AT", "RECEIPT OR HOLD", "KIND", "POINTS", "DEBT", "HELD", "SPENT", "EXPIRED")
	for _, p := range a.Postings {
		kind := p.Kind
		if p.Why != "" {
			kind += ", " + p.Why
		}
		t.row(p.Entry, p.At.Format(time.RFC3339), orDash(p.Receipt), kind, signed(p.Points), signed(p.Debt), signed(p.Held), signed(p.Spent), signed(p.Expired))
	}
	t.end()
}

func signed(n int64) string { return fmt.Sprintf("%+d", n) }
