package flow

import (
	"context"
	"errors"
	"sync"
	"time"

	"tillstream/kv"
)

// Open opens a bucket, again until it is there. False: ctx has ended.
func (b *Base) Open(ctx context.Context, of kv.Bucket) (*kv.Store, bool) {
	for {
		bucket, err := kv.Open(ctx, b.JS, of)
		if err == nil {
			return bucket, true
		}
		b.Log.Debug("a bucket of the flow is not there yet", "err", err)
		if !Sleep(ctx, 200*time.Millisecond) {
			return nil, false
		}
	}
}

// Together runs the parts of a component until ctx ends, or one of them fails: that ends the others.
func Together(ctx context.Context, parts ...func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	for _, part := range parts {
		wg.Go(func() {
			if err := part(ctx); err != nil && ctx.Err() == nil {
				cancel(err)
			}
		})
	}
	wg.Wait()
	if err := context.Cause(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// Sleep waits; false: ctx has ended.
func Sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
