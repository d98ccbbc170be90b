package bench

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// place is where files lie: a directory on the disk that is measured, and one in memory.
type place struct {
	disk   string
	memory string // empty: there is no file system in memory here
}

// memoryRoot is where Linux keeps one.
const memoryRoot = "/dev/shm"

var errInMemory = errors.New("this directory is in memory, where fsync costs nothing: name one on a disk with --dir")

// openPlace makes the directories. Empty is the system's temporary directory.
func openPlace(dir string) (*place, error) {
	if dir == "" {
		dir = os.TempDir()
	}
	if inMemory(dir) {
		return nil, fmt.Errorf("measure in %s: %w", dir, errInMemory)
	}
	p := &place{}
	var err error
	if p.disk, err = os.MkdirTemp(dir, "tillstream-bench-"); err != nil {
		return nil, fmt.Errorf("make a directory to measure in: %w", err)
	}
	if inMemory(memoryRoot) {
		if p.memory, err = os.MkdirTemp(memoryRoot, "tillstream-bench-"); err != nil {
			return nil, errors.Join(fmt.Errorf("make a directory in memory: %w", err), p.close())
		}
	}
	return p, nil
}

// close takes everything away.
func (p *place) close() error {
	err := os.RemoveAll(p.disk)
	if p.memory != "" {
		err = errors.Join(err, os.RemoveAll(p.memory))
	}
	return err
}

// onDisk makes a directory on the disk.
func (p *place) onDisk(name string) (string, error) { return makeDir(p.disk, name) }

// inMemory makes a directory in memory.
func (p *place) inMemory(name string) (string, error) { return makeDir(p.memory, name) }

func makeDir(in, name string) (string, error) {
	dir, err := os.MkdirTemp(in, name+"-")
	if err != nil {
		return "", fmt.Errorf("make a directory for %s: %w", name, err)
	}
	return dir, nil
}

// secret writes a secret's file that every start of a part draws anew.
func secret(dir, name, text string) (string, error) {
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("write secret: %w", err)
	}
	return path, nil
}
