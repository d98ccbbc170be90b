package bench

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"testing"

	"tillstream/deploy/fleet"
	"tillstream/edge/api"
)

// What a till's process does in the bench: the node answers with shoppers of the cache that was filled for it,
// the echo with as many bytes as it is asked for, and both end with the input.
func TestServedTill(t *testing.T) {
	t.Parallel()
	cfg, config, err := cacheNode(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fillCache(cfg, 100); err != nil {
		t.Fatal(err)
	}
	in, say := io.Pipe()
	hear, out := io.Pipe()
	var wg sync.WaitGroup
	var ended error
	wg.Go(func() {
		ended = serveTill(t.Context(), config, in, out, slog.New(slog.NewTextHandler(t.Output(), nil)))
		if err := out.CloseWithError(io.EOF); err != nil {
			t.Error(err)
		}
	})
	lines := bufio.NewReader(hear)
	ask := func(line string) (d doors) {
		t.Helper()
		if _, err := fmt.Fprintln(say, line); err != nil {
			t.Fatal(err)
		}
		text, err := lines.ReadBytes('\n')
		if err == nil {
			err = json.Unmarshal(text, &d)
		}
		if err != nil || d.Error != "" {
			t.Fatalf("%s: %v %s", line, err, text)
		}
		return d
	}
	d := ask(askDoors)
	body := []byte(`{"identifier":{"kind":"card","value":"` + shopperCard(42) + `"}}`)
	_, _, err = volley(t.Context(), d.Node, [][]byte{request(d.Node, "/v1/lookups", body)}, 1, func(a fleet.Answer) error {
		var s api.Shopper
		if err := json.Unmarshal(a.Body, &s); err != nil || a.Status != http.StatusOK || !s.Known || *s.Points.Available != 42 {
			t.Errorf("look-up: %d %s, %v", a.Status, a.Body, err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	_, _, err = volley(t.Context(), d.Echo, [][]byte{request(d.Echo, "/1234", body)}, 1, func(a fleet.Answer) error {
		if a.Status != http.StatusOK || len(a.Body) != 1234 {
			t.Errorf("echo: %d, %d bytes", a.Status, len(a.Body))
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if m := ask(askMemory); m.Allocations == 0 || m.Allocated == 0 {
		t.Errorf("memory: %+v", m)
	}
	if err := say.Close(); err != nil {
		t.Error(err)
	}
	wg.Wait()
	if ended != nil {
		t.Error(ended)
	}
}
