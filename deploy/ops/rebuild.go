package ops

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"tillstream/central/archive"
	"tillstream/central/books"
	"tillstream/central/fold"
	"tillstream/kv/record"
)

type rebuildCommand struct {
	Archive string `placeholder:"DIR" help:"From an archive, or a copy of one, in place of the running centre; needs --key."`
	Key     string `placeholder:"PUBLIC" help:"Public half of the key that signed the archive."`
	At      uint64 `placeholder:"ENTRY" help:"Print the digest at this entry too."`
}

// Run makes the books again and prints what it compared them with.
func (r *rebuildCommand) Run(ctx context.Context, stdout io.Writer, c *Command) error {
	if (r.Archive == "") != (r.Key == "") {
		return errors.New("--archive DIR and --key PUBLIC go together")
	}
	var out Rebuilt
	var found error
	if r.Archive != "" {
		out, found = RebuildFromArchive(r.Archive, r.Key)
	} else {
		client, err := c.client()
		if err != nil {
			return err
		}
		out, found = Rebuild(ctx, client)
	}
	if out.Entry == 0 {
		return c.advise(errors.Join(found, errEmptyJournal))
	}
	if r.At > out.Entry {
		found = errors.Join(found, fmt.Errorf("entry %d: the journal ends at %d", r.At, out.Entry))
	} else if r.At > 0 {
		out.At, out.DigestAt = r.At, out.digests[r.At-1].String()
	}
	if err := c.print(stdout, out, func(b *bytes.Buffer) { printRebuilt(b, out, found) }); err != nil {
		return err
	}
	return c.advise(found)
}

var errEmptyJournal = errors.New("there is no entry to make books of")

// Rebuilt is what the journal makes, and what was compared with it.
type Rebuilt struct {
	Generation string       `json:"generation"`
	Entry      uint64       `json:"entry"`
	Digest     string       `json:"digest"`
	Accounts   int          `json:"accounts"`
	Totals     books.Totals `json:"totals"`
	Compared   []Comparison `json:"compared"`
	At         uint64       `json:"at,omitempty"`
	DigestAt   string       `json:"digest_at,omitempty"`

	digests []record.Hash // at each entry
}

// Comparison is a digest that the books made again were held to.
type Comparison struct {
	With   string `json:"with"` // a node, or a checkpoint
	Entry  uint64 `json:"entry"`
	Digest string `json:"digest"`
	Same   bool   `json:"same"`
}

// rebuilding folds entries into empty books.
type rebuilding struct {
	books *books.Books
	tip   fold.Tip
	Rebuilt
}

func newRebuilding() *rebuilding { return &rebuilding{books: books.New()} }

// add folds the next entry.
func (r *rebuilding) add(e *fold.Entry) error {
	if err := r.tip.Check(e); err != nil {
		return fmt.Errorf("make the books again: %w", err)
	}
	if err := e.Open(false); err != nil {
		return fmt.Errorf("make the books again: %w", err)
	}
	var fx fold.Effects
	r.books.Apply(e, &fx)
	r.tip = e.Tip()
	r.digests = append(r.digests, r.books.Digest())
	return nil
}

// compare holds the digest at an entry to another's; the entry has been folded.
func (r *rebuilding) compare(with string, entry uint64, digest string) error {
	same := r.digests[entry-1].String() == digest
	r.Compared = append(r.Compared, Comparison{with, entry, digest, same})
	if !same {
		return fmt.Errorf("%w: %s has another digest at entry %d than the journal makes", ErrWrong, with, entry)
	}
	return nil
}

func (r *rebuilding) end() Rebuilt {
	r.Generation, r.Entry, r.Digest = r.tip.Generation.String(), r.tip.Number, r.books.Digest().String()
	r.Accounts, r.Totals = r.books.Accounts(), r.books.Totals()
	return r.Rebuilt
}

// Rebuild folds the journal of a running centre into empty books, and compares them with those of every
// node at the entry where that node is.
func Rebuild(ctx context.Context, c Client) (Rebuilt, error) {
	r := newRebuilding()
	if err := r.pull(ctx, c); err != nil {
		return r.end(), err
	}
	nodes, err := c.Status(ctx)
	errs := []error{err}
	for _, n := range nodes {
		if n.Entry > r.tip.Number { // it has gone on meanwhile
			if err := r.pull(ctx, c); err != nil {
				return r.end(), errors.Join(append(errs, err)...)
			}
		}
		switch {
		case n.Entry == 0 || n.Entry > r.tip.Number:
			errs = append(errs, fmt.Errorf("%w: node %s is at entry %d, the journal ends at %d", ErrWrong, n.Node, n.Entry, r.tip.Number))
		default:
			errs = append(errs, r.compare("node "+n.Node, n.Entry, n.Digest))
		}
	}
	return r.end(), errors.Join(errs...)
}

// pull folds all that the journal has now.
func (r *rebuilding) pull(ctx context.Context, c Client) error {
	for {
		segment, err := c.Journal(ctx, r.tip.Number)
		if err != nil {
			return err
		}
		in, err := archive.NewReader(bytes.NewReader(segment), r.tip)
		if err != nil {
			return fmt.Errorf("entries after %d: %w", r.tip.Number, err)
		}
		before := r.tip.Number
		for {
			_, e, err := in.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err == nil {
				err = r.add(e)
			}
			if err != nil {
				return fmt.Errorf("entry %d: %w", r.tip.Number+1, err)
			}
		}
		if r.tip.Number == before {
			return nil
		}
	}
}

// RebuildFromArchive verifies an archive, folds it into empty books, and compares them with the digest
// of each checkpoint.
func RebuildFromArchive(dir, key string) (Rebuilt, error) {
	r := newRebuilding()
	var wrong []error
	report, err := archive.Verify(dir, key, func(e *fold.Entry, c *archive.Checkpoint) error {
		if e != nil {
			return r.add(e)
		}
		if c.Digest != (record.Hash{}) {
			wrong = append(wrong, r.compare(fmt.Sprintf("checkpoint of entry %d", c.First), c.Last, c.Digest.String()))
		}
		return nil
	})
	return r.end(), errors.Join(append(wrong, report.Err(), err)...)
}

func printRebuilt(b *bytes.Buffer, r Rebuilt, found error) {
	fmt.Fprintf(b, "the journal's %d entries make books of %d accounts and %d receipts, digest %s\n",
		r.Entry, r.Accounts, r.Totals.Posted, r.Digest)
	if r.At > 0 {
		fmt.Fprintf(b, "digest at entry %d: %s\n", r.At, r.DigestAt)
	}
	t := newTable(b)
	t.row("COMPARED WITH", "ENTRY", "DIGEST", "SAME")
	for _, c := range r.Compared {
		t.row(c.With, c.Entry, prefix(c.Digest), yes(c.Same))
	}
	t.end()
	if found == nil && len(r.Compared) > 0 {
		b.WriteString("the books are what the journal makes\n")
	}
}
