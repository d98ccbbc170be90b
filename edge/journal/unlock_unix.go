//go:build unix

package journal

import (
	"os"
	"syscall"
)

// unlock lets go of bbolt's lock. Closing the handle is not enough while the file is mapped.
func unlock(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_UN) }
