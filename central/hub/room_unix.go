//go:build linux || darwin

package hub

import "syscall"

// room gives the free bytes that this process may use on dir's disk, and the disk's size.
func room(dir string) (free, size uint64, err error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, 0, err
	}
	return s.Bavail * uint64(s.Bsize), s.Blocks * uint64(s.Bsize), nil
}
