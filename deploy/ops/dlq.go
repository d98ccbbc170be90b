package ops

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"time"

	"tillstream/central/gateway"
)

type dlqCommand struct {
	Ls      dlqList    `cmd:"" help:"List dead letters, oldest first."`
	Show    dlqShow    `cmd:"" help:"Print one: why, its headers, its data."`
	Replay  dlqReplay  `cmd:"" help:"Put dead letters back where they came from, and take them away here. Mend first what the error says."`
	Discard dlqDiscard `cmd:"" help:"Take dead letters away for good."`
}

type dlqList struct {
	Stage string `placeholder:"STAGE" help:"Only of this stage: dec, tim, fred, bcg or msq."`
	After uint64 `placeholder:"SEQUENCE" help:"Go on after this one."`
	Limit int    `default:"100" help:"How many at most, up to 1000."`
}

// Run prints a line for each letter.
func (l *dlqList) Run(ctx context.Context, stdout io.Writer, c *Command) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	q := url.Values{"stage": {l.Stage}, "after": {fmt.Sprint(l.After)}, "limit": {fmt.Sprint(l.Limit)}}
	var answer gateway.DeadLetters
	if err := client.first(ctx, http.MethodGet, "/v1/flow/dead?"+q.Encode(), nil, &answer); err != nil {
		return c.advise(err)
	}
	return c.print(stdout, answer, func(b *bytes.Buffer) {
		if len(answer.Letters) == 0 {
			b.WriteString("no dead letters\n")
			return
		}
		printLetters(b, answer.Letters)
		if answer.Next != 0 {
			fmt.Fprintf(b, "and more: go on with --after %d\n", answer.Next)
		}
	})
}

func printLetters(b *bytes.Buffer, all []gateway.DeadLetter) {
	t := newTable(b)
	t.row("LETTER", "STAGE", "AT", "PROMO", "STATUS", "EVENT", "WHY")
	for _, l := range all {
		t.row(l.Sequence, l.Stage, l.At.Format(time.RFC3339), orDash(l.Promo), orDash(l.Status), orDash(l.Event), l.Error)
	}
	t.end()
}

type dlqShow struct {
	Sequence uint64 `arg:"" help:"The letter, as dlq ls numbers it."`
}

// Run prints a letter.
func (s *dlqShow) Run(ctx context.Context, stdout io.Writer, c *Command) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	var l gateway.DeadEvent
	if err := client.first(ctx, http.MethodGet, fmt.Sprintf("/v1/flow/dead/%d", s.Sequence), nil, &l); err != nil {
		return c.advise(err)
	}
	return c.print(stdout, l, func(b *bytes.Buffer) {
		t := newTable(b)
		t.row("letter", l.Sequence)
		t.row("stage", l.Stage)
		t.row("why", l.Error)
		t.row("at", fmt.Sprintf("%s, after %d tries", l.At.Format(time.RFC3339), l.Tries))
		t.row("came on", fmt.Sprintf("%s, %d of the flow's stream", l.Subject, l.Origin))
		t.end()
		b.WriteString("\n")
		names := make([]string, 0, len(l.Headers))
		for name := range l.Headers {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			for _, v := range l.Headers[name] {
				fmt.Fprintf(b, "%s: %s\n", name, v)
			}
		}
		if l.Base64 != "" {
			fmt.Fprintf(b, "\n%d bytes that are no text, as base64:\n%s\n", l.Bytes, l.Base64)
			return
		}
		fmt.Fprintf(b, "\n%s\n", l.Text)
	})
}

type dlqReplay struct {
	Sequences []uint64 `arg:"" optional:"" help:"Letters, as dlq ls numbers them."`
	Stage     string   `placeholder:"STAGE" help:"With --error, in place of numbers: letters of this stage."`
	Error     string   `placeholder:"TEXT" help:"Letters whose error has this text in it."`
	Limit     uint64   `default:"1000" help:"How many of those at most, up to 1000."`
}

// Run replays letters.
func (r *dlqReplay) Run(ctx context.Context, stdout io.Writer, c *Command) error {
	if (len(r.Sequences) == 0) == (r.Error == "" || r.Stage == "") || len(r.Sequences) > 0 && r.Stage+r.Error != "" {
		return errors.New("replay which? Give either numbers, or --stage STAGE and --error TEXT")
	}
	if len(r.Sequences) > 0 {
		return c.each(ctx, stdout, r.Sequences, http.MethodPost, "/replay", func(d gateway.Replayed) string {
			return fmt.Sprintf("letter %d is replayed on %s: %d of the flow's stream", d.Sequence, d.Subject, d.Now)
		})
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	var done gateway.AlikeReplayed
	q := gateway.AlikeQuestion{Stage: r.Stage, Error: r.Error, Limit: r.Limit}
	if err := client.first(ctx, http.MethodPost, "/v1/flow/dead/replay", q, &done); err != nil {
		return c.advise(err)
	}
	return c.print(stdout, done, func(b *bytes.Buffer) {
		fmt.Fprintf(b, "%d letters are replayed\n", done.Replayed)
		if done.More {
			b.WriteString("there are more: see whether these went well, and say it again\n")
		}
	})
}

type dlqDiscard struct {
	Sequences []uint64 `arg:"" help:"Letters, as dlq ls numbers them."`
}

// Run discards letters.
func (d *dlqDiscard) Run(ctx context.Context, stdout io.Writer, c *Command) error {
	return c.each(ctx, stdout, d.Sequences, http.MethodDelete, "", func(d gateway.Replayed) string {
		return fmt.Sprintf("letter %d is discarded", d.Sequence)
	})
}

// each does something to letters, one after the other, and ends at the first that it cannot be done to.
func (c *Command) each(ctx context.Context, stdout io.Writer, sequences []uint64, method, what string, say func(gateway.Replayed) string) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	for _, n := range sequences {
		var done gateway.Replayed
		if err := client.first(ctx, method, fmt.Sprintf("/v1/flow/dead/%d%s", n, what), nil, &done); err != nil {
			return c.advise(err)
		}
		if err := c.print(stdout, done, func(b *bytes.Buffer) { b.WriteString(say(done) + "\n") }); err != nil {
			return err
		}
	}
	return nil
}
