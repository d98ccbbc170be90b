package api

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"tillstream/kv/record"
	"tillstream/kv/seal"
)

// Bounds of suspended baskets.
const (
	maxBaskets  = 100
	basketsKeep = 24 * time.Hour
)

const basketSuffix = ".basket"

// baskets are the suspended baskets of this node: one sealed file each. They are worth little: a lost
// one is scanned again, and a disk put back to yesterday shows what has expired.
type baskets struct {
	dir  string
	ring *seal.Ring
	now  func() time.Time

	mu  sync.Mutex
	all map[record.RID]suspended
}

// suspended is what is known of a basket without reading it.
type suspended struct {
	at       time.Time
	pos      string
	lines    int
	training bool
	etag     string
}

// openBaskets reads what is there. A file that does not open is let go: the key is another, or the disk
// has damaged it.
func openBaskets(cfg *Config) (*baskets, error) {
	if cfg.Baskets == "" {
		return nil, nil
	}
	b := &baskets{dir: cfg.Baskets, ring: cfg.Ring, now: cfg.Now, all: map[record.RID]suspended{}}
	entries, err := os.ReadDir(b.dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) { // made with the first basket
		return nil, fmt.Errorf("read baskets: %w", err)
	}
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), basketSuffix)
		rid, err := record.ParseRID(name)
		if !ok || err != nil {
			continue
		}
		if err := b.load(rid); err != nil {
			cfg.Log.Warn("a suspended basket cannot be read and is let go", "rid", rid, "err", err)
			b.remove(rid, cfg.Log)
		}
	}
	return b, nil
}

func (b *baskets) load(rid record.RID) error {
	s, _, err := b.open(rid)
	if err == nil {
		b.all[rid] = s
	}
	return err
}

func (b *baskets) path(rid record.RID) string {
	return filepath.Join(b.dir, rid.String()+basketSuffix)
}

func (b *baskets) place(rid record.RID) []byte { return []byte("baskets/" + rid.String()) }

// open reads a file: the length of what is known of the basket, that, and the basket.
func (b *baskets) open(rid record.RID) (s suspended, body []byte, err error) {
	sealed, err := os.ReadFile(b.path(rid))
	if err != nil {
		return s, nil, err
	}
	text, err := b.ring.Open(b.place(rid), sealed)
	if err != nil {
		return s, nil, err
	}
	r := record.Reader{B: text}
	head := r.Blob()
	body = r.B
	if r.Err != nil {
		return s, nil, r.Err
	}
	var h basketHead
	if err := json.Unmarshal(head, &h); err != nil {
		return s, nil, fmt.Errorf("read a basket's head: %w", err)
	}
	return suspended{h.At, h.POS, h.Lines, h.Training, etagOf(body)}, body, nil
}

// basketHead is the first part of a file.
type basketHead struct {
	At       time.Time `json:"at"`
	POS      string    `json:"pos"`
	Lines    int       `json:"lines"`
	Training bool      `json:"training"`
}

func etagOf(body []byte) string {
	sum := sha256.Sum256(body)
	return `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
}

// drop lets go of what has expired. The mutex is held.
func (b *baskets) drop(log *slog.Logger) {
	for rid, s := range b.all {
		if b.now().Sub(s.at) >= basketsKeep {
			b.remove(rid, log)
		}
	}
}

func (b *baskets) remove(rid record.RID, log *slog.Logger) {
	delete(b.all, rid)
	if err := os.Remove(b.path(rid)); err != nil && !errors.Is(err, os.ErrNotExist) {
		log.Warn("a suspended basket's file stays behind", "rid", rid, "err", err)
	}
}

// put suspends a basket. fresh says that nothing lay there.
func (b *baskets) put(rid record.RID, s suspended, body []byte, match string, log *slog.Logger) (_ suspended, fresh bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.drop(log)
	s.at, s.etag = b.now().UTC(), etagOf(body)
	old, lies := b.all[rid]
	switch {
	case lies && old.etag == s.etag:
		return old, false, nil // sent again
	case lies && match != old.etag, !lies && match != "":
		return s, false, errTaken
	case !lies && len(b.all) >= maxBaskets:
		return s, false, errShelfFull
	}
	head, err := json.Marshal(basketHead{s.at, s.pos, s.lines, s.training})
	if err != nil {
		return s, false, err
	}
	text := append(binary.AppendUvarint(nil, uint64(len(head))), head...)
	if err := b.write(rid, b.ring.Seal(nil, b.place(rid), append(text, body...))); err != nil {
		return s, false, fmt.Errorf("%w: %w", errNoShelf, err)
	}
	b.all[rid] = s
	return s, !lies, nil
}

// write puts a whole file in the place of the one before, or leaves that.
func (b *baskets) write(rid record.RID, sealed []byte) error {
	if err := os.MkdirAll(b.dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(b.dir, "new*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(sealed)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), b.path(rid)) // from here on it is suspended
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// get reads a basket; take also takes it away. Of two that take it, one gets it.
func (b *baskets) get(rid record.RID, match string, take bool, log *slog.Logger) (suspended, []byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.drop(log)
	s, lies := b.all[rid]
	switch {
	case !lies:
		return s, nil, errNoBasket
	case match != "" && match != s.etag:
		return s, nil, errTaken
	}
	_, body, err := b.open(rid)
	if err != nil {
		return s, nil, fmt.Errorf("%w: %w", errNoShelf, err)
	}
	if take {
		b.remove(rid, log)
	}
	return s, bytes.Clone(body), nil
}

// list gives what is suspended, oldest first.
func (b *baskets) list(log *slog.Logger) []Suspended {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.drop(log)
	list := make([]Suspended, 0, len(b.all))
	for rid, s := range b.all {
		list = append(list, s.tell(rid))
	}
	slices.SortFunc(list, func(x, y Suspended) int {
		if c := x.At.Compare(y.At); c != 0 {
			return c
		}
		return strings.Compare(x.RID, y.RID)
	})
	return list
}

func (s *suspended) tell(rid record.RID) Suspended {
	return Suspended{
		RID: rid.String(), POS: s.pos, At: s.at, ExpiresAt: s.at.Add(basketsKeep), Lines: s.lines, Etag: s.etag, Training: s.training,
	}
}
