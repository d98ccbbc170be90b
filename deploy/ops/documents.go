package ops

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/alecthomas/kong"

	"tillstream/central/gateway"
)

type promotionsCommand struct {
	Put  documentPut  `cmd:"" help:"Put promotions: new ones, or a higher revision of one that is there. All of a file, or nothing."`
	Ls   documentList `cmd:"" help:"List promotions."`
	Show documentShow `cmd:"" help:"Print a promotion's document."`
	Stop documentStop `cmd:"" help:"End a promotion now, by a next revision with the state \"ended\"."`
	Rm   documentRm   `cmd:"" help:"Take a promotion away. One that has been out is better stopped: tills then say that it has ended."`
}

type documentsCommand struct {
	Put  documentPut  `cmd:"" help:"Put documents: new ones, or a higher revision of one that is there. All of a file, or nothing."`
	Ls   documentList `cmd:"" help:"List them."`
	Show documentShow `cmd:"" help:"Print one."`
	Rm   documentRm   `cmd:"" help:"Take one away."`
}

// kindOf is the word that stands before a command: promotions, sets or settings.
func kindOf(k *kong.Context) string { return k.Selected().Parent.Name }

type documentPut struct {
	File  string `arg:"" help:"YAML or JSON: one document or a list; - is standard input."`
	Check bool   `help:"Say what would change, and change nothing."`
}

// Run sends the file and prints how much has changed.
func (p *documentPut) Run(ctx context.Context, k *kong.Context, stdout io.Writer, c *Command) error {
	b, err := readFile(p.File)
	if err != nil {
		return err
	}
	return c.change(ctx, stdout, http.MethodPost, "/v1/"+kindOf(k), url.Values{}, p.Check, file(b))
}

type documentList struct {
	After string `placeholder:"ID" help:"Go on after this id."`
}

// Run prints up to 1,000 documents, a line each.
func (l *documentList) Run(ctx context.Context, k *kong.Context, stdout io.Writer, c *Command) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	var answer gateway.Documents
	if err := client.first(ctx, http.MethodGet, "/v1/"+kindOf(k)+"?"+url.Values{"after": {l.After}}.Encode(), nil, &answer); err != nil {
		return c.advise(err)
	}
	return c.print(stdout, answer, func(b *bytes.Buffer) {
		t := newTable(b)
		t.row("ID", "REVISION", "STATE", "NAME", "CHANGED")
		for _, d := range answer.Documents {
			var head struct {
				Revision int64  `json:"revision"`
				State    string `json:"state"`
				Name     string `json:"name"`
			}
			_ = json.Unmarshal(d.Document, &head) // a field of another type is printed as not there
			t.row(d.ID, head.Revision, orDash(head.State), orDash(head.Name), d.At.Format(time.RFC3339))
		}
		t.end()
		more(b, kindOf(k), answer.Next)
	})
}

type documentShow struct {
	ID string `arg:"" help:"Its id."`
}

// Run prints a document.
func (s *documentShow) Run(ctx context.Context, k *kong.Context, stdout io.Writer, c *Command) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	var d gateway.Document
	if err := client.first(ctx, http.MethodGet, "/v1/"+kindOf(k)+"/"+url.PathEscape(s.ID), nil, &d); err != nil {
		return c.advise(err)
	}
	return c.print(stdout, d, func(b *bytes.Buffer) {
		if err := json.Indent(b, d.Document, "", "  "); err != nil {
			fmt.Fprintf(b, "%s", d.Document)
		}
		b.WriteByte('\n')
	})
}

type documentStop struct {
	ID string `arg:"" help:"Its id."`
}

// Run ends a promotion.
func (s *documentStop) Run(ctx context.Context, stdout io.Writer, c *Command) error {
	return c.change(ctx, stdout, http.MethodPost, "/v1/promotions/"+url.PathEscape(s.ID)+"/stop", url.Values{}, false, nil)
}

type documentRm struct {
	ID string `arg:"" help:"Its id."`
}

// Run takes a document away.
func (r *documentRm) Run(ctx context.Context, k *kong.Context, stdout io.Writer, c *Command) error {
	return c.change(ctx, stdout, http.MethodDelete, "/v1/"+kindOf(k)+"/"+url.PathEscape(r.ID), url.Values{}, false, nil)
}
