package ops

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"tillstream/central/gateway"
	"tillstream/central/streams"
)

type streamsCommand struct {
	Plan  planCommand  `cmd:"" help:"Print what differs between the streams that are and those that should be. Changes nothing."`
	Apply applyCommand `cmd:"" help:"Print the plan and carry it out. Deletes nothing, and leaves what JetStream cannot change in place."`
}

type planCommand struct{}

// Run prints the plan; a plan with changes is no error.
func (*planCommand) Run(ctx context.Context, stdout io.Writer, c *Command) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	plan, err := client.Plan(ctx)
	if err != nil {
		return c.advise(err)
	}
	return c.print(stdout, plan, func(b *bytes.Buffer) {
		printPlan(b, plan.Changes)
		next(b, plan.Changes)
	})
}

func printPlan(b *bytes.Buffer, plan []streams.Change) {
	if len(plan) == 0 {
		b.WriteString("the streams are as they should be: nothing to do\n")
		return
	}
	for _, ch := range plan {
		fmt.Fprintf(b, "plan: %s\n", ch)
	}
}

// next says what to do about a plan.
func next(b *bytes.Buffer, plan []streams.Change) {
	if slices.ContainsFunc(plan, func(ch streams.Change) bool { return !isFixed(ch) }) {
		b.WriteString("to carry it out: tillstream ops streams apply\n")
	}
	if slices.ContainsFunc(plan, isFixed) {
		b.WriteString("what is \"fixed\" JetStream cannot change on a stream that exists: apply leaves it\n")
	}
}

func isFixed(ch streams.Change) bool { return ch.Action == streams.Fixed }

type applyCommand struct{}

// Run prints the plan, carries it out, and prints what was done: what the plan named and a second plan
// does not. What is left is an error.
func (*applyCommand) Run(ctx context.Context, stdout io.Writer, c *Command) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	plan, err := client.Plan(ctx)
	if err != nil {
		return c.advise(err)
	}
	if nothing := len(plan.Changes) == 0; nothing || !c.JSON {
		err := c.print(stdout, plan, func(b *bytes.Buffer) { printPlan(b, plan.Changes) })
		if err != nil || nothing {
			return err
		}
	}
	answer, applied := client.Apply(ctx)
	left, err := client.Plan(ctx)
	if err != nil {
		return c.advise(errors.Join(applied, err))
	}
	if applied != nil { // the node gave no answer: what it did is the difference of the plans
		answer = gateway.Plan{Changes: without(plan.Changes, left.Changes)}
	}
	if err := c.print(stdout, answer, func(b *bytes.Buffer) {
		for _, ch := range answer.Changes {
			fmt.Fprintf(b, "done: %s\n", ch)
		}
	}); err != nil {
		return err
	}
	return c.advise(remaining(left.Changes, applied))
}

// remaining is the error of an application that left something. One that left nothing is none, whatever
// the node said.
func remaining(left []streams.Change, applied error) error {
	if len(left) == 0 {
		return nil
	}
	if applied != nil && !slices.ContainsFunc(left, func(ch streams.Change) bool { return !isFixed(ch) }) {
		applied = nil // it said only what is said here
	}
	var lines []string
	for _, ch := range left {
		lines = append(lines, ch.String())
	}
	err := fmt.Errorf("left as it was:\n  %s", strings.Join(lines, "\n  "))
	if slices.ContainsFunc(left, isFixed) {
		err = fmt.Errorf("%w\nJetStream cannot change what is \"fixed\" on a stream that exists, and a journal is never deleted to make it anew: an operator has to decide", err)
	}
	if applied != nil {
		err = fmt.Errorf("%w\n%w", applied, err)
	}
	return err
}

// without gives the changes of a plan that another does not name.
func without(plan, other []streams.Change) []streams.Change {
	return slices.DeleteFunc(slices.Clone(plan), func(ch streams.Change) bool { return slices.Contains(other, ch) })
}
