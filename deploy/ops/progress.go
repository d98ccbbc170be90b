package ops

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"tillstream/central/gateway"
	"tillstream/kv/record"
)

type progressCommand struct {
	Put   progressPut  `cmd:"" help:"Put a progress promotion, for the flow's CPP and PPH: a new one, or a higher revision of one that is there."`
	Ls    progressList `cmd:"" help:"List progress promotions."`
	Show  progressShow `cmd:"" help:"Print one."`
	OptIn progressJoin `cmd:"" help:"Have a shopper take part in one that has opt_in."`
	Of    progressOf   `cmd:"" help:"Print what a shopper has done in progress promotions."`
}

// putFlow sends a document of the flow.
func (c *Command) putFlow(ctx context.Context, stdout io.Writer, path, from string) error {
	b, err := readFile(from)
	if err != nil {
		return err
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	var done gateway.FlowChanged
	if err := client.first(ctx, http.MethodPut, path, file(b), &done); err != nil {
		return c.advise(err)
	}
	return c.print(stdout, done, func(b *bytes.Buffer) {
		said := "is put"
		if !done.Changed {
			said = "was so already"
		}
		if done.Revision > 0 {
			said += fmt.Sprintf(": revision %d", done.Revision)
		}
		fmt.Fprintf(b, "%s %s\n", done.Document, said)
	})
}

// showFlow prints what a node answers as it is.
func (c *Command) showFlow(ctx context.Context, stdout io.Writer, method, path string, question any) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	var answer json.RawMessage
	if err := client.first(ctx, method, path, question, &answer); err != nil {
		return c.advise(err)
	}
	return c.print(stdout, answer, func(b *bytes.Buffer) {
		if err := json.Indent(b, answer, "", "  "); err != nil {
			b.Write(answer)
		}
		b.WriteByte('\n')
	})
}

type progressPut struct {
	File string `arg:"" help:"YAML or JSON; - is standard input."`
}

// Run puts a promotion.
func (p *progressPut) Run(ctx context.Context, stdout io.Writer, c *Command) error {
	return c.putFlow(ctx, stdout, "/v1/flow/promotions", p.File)
}

type progressList struct{}

// Run prints a line for each promotion.
func (*progressList) Run(ctx context.Context, stdout io.Writer, c *Command) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	var all gateway.ProgressPromotions
	if err := client.first(ctx, http.MethodGet, "/v1/flow/promotions", nil, &all); err != nil {
		return c.advise(err)
	}
	return c.print(stdout, all, func(b *bytes.Buffer) {
		t := newTable(b)
		t.row("PROMO", "REVISION", "NAME", "COUNTS", "REWARDS", "OPT-IN", "FROM", "UNTIL")
		for _, p := range all.Promotions {
			t.row(p.Code, p.Revision, p.Name, p.Count.Kind, len(p.Rewards), yes(p.OptIn), orDash(string(p.From)), orDash(string(p.Until)))
		}
		t.end()
	})
}

type progressShow struct {
	Promo string `arg:"" help:"Its promo code."`
}

// Run prints a promotion.
func (s *progressShow) Run(ctx context.Context, stdout io.Writer, c *Command) error {
	return c.showFlow(ctx, stdout, http.MethodGet, "/v1/flow/promotions/"+url.PathEscape(s.Promo), nil)
}

// shopper names a shopper, as books account does.
type shopper struct {
	Card    string           `arg:"" optional:"" help:"Card number."`
	Account record.AccountID `placeholder:"HEX" help:"The account itself: 32 hexadecimal digits, in place of CARD."`
}

func (s *shopper) question() (gateway.AccountQuestion, error) {
	q := gateway.AccountQuestion{Card: s.Card}
	if (s.Card == "") == s.Account.IsZero() {
		return q, errors.New("whose? Give either CARD or --account HEX")
	}
	if s.Card == "" {
		q.Account = s.Account.String()
	}
	return q, nil
}

type progressJoin struct {
	Promo   string  `arg:"" help:"The promotion's promo code."`
	Shopper shopper `embed:""`
}

// Run has a shopper take part.
func (j *progressJoin) Run(ctx context.Context, stdout io.Writer, c *Command) error {
	who, err := j.Shopper.question()
	if err != nil {
		return err
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	var done gateway.OptedIn
	q := gateway.OptInQuestion{Card: who.Card, Account: who.Account, PromoCode: j.Promo}
	if err := client.first(ctx, http.MethodPost, "/v1/flow/opt-in", q, &done); err != nil {
		return c.advise(err)
	}
	return c.print(stdout, done, func(b *bytes.Buffer) {
		fmt.Fprintf(b, "account %s takes part in %s: what it buys from now on counts\n", done.Account, done.PromoCode)
	})
}

type progressOf struct {
	Shopper shopper `embed:""`
}

// Run prints how far a shopper is.
func (o *progressOf) Run(ctx context.Context, stdout io.Writer, c *Command) error {
	who, err := o.Shopper.question()
	if err != nil {
		return err
	}
	return c.showFlow(ctx, stdout, http.MethodPost, "/v1/flow/progress", who)
}

type flowSettingsCommand struct {
	Put  flowSettingsPut  `cmd:"" help:"Put the settings: a higher revision than what is there."`
	Show flowSettingsShow `cmd:"" help:"Print them, with what is by default. Revision 0: none were put."`
}

type flowSettingsPut struct {
	File string `arg:"" help:"YAML or JSON; - is standard input."`
}

// Run puts the settings.
func (p *flowSettingsPut) Run(ctx context.Context, stdout io.Writer, c *Command) error {
	return c.putFlow(ctx, stdout, "/v1/flow/settings", p.File)
}

type flowSettingsShow struct{}

// Run prints the settings.
func (*flowSettingsShow) Run(ctx context.Context, stdout io.Writer, c *Command) error {
	return c.showFlow(ctx, stdout, http.MethodGet, "/v1/flow/settings", nil)
}

type flowTemplatesCommand struct {
	Put  templatePut  `cmd:"" help:"Put a message template."`
	Ls   templateList `cmd:"" help:"List them."`
	Show templateShow `cmd:"" help:"Print one."`
}

type templateName struct {
	Tag      string `arg:"" help:"The tag by which messages find it."`
	Language string `arg:"" help:"Its language, such as en or en-GB."`
}

func (n *templateName) path() string {
	return "/v1/flow/templates/" + url.PathEscape(n.Tag) + "/" + url.PathEscape(n.Language)
}

type templatePut struct {
	Name templateName `embed:""`
	File string       `arg:"" help:"JSON; - is standard input."`
}

// Run puts a template.
func (p *templatePut) Run(ctx context.Context, stdout io.Writer, c *Command) error {
	return c.putFlow(ctx, stdout, p.Name.path(), p.File)
}

type templateList struct{}

// Run prints a line for each template.
func (*templateList) Run(ctx context.Context, stdout io.Writer, c *Command) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	var all gateway.Templates
	if err := client.first(ctx, http.MethodGet, "/v1/flow/templates", nil, &all); err != nil {
		return c.advise(err)
	}
	return c.print(stdout, all, func(b *bytes.Buffer) {
		t := newTable(b)
		t.row("TAG", "LANGUAGE")
		for _, n := range all.Templates {
			t.row(n.Tag, n.Language)
		}
		t.end()
	})
}

type templateShow struct {
	Name templateName `embed:""`
}

// Run prints a template.
func (s *templateShow) Run(ctx context.Context, stdout io.Writer, c *Command) error {
	return c.showFlow(ctx, stdout, http.MethodGet, s.Name.path(), nil)
}
