package soak

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"time"

	"tillstream/deploy/laws"
	"tillstream/edge/journal"
	"tillstream/kv/record"
	"tillstream/kv/seal"
)

// change is a disk that was replaced: the old one, the image in its place, the store's other journals as
// they were then.
type change struct {
	step     int
	node     target
	what     string
	at       time.Time
	disk     int64 // which of the node's disks was replaced
	dir      string
	image    *image
	imageDir string // empty: an empty disk took its place
	siblings map[target]string
}

// disks reads journals of disks that were replaced, away from the conductor.
type disks struct {
	w    *world
	todo chan *change
	wg   sync.WaitGroup // of the goroutine that reads
	left sync.WaitGroup // changes that are not read yet

	mu      sync.Mutex
	excused map[record.RID]excuse // guarded by mu
	found   []laws.Violation      // guarded by mu
	errs    []error               // guarded by mu
}

// atOnce bounds the changes that wait to be read.
const atOnce = 256

func newDisks(w *world) *disks {
	return &disks{w: w, todo: make(chan *change, atOnce), excused: map[record.RID]excuse{}}
}

// run reads what is to be read until close.
func (d *disks) run() {
	d.wg.Go(func() {
		for c := range d.todo {
			err := d.read(c)
			d.mu.Lock()
			if err != nil {
				d.errs = append(d.errs, err)
			}
			d.mu.Unlock()
		}
	})
}

func (d *disks) look(c *change) {
	d.left.Add(1)
	d.todo <- c
}

// excuse is the change that took the last copy of a receipt.
type excuse struct{ by *change }

func (e excuse) String() string {
	return fmt.Sprintf("its last copy was on the disk of %s, which %s at %s (step %d)", e.by.node, e.by.what, e.by.at.Format("15:04:05.000"), e.by.step)
}

// held is what a journal says of a receipt in it.
type held struct{ posted bool }

// readDisk reads the journal in a directory, and mends it where it is damaged, as a node would. None: an
// empty one.
func (d *disks) readDisk(t target, dir string) (map[record.RID]held, error) {
	out := map[record.RID]held{}
	path := filepath.Join(dir, "journal.db")
	if _, err := os.Stat(path); dir == "" || errors.Is(err, os.ErrNotExist) {
		return out, nil
	}
	ring, err := seal.OpenRing(filepath.Join(dir, "keyring"))
	if err != nil {
		return nil, err
	}
	n := d.w.node(t)
	j, err := journal.Open(journal.Config{Path: path, Ring: ring, Store: n.store, Till: n.till})
	if err != nil {
		return nil, err
	}
	for _, c := range j.Chains() {
		for r, err := range j.After(c.ID, 0) {
			if err != nil {
				return nil, errors.Join(fmt.Errorf("read %s: %w", path, err), j.Close())
			}
			if r.Kind != record.KindStart {
				out[r.RID] = held{r.Seq <= c.Posted || out[r.RID].posted}
			}
		}
	}
	return out, j.Close()
}

// read finds out what a change took away for good, and holds the disks to what the till had answered.
func (d *disks) read(c *change) error {
	defer d.left.Done()
	old, err := d.readDisk(c.node, c.dir)
	if err != nil {
		return err
	}
	put, err := d.readDisk(c.node, c.imageDir)
	if err != nil {
		return err
	}
	elsewhere := map[record.RID]held{}
	for t, dir := range c.siblings {
		there, err := d.readDisk(t, dir)
		if err != nil {
			return err
		}
		maps.Copy(elsewhere, there)
	}
	d.mu.Lock()
	for rid, h := range old {
		_, here := put[rid]
		if _, there := elsewhere[rid]; !here && !there && !h.posted {
			d.excused[rid] = excuse{c}
		}
	}
	d.mu.Unlock()
	d.durable(c, old, put)
	if d.w.cfg.Log != nil {
		d.w.cfg.Log.Debug("read a disk that was replaced", "node", c.node.name(), "old", len(old), "new", len(put), "elsewhere", len(elsewhere))
	}
	errs := []error{os.RemoveAll(c.dir), os.RemoveAll(c.dir + "-image")}
	for _, dir := range c.siblings {
		errs = append(errs, os.RemoveAll(dir))
	}
	return errors.Join(errs...)
}

// durable holds a till's disks to what the till had answered: a process was killed, or its disk copied, and
// what it had answered before lies there.
func (d *disks) durable(c *change, old, put map[record.RID]held) {
	if c.node.tier != atTill {
		return
	}
	place := d.w.node(c.node).place()
	for _, s := range d.w.sent.answeredOn(place) {
		if _, ok := old[s.RID]; !ok && s.disk == c.disk && s.Answered.Before(c.at) {
			d.wrong("receipt %s, answered by till %s at %s, is not on its disk after kill -9 at %s", s.RID, place,
				s.Answered.Format("15:04:05.000"), c.at.Format("15:04:05.000"))
		}
		if c.image == nil || c.image.mode == running {
			continue
		}
		if _, ok := put[s.RID]; !ok && s.disk == c.image.disk && s.Answered.Before(c.image.began) {
			d.wrong("receipt %s, answered by till %s at %s, is not in image %d, taken %s at %s", s.RID, place,
				s.Answered.Format("15:04:05.000"), c.image.number, c.image.mode, c.image.began.Format("15:04:05.000"))
		}
	}
}

func (d *disks) wrong(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.found) < laws.MaxSaid {
		d.found = append(d.found, laws.Violation{Law: "durable", Text: fmt.Sprintf(format, args...)})
	}
}

// close ends run.
func (d *disks) close() {
	close(d.todo)
	d.wg.Wait()
}

// result waits until all changes are read, and gives why which receipts may be lost. One that its till has
// answered once more, after it was asked again since, is not among them.
func (d *disks) result() (map[record.RID]string, []laws.Violation, error) {
	d.left.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	last := d.w.sent.asked()
	out := map[record.RID]string{}
	for rid, e := range d.excused {
		if last[rid].Before(e.by.at) {
			out[rid] = e.String()
		}
	}
	return out, d.found, errors.Join(d.errs...)
}
