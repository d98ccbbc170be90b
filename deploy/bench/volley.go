package bench

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"tillstream/deploy/fleet"
)

// volley sends requests to a URL by so many callers at once, each over a connection of its own that is kept
// alive, and gives how long each answer took, and all of them. An answer's body is good until heard returns.
func volley(ctx context.Context, url string, asks [][]byte, callers int, heard func(fleet.Answer) error) ([]time.Duration, time.Duration, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	took := make([]time.Duration, len(asks))
	var next atomic.Int64
	var wg sync.WaitGroup
	began := time.Now()
	for range callers {
		wg.Go(func() {
			pos := fleet.NewPOS(url)
			defer pos.Close() //nolint:errcheck // it has heard all it asked for
			for i := next.Add(1) - 1; int(i) < len(asks) && ctx.Err() == nil; i = next.Add(1) - 1 {
				start := time.Now()
				a, err := pos.Ask(ctx, asks[i])
				took[i] = time.Since(start)
				if err == nil {
					err = heard(a)
				}
				if err != nil {
					cancel(err)
					return
				}
			}
		})
	}
	wg.Wait()
	return took, time.Since(began), context.Cause(ctx)
}

// answered refuses what is not 200.
func answered(a fleet.Answer) error {
	if a.Status != http.StatusOK {
		return fmt.Errorf("a node answers %d %.200s", a.Status, a.Body)
	}
	return nil
}

// request is a POS's request of a path of a node, as it is sent.
func request(url, path string, body []byte) []byte {
	b := fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %s\r\n\r\n",
		path, strings.TrimPrefix(url, "http://"), fleet.Token(), strconv.Itoa(len(body)))
	return append(b, body...)
}
