package journal

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// keepSize gives a file blocks beyond its end without making it longer.
const keepSize = 1

// allocate gives a file its blocks up to end, written to or not. What it has is not touched.
func allocate(f *os.File, end int64) error {
	err := syscall.Fallocate(int(f.Fd()), keepSize, 0, end)
	if errors.Is(err, syscall.EOPNOTSUPP) || errors.Is(err, syscall.ENOSYS) {
		return fmt.Errorf("allocate space: %w", errors.ErrUnsupported)
	}
	if err != nil {
		return fmt.Errorf("allocate space: %w", err)
	}
	return nil
}
