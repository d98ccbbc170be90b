package fleet

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
)

// PutFlow gives the centre a document of the flow, JSON or YAML, as ops does: "settings", "promotions" or
// "templates/{tag}/{language}". It is tried until ctx ends: the flow's stream may not be there yet.
func (f *Fleet) PutFlow(ctx context.Context, path string, document []byte) error {
	return f.await(ctx, "put "+path, func() error {
		n := f.centre[0].Node()
		if n == nil {
			return fmt.Errorf("%s is down", f.centre[0].Name())
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodPut, n.URL()+"/v1/flow/"+path, bytes.NewReader(document))
		if err != nil {
			return err
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		defer res.Body.Close() //nolint:errcheck // read to its end or given up
		said, err := io.ReadAll(res.Body)
		if err == nil && res.StatusCode != http.StatusOK {
			err = fmt.Errorf("%s: %s", res.Status, said)
		}
		return err
	})
}
