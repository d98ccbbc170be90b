package trial_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const diskSize = "512M" // sparse: what is not written costs nothing

// disk is an ext4 file system in a file, behind a loop device.
type disk struct{ image, at string }

// format makes a disk and mounts it until the test ends, or skips the test where that cannot be done.
func format(t *testing.T) *disk {
	t.Helper()
	dir := t.TempDir()
	d := &disk{image: filepath.Join(dir, "image"), at: filepath.Join(dir, "disk")}
	f, err := os.Create(d.image)
	must(t, err)
	must(t, f.Close())
	for _, args := range [][]string{
		{"truncate", "-s", diskSize, d.image},
		{"mkfs.ext4", "-q", "-F", d.image},
	} {
		if err := command(t, args...); err != nil {
			t.Skipf("no ext4 image can be made here: %v", err)
		}
	}
	if err := d.mount(t); err != nil {
		t.Skipf("an image cannot be mounted here (that takes root and loop devices): %v", err)
	}
	t.Cleanup(func() { d.unmount(t) })
	return d
}

// mount mounts the disk. ext4 plays its own journal back.
func (d *disk) mount(t *testing.T) error {
	t.Helper()
	must(t, os.MkdirAll(d.at, 0o700))
	return command(t, "mount", "-o", "loop", d.image, d.at)
}

func (d *disk) unmount(t *testing.T) {
	t.Helper()
	must(t, command(t, "umount", d.at))
}

// copied gives the disk as it would be if the power had gone this moment: what the device was given, and
// nothing of what only the memory of the file system has.
func (d *disk) copied(t *testing.T) *disk {
	t.Helper()
	dir := t.TempDir()
	c := &disk{image: filepath.Join(dir, "image"), at: filepath.Join(dir, "disk")}
	must(t, command(t, "cp", "--reflink=never", "--sparse=always", d.image, c.image))
	return c
}

func (d *disk) remove(t *testing.T) {
	t.Helper()
	d.unmount(t)
	must(t, os.Remove(d.image))
}

func command(t *testing.T, args ...string) error {
	t.Helper()
	// Not with the test's context: what is mounted is unmounted when that has ended.
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	if err != nil {
		return &commandError{strings.Join(args, " "), strings.TrimSpace(string(out)), err}
	}
	return nil
}

type commandError struct {
	line, out string
	err       error
}

func (e *commandError) Error() string { return e.line + ": " + e.err.Error() + ": " + e.out }
func (e *commandError) Unwrap() error { return e.err }
