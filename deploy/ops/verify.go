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
// different entries are each verified; their digests cannot be compared.
func Verify(ctx context.Context, c Client) (Verified, error) {
	var out Verified
	if len(c.URLs) == 0 {
		return out, errors.New("no node of the centre is named")
	}
	var errs []error
	for _, url := range c.URLs {
		var v gateway.Verification
		if err := c.ask(ctx, url, http.MethodPost, "/v1/books/verify", nil, &v); err != nil {
			return out, err
		}
		for _, w := range v.Wrong {
			errs = append(errs, fmt.Errorf("%w: node %s: %s", ErrWrong, v.Node, w))
		}
		for _, o := range out.Nodes {
			if o.Entry == v.Entry && o.Digest != v.Digest {
				errs = append(errs, fmt.Errorf("%w: nodes %s and %s differ at entry %d", ErrWrong, o.Node, v.Node, v.Entry))
			}
		}
		out.Nodes = append(out.Nodes, v)
	}
	return out, errors.Join(errs...)
}
