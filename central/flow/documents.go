package flow

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"tillstream/kv"
	"tillstream/kv/progress"
	"tillstream/kv/record"
	"tillstream/subjects"
)

// Documents is this node's copy of the flow's documents: progress promotions, settings, message templates. It
// follows the bucket; components ask it for each event.
type Documents struct {
	net subjects.Net
	js  jetstream.JetStream
	log *slog.Logger

	mu         sync.RWMutex
	settings   progress.Settings                        // guarded by mu
	promotions map[record.PromoCode]*progress.Promotion // guarded by mu; never changed, only replaced
	templates  map[string][]byte                        // guarded by mu: by key
	revisions  map[string]uint64                        // guarded by mu: of the bucket, by key
	loaded     bool                                     // guarded by mu
	changed    chan struct{}                            // guarded by mu: closed with the next change
}

// NewDocuments makes Documents with the default settings and nothing else.
func NewDocuments(net subjects.Net, js jetstream.JetStream, log *slog.Logger) *Documents {
	return &Documents{
		net: net, js: js, log: log, settings: progress.Defaults(),
		promotions: map[record.PromoCode]*progress.Promotion{}, templates: map[string][]byte{},
		revisions: map[string]uint64{}, changed: make(chan struct{}),
	}
}

// Run follows the bucket until ctx ends.
func (d *Documents) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := d.follow(ctx); err != nil && ctx.Err() == nil {
			d.log.Debug("follow the flow's documents", "err", err)
			select {
			case <-time.After(200 * time.Millisecond):
			case <-ctx.Done():
			}
		}
	}
	return nil
}

func (d *Documents) follow(ctx context.Context) error {
	bucket, err := kv.Open(ctx, d.js, kv.Flow(d.net.Brand))
	if err != nil {
		return err
	}
	keys, err := bucket.Keys(ctx, ">")
	if err != nil && !errors.Is(err, jetstream.ErrNoKeysFound) {
		return err
	}
	for _, key := range keys {
		r, err := bucket.Get(ctx, key)
		if err != nil {
			return err
		}
		r.Key = key
		d.take(r)
	}
	d.mu.Lock()
	d.loaded = true
	d.signal()
	d.mu.Unlock()
	return bucket.Watch(ctx, ">", func(r kv.Record) error { d.take(r); return nil })
}

// signal wakes those who wait for a change; called with mu held.
func (d *Documents) signal() {
	close(d.changed)
	d.changed = make(chan struct{})
}

// take replaces a document. One that cannot be read was put around ops: what was there stays.
func (d *Documents) take(r kv.Record) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.revisions[r.Key] >= r.Revision {
		return
	}
	var err error
	switch kind, _, _ := strings.Cut(r.Key, "."); {
	case r.Key == kv.FlowSettings:
		var s progress.Settings
		if s, err = progress.ReadSettings(r.Value); err == nil {
			d.settings = s
		}
	case kind == "pph":
		var p progress.Promotion
		if p, err = progress.ReadPromotion(r.Value); err == nil {
			d.promotions[p.Code] = &p
		}
	case kind == "csl":
		d.templates[r.Key] = bytes.Clone(r.Value)
	}
	if err != nil {
		d.log.Error("a document of the flow cannot be read: the one before stays", "key", r.Key, "err", err)
	}
	d.revisions[r.Key] = r.Revision
	d.signal()
}

// Wait returns once the documents are there, or with ctx's error.
func (d *Documents) Wait(ctx context.Context) error {
	return d.until(ctx, func() bool { return d.loaded })
}

// until waits for what is asked under mu.
func (d *Documents) until(ctx context.Context, is func() bool) error {
	for {
		d.mu.RLock()
		done, changed := is(), d.changed
		d.mu.RUnlock()
		if done {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("wait for the flow's documents: %w", context.Cause(ctx))
		}
	}
}

// Settings gives the brand's flavour.
func (d *Documents) Settings() progress.Settings {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.settings
}

// Promotion finds a progress promotion; it must not be changed.
func (d *Documents) Promotion(code record.PromoCode) (*progress.Promotion, bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	p, ok := d.promotions[code]
	return p, ok
}

// Promotions gives all, in the order of their codes.
func (d *Documents) Promotions() []*progress.Promotion {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return slices.SortedFunc(maps.Values(d.promotions), func(a, b *progress.Promotion) int {
		return strings.Compare(a.Code.String(), b.Code.String())
	})
}

// Template gives a message template's document; it must not be changed.
func (d *Documents) Template(tag, language string) ([]byte, bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	t, ok := d.templates[kv.TemplateKey(tag, language)]
	return t, ok
}

// Put stores a document that was checked, and returns when this node has it.
func (d *Documents) Put(ctx context.Context, key string, document []byte) error {
	bucket, err := kv.Open(ctx, d.js, kv.Flow(d.net.Brand))
	if err != nil {
		return err
	}
	d.mu.RLock()
	was := d.revisions[key]
	d.mu.RUnlock()
	revision, err := bucket.Put(ctx, key, document, was)
	if err != nil {
		return err
	}
	return d.until(ctx, func() bool { return d.revisions[key] >= revision })
}

// PutPromotion checks and stores a progress promotion, JSON or YAML.
func (d *Documents) PutPromotion(ctx context.Context, document []byte) (progress.Promotion, error) {
	p, err := progress.ReadPromotion(document)
	if err != nil {
		return p, err
	}
	if now, ok := d.Promotion(p.Code); ok && p.Revision <= now.Revision {
		return p, fmt.Errorf("progress promotion %s: revision: there is %d, want more", p.Code, now.Revision)
	}
	return p, d.Put(ctx, kv.PromoKey(p.Code), document)
}

// PutSettings checks and stores the brand's flavour, JSON or YAML.
func (d *Documents) PutSettings(ctx context.Context, document []byte) (progress.Settings, error) {
	s, err := progress.ReadSettings(document)
	if err != nil {
		return s, err
	}
	return s, d.Put(ctx, kv.FlowSettings, document)
}
