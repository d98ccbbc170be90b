package ops

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"tillstream/central/gateway"
	"tillstream/central/reference"
)

// importLimit is how long a node may take over a file.
const importLimit = 5 * time.Minute

type itemsCommand struct {
	Import importCommand    `cmd:"" help:"Take in a file of items: all of it, or nothing if a line is wrong."`
	Ls     itemsListCommand `cmd:"" help:"List items by code."`
	Show   itemShowCommand  `cmd:"" help:"Print an item."`
}

type importCommand struct {
	File    string `arg:"" help:"CSV, or NDJSON if its name ends in .ndjson or .jsonl; - is standard input. Its columns: see the README."`
	Format  string `enum:"csv,ndjson," default:"" help:"csv or ndjson, whatever the file's name."`
	Replace bool   `help:"Items that are not in the file are taken away."`
	Check   bool   `help:"Say what would change, and change nothing."`
}

// Run sends the file and prints how much has changed.
func (i *importCommand) Run(ctx context.Context, stdout io.Writer, c *Command) error {
	b, err := readFile(i.File)
	if err != nil {
		return err
	}
	format := i.Format
	if format == "" {
		format = string(reference.CSV)
		switch strings.ToLower(filepath.Ext(i.File)) {
		case ".ndjson", ".jsonl":
			format = string(reference.NDJSON)
		}
	}
	q := url.Values{"format": {format}}
	if i.Replace {
		q.Set("replace", "true")
	}
	return c.change(ctx, stdout, http.MethodPost, "/v1/items/import", q, i.Check, file(b))
}

func readFile(path string) ([]byte, error) {
	if path == "-" {
		return io.ReadAll(os.Stdin)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	return b, nil
}

// change asks a node for a change and prints what came of it.
func (c *Command) change(ctx context.Context, stdout io.Writer, method, path string, q url.Values, check bool, b file) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	if check {
		q.Set("check", "true")
	}
	if len(q) > 0 {
		path += "?" + q.Encode()
	}
	var question any
	if b != nil {
		question = b
	}
	var answer gateway.Changed
	if err := client.firstFor(ctx, importLimit, method, path, question, &answer); err != nil {
		return c.advise(err)
	}
	return c.print(stdout, answer, func(b *bytes.Buffer) {
		done := "done: "
		if answer.Checked {
			done = "it would be: "
		}
		fmt.Fprintf(b, "%s%d new, %d changed, %d removed, %d as they were; revision %d\n",
			done, answer.New, answer.Changed, answer.Removed, answer.Unchanged, answer.Entry)
	})
}

type itemsListCommand struct {
	After string `placeholder:"CODE" help:"Go on after this code."`
}

// Run prints up to 1,000 items.
func (l *itemsListCommand) Run(ctx context.Context, stdout io.Writer, c *Command) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	var answer gateway.Items
	if err := client.first(ctx, http.MethodGet, "/v1/items?"+url.Values{"after": {l.After}}.Encode(), nil, &answer); err != nil {
		return c.advise(err)
	}
	return c.print(stdout, answer, func(b *bytes.Buffer) {
		t := newTable(b)
		t.row("CODE", "NAME", "CATEGORY", "UNIT", "AGE", "NO DISCOUNT", "NO POINTS")
		for _, i := range answer.Items {
			t.row(i.Code, i.Name, orDash(i.Category), i.Unit, i.MinAge, yes(i.NoDiscount), yes(i.NoPoints))
		}
		t.end()
		more(b, "items", answer.Next)
	})
}

// more says where a list goes on.
func more(b *bytes.Buffer, what, next string) {
	if next != "" {
		fmt.Fprintf(b, "there is more: tillstream ops %s ls --after %s\n", what, next)
	}
}

type itemShowCommand struct {
	Code string `arg:"" help:"Its code, as on the label or as the chain has it."`
}

// Run prints an item.
func (s *itemShowCommand) Run(ctx context.Context, stdout io.Writer, c *Command) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	var i gateway.Item
	if err := client.first(ctx, http.MethodGet, "/v1/items/"+url.PathEscape(s.Code), nil, &i); err != nil {
		return c.advise(err)
	}
	return c.print(stdout, i, func(b *bytes.Buffer) {
		t := newTable(b)
		t.row("code", i.Code)
		t.row("name", i.Name)
		t.row("category", orDash(i.Category))
		t.row("tags", orDash(strings.Join(i.Tags, " ")))
		t.row("unit", i.Unit)
		t.row("min age", i.MinAge)
		t.row("floor price", i.FloorPrice)
		t.row("no discount", yes(i.NoDiscount))
		t.row("no points", yes(i.NoPoints))
		t.row("revision", i.Entry)
		t.row("changed", i.At.Format(time.RFC3339))
		t.end()
	})
}
