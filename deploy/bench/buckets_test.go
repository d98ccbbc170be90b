package bench

import (
	"log/slog"
	"path/filepath"
	"testing"
)

// The node whose buckets are weighed keeps what it was filled with over a restart, and shoppers who come get all that
// waits for them: what is read there is what MSQ and TIM write.
func TestBucketNode(t *testing.T) {
	t.Parallel()
	dir, log := filepath.Join(t.TempDir(), "data"), slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	for _, asks := range [][]bucketAsk{
		{{Tim: 100}, {Wait: 20}},
		{{Drain: 5}, {Drain: 15, From: 5}},
	} {
		n, err := openBuckets(t.Context(), dir, log)
		if err != nil {
			t.Fatal(err)
		}
		for _, ask := range asks {
			says, err := n.do(t.Context(), ask)
			if err != nil || len(says.Took) != ask.Drain {
				t.Errorf("%+v: got %+v, %v", ask, says, err)
			}
		}
		if err := n.close(); err != nil {
			t.Fatal(err)
		}
	}
}
