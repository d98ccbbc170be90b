package soak

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// image is a copy of an edge node's disk.
type image struct {
	number int
	dir    string
	mode   mode
	disk   int64     // which of the node's disks it is of
	began  time.Time // when the copy began: what was answered before is in it, unless it was taken while running
	sold   int       // receipts that the till had answered by then
}

// takeImage copies a node's disk.
func (w *world) takeImage(ctx context.Context, s step, n *node) error {
	if old := w.images[s.drop]; old != nil {
		delete(w.images, s.drop)
		if err := os.RemoveAll(old.dir); err != nil {
			return fmt.Errorf("drop image %d: %w", old.number, err)
		}
	}
	switch {
	case s.mode == stopped:
		if err := n.ask(); err != nil {
			return err
		}
		if err := n.stopped(); err != nil {
			w.wrong("stop", "%v", err)
		}
	case s.mode == paused && !n.frozen:
		if err := n.freeze(); err != nil {
			return err
		}
	}
	i := &image{
		number: s.image, dir: filepath.Join(w.dir, "images", fmt.Sprint(s.image)), mode: s.mode,
		disk: n.disk.Load(), began: time.Now(), sold: w.sent.answeredAt(n.place()),
	}
	if err := copyDisk(i.dir, n.data); err != nil {
		return err
	}
	w.images[i.number] = i
	switch s.mode {
	case stopped:
		return n.start(ctx, w)
	case paused:
		return n.thaw(ctx, w)
	}
	return nil
}

// replace puts an image, or nothing, in the place of a node's disk. The node is down. What the old disk,
// the new one and those of the store's other computers hold is read meanwhile.
func (w *world) replace(ctx context.Context, s step, n *node) error {
	old := filepath.Join(w.dir, "old", fmt.Sprintf("%d-%s", s.number, n.target.name()))
	change := &change{step: s.number, node: n.target, at: time.Now(), disk: n.disk.Add(1) - 1, dir: old, siblings: map[target]string{}}
	if err := os.Rename(n.data, old); err != nil {
		return fmt.Errorf("take the disk of %s: %w", n.target, err)
	}
	change.what = "was taken away"
	if s.fault == restoreImage {
		i := w.images[s.image]
		if i == nil {
			return fmt.Errorf("put back image %d: there is none", s.image)
		}
		w.say("%3d   taken %s, %s ago; %d receipts were answered there since", s.number, i.mode,
			time.Since(i.began).Round(time.Millisecond), w.sent.answeredAt(n.place())-i.sold)
		change.what, change.image, change.imageDir = fmt.Sprintf("was put back to image %d", i.number), i, old+"-image"
		if err := errors.Join(copyDisk(change.imageDir, i.dir), w.putBack(s, n, i, old)); err != nil {
			return err
		}
	}
	for _, o := range w.edges() {
		if o == n || o.target.store != n.target.store {
			continue
		}
		dir := fmt.Sprintf("%s-beside-%s", old, o.target.name())
		change.siblings[o.target] = dir
		if err := w.copyMoment(ctx, o, dir); err != nil {
			return err
		}
	}
	w.disks.look(change)
	return nil
}

// putBack makes the node's disk from an image: all of it, or the journal and its key ring beside the cache
// that was there.
func (w *world) putBack(s step, n *node, i *image, old string) error {
	if err := copyDisk(n.data, i.dir); err != nil || s.whole {
		return err
	}
	for _, name := range []string{"cache.db", "cache.db.open"} {
		if err := remove(filepath.Join(n.data, name)); err != nil {
			return err
		}
		if err := copyFile(filepath.Join(n.data, name), filepath.Join(old, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// copyMoment copies the journal of a node as it lies at one moment.
func (w *world) copyMoment(ctx context.Context, n *node, dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("copy the journal of %s: %w", n.target, err)
	}
	pause := n.process != nil && !n.frozen
	if pause {
		if err := n.freeze(); err != nil {
			return err
		}
	}
	var errs []error
	for _, name := range []string{"journal.db", "keyring"} {
		if err := copyFile(filepath.Join(dir, name), filepath.Join(n.data, name)); !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	if pause {
		errs = append(errs, n.thaw(ctx, w))
	}
	return errors.Join(errs...)
}

// copyDisk copies a node's directory.
func copyDisk(to, from string) error {
	if err := os.MkdirAll(to, 0o700); err != nil {
		return fmt.Errorf("copy %s: %w", from, err)
	}
	entries, err := os.ReadDir(from)
	if err != nil {
		return fmt.Errorf("copy %s: %w", from, err)
	}
	for _, e := range entries {
		// A file that the running node has just taken away is in no copy.
		one := copyFile
		if e.IsDir() {
			one = copyDisk
		}
		if err := one(filepath.Join(to, e.Name()), filepath.Join(from, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// copyFile copies one file.
func copyFile(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return fmt.Errorf("copy: %w", err)
	}
	defer in.Close() //nolint:errcheck // it was only read
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("copy %s: %w", from, err)
	}
	_, err = io.Copy(out, in)
	if err := errors.Join(err, out.Close()); err != nil {
		return fmt.Errorf("copy %s: %w", from, err)
	}
	return nil
}
