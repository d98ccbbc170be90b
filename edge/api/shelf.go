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
	"strings"
	"sync"
	"time"

	"tillstream/kv/record"
	"tillstream/kv/seal"
)

// Bounds of suspended baskets.
const (
	maxBaskets  = record.MaxSuspended
	basketsKeep = 24 * time.Hour
)

const basketSuffix = ".basket"

// ShelfConfig is what a Shelf is made of.
type ShelfConfig struct {
	Dir  string           // of the files; made with the first basket. Required.
	Ring *seal.Ring       // seals them. Required.
	Now  func() time.Time // nil: time.Now
	Log  *slog.Logger     // nil: silent
}

// Shelf has the baskets that are suspended on this node: one sealed file each. They are worth little: a lost
// one is scanned again, and a disk put back to yesterday shows what has expired. A store's node has those of its
// tills; a till's those that it suspended while it was cut off from its store.
type Shelf struct {
	cfg ShelfConfig

	mu   sync.Mutex
	all  map[record.RID]suspended
	gone map[record.RID]taken // by tills that asked; in memory only
	held []record.RID         // those of gone that have a body, oldest first
}

// suspended is what is known of a basket without reading it.
type suspended struct {
	at       time.Time
	till     string
	pos      string
	lines    int
	training bool
	etag     string
}

// OpenShelf reads what is there. A file that does not open is let go: the key is another, or the disk has
// damaged it.
func OpenShelf(cfg ShelfConfig) (*Shelf, error) {
	if cfg.Dir == "" || cfg.Ring == nil {
		return nil, errors.New("open shelf: directory and key ring are required")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	b := &Shelf{cfg: cfg, all: map[record.RID]suspended{}, gone: map[record.RID]taken{}}
	entries, err := os.ReadDir(b.cfg.Dir)
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
			b.remove(rid)
		}
	}
	return b, nil
}

func (b *Shelf) load(rid record.RID) error {
	s, _, err := b.open(rid)
	if err == nil {
		b.all[rid] = s
	}
	return err
}

func (b *Shelf) path(rid record.RID) string {
	return filepath.Join(b.cfg.Dir, rid.String()+basketSuffix)
}

func (b *Shelf) place(rid record.RID) []byte { return []byte("baskets/" + rid.String()) }

// open reads a file: the length of what is known of the basket, that, and the basket.
func (b *Shelf) open(rid record.RID) (s suspended, body []byte, err error) {
	sealed, err := os.ReadFile(b.path(rid))
	if err != nil {
		return s, nil, err
	}
	text, err := b.cfg.Ring.Open(b.place(rid), sealed)
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
	return suspended{h.At, h.Till, h.POS, h.Lines, h.Training, etagOf(body)}, body, nil
}

// basketHead is the first part of a file.
type basketHead struct {
	At       time.Time `json:"at"`
	Till     string    `json:"till"`
	POS      string    `json:"pos"`
	Lines    int       `json:"lines"`
	Training bool      `json:"training"`
}

func etagOf(body []byte) string {
	sum := sha256.Sum256(body)
	return `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
}

// drop lets go of what has expired. The mutex is held.
func (b *Shelf) drop() {
	for rid, s := range b.all {
		if b.cfg.Now().Sub(s.at) >= basketsKeep {
			b.remove(rid)
		}
	}
}

func (b *Shelf) remove(rid record.RID) {
	delete(b.all, rid)
	if err := os.Remove(b.path(rid)); err != nil && !errors.Is(err, os.ErrNotExist) {
		b.cfg.Log.Warn("a suspended basket's file stays behind", "rid", rid, "err", err)
	}
}

// put suspends a basket. fresh says that nothing lay there.
func (b *Shelf) put(rid record.RID, s suspended, body []byte, match string) (_ suspended, fresh bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.drop()
	s.at, s.etag = b.cfg.Now().UTC(), etagOf(body)
	old, lies := b.all[rid]
	switch {
	case lies && old.etag == s.etag:
		return old, false, nil // sent again
	case lies && match != old.etag, !lies && match != "":
		return s, false, errTaken
	case !lies && len(b.all) >= maxBaskets:
		return s, false, errShelfFull
	}
	head, err := json.Marshal(basketHead{s.at, s.till, s.pos, s.lines, s.training})
	if err != nil {
		return s, false, err
	}
	text := append(binary.AppendUvarint(nil, uint64(len(head))), head...)
	if err := b.write(rid, b.cfg.Ring.Seal(nil, b.place(rid), append(text, body...))); err != nil {
		return s, false, fmt.Errorf("%w: %w", errNoShelf, err)
	}
	b.all[rid] = s
	delete(b.gone, rid)
	return s, !lies, nil
}

// write puts a whole file in the place of the one before, or leaves that.
func (b *Shelf) write(rid record.RID, sealed []byte) error {
	if err := os.MkdirAll(b.cfg.Dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(b.cfg.Dir, "new*") // mode 0600
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

// get reads a basket; take also takes it away. The mutex is held.
func (b *Shelf) get(rid record.RID, match string, take bool) (suspended, []byte, error) {
	b.drop()
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
		b.remove(rid)
	}
	return s, bytes.Clone(body), nil
}

// list gives what is suspended, in no order.
func (b *Shelf) list() []record.SuspendedBasket {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.drop()
	list := make([]record.SuspendedBasket, 0, len(b.all))
	for rid, s := range b.all {
		list = append(list, s.tell(rid))
	}
	return list
}

// has reports whether a basket lies here.
func (b *Shelf) has(rid record.RID) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.drop()
	_, ok := b.all[rid]
	return ok
}

func (s *suspended) tell(rid record.RID) record.SuspendedBasket {
	return record.SuspendedBasket{
		RID: rid, At: s.at.UnixMilli(), Till: s.till, POS: s.pos, ETag: s.etag, Lines: uint32(s.lines), Training: s.training,
	}
}
