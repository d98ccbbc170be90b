package ops

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"tillstream/central/gateway"
)

// Verified is what the nodes found in their books.
type Verified struct {
	Nodes []gateway.Verification `json:"nodes"`
}

// ErrWrong means that books break a law, or that nodes differ.
var ErrWrong = errors.New("the books are wrong")

// Verify has every node count its books again, and compares nodes that are at the same entry. Nodes at
// different entries are each verified; their digests cannot be compared. A node that does not answer is
// an error too, after the others have been asked.
func Verify(ctx context.Context, c Client) (Verified, error) {
	var out Verified
	if len(c.URLs) == 0 {
		return out, errNoNode
	}
	var errs []error
	for _, url := range c.URLs {
		var v gateway.Verification
		if err := c.askFor(ctx, verifyLimit, url, http.MethodPost, "/v1/books/verify", nil, &v); err != nil {
			errs = append(errs, err)
			continue
		}
		for _, w := range v.Wrong {
			errs = append(errs, fmt.Errorf("%w: node %s: %s", ErrWrong, v.Node, w))
		}
		for _, o := range out.Nodes {
			errs = append(errs, compare(o, v))
		}
		out.Nodes = append(out.Nodes, v)
	}
	return out, errors.Join(errs...)
}

// compare holds two nodes to each other where that can be done.
func compare(a, b gateway.Verification) error {
	switch {
	case a.Entry != b.Entry:
		return nil
	case a.Generation != b.Generation:
		return fmt.Errorf("%w: nodes %s and %s are at entry %d of different journals", ErrWrong, a.Node, b.Node, a.Entry)
	case a.Digest != b.Digest:
		return fmt.Errorf("%w: nodes %s and %s differ at entry %d", ErrWrong, a.Node, b.Node, a.Entry)
	}
	return nil
}

// level reports whether all nodes are at one entry, so that all were compared.
func (v Verified) level() bool {
	for _, n := range v.Nodes {
		if n.Entry != v.Nodes[0].Entry {
			return false
		}
	}
	return true
}
