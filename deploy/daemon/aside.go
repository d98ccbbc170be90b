package daemon

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"tillstream/deploy/pos"
	"tillstream/edge"
	"tillstream/edge/api"
)

// EdgeAside is `tillstream edge aside`.
type EdgeAside struct {
	which     `embed:""`
	TokenFile string `placeholder:"FILE" help:"File with the token that is shown: the token alone, or the node's pos_tokens_file. Without it the configuration's."`
	Rehome    bool   `help:"Have them posted: each goes on in another chain, and is posted once, whoever else has sent it."`
}

// Run lists what the node's upstream refuses, or has it posted. It is asked of a running node: what
// upstream refuses is known to who has asked it.
func (e *EdgeAside) Run(ctx context.Context, stdout io.Writer) error {
	door, cfg, err := e.open()
	if err != nil {
		return err
	}
	if door.token, err = e.token(&cfg); err != nil {
		return err
	}
	if e.Rehome {
		var moved api.Rehomed
		if err := door.ask(ctx, "POST", "/v1/aside/rehome", &moved); err != nil {
			return startIt(err)
		}
		return e.print(stdout, &moved, func(b *bytes.Buffer) {
			fmt.Fprintf(b, "%d receipts go on in another chain; `tillstream edge status` says when they are confirmed.\n", moved.Receipts)
		})
	}
	var all api.Aside
	if err := door.ask(ctx, "GET", "/v1/aside", &all); err != nil {
		return startIt(err)
	}
	return e.print(stdout, &all, func(b *bytes.Buffer) { printAside(b, &all) })
}

// token is what the node asks for: its receipts are nobody's business who has none.
func (e *EdgeAside) token(cfg *edge.Config) (string, error) {
	switch {
	case e.TokenFile != "":
		return pos.ReadToken(e.TokenFile)
	case e.Config != "":
		return pos.ReadToken(cfg.File(cfg.POSTokens))
	}
	return "", errors.New("with --url the node wants a token: --token-file")
}

func startIt(err error) error {
	if errors.Is(err, errStopped) {
		return fmt.Errorf("%w: start it, and ask again when its upstream has answered", err)
	}
	return err
}

func printAside(b *bytes.Buffer, all *api.Aside) {
	if len(all.Aside) == 0 {
		fmt.Fprintln(b, "Nothing is set aside.")
		return
	}
	n := 0
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "till\treceipt\tkind\tat\tpoints\tchain\twhy")
	for i := range all.Aside {
		c := &all.Aside[i]
		for _, r := range c.Receipts {
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d\t%s\t%s\n", c.Till, r.RID, r.Kind, r.At.Format(time.RFC3339), r.Points, c.Chain, c.Why)
			n++
		}
	}
	_ = t.Flush() // a buffer takes everything
	fmt.Fprintf(b, "%d receipts are kept here and refused upstream. --rehome has them posted.\n", n)
}
