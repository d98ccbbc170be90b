package cache

import (
	"os"
	"syscall"
)

// hold gives the file slack to grow into, without making it longer. A disk that has none, or cannot, is
// met when the file grows.
func hold(f *os.File) {
	const keepSize = 1
	if info, err := f.Stat(); err == nil {
		_ = syscall.Fallocate(int(f.Fd()), keepSize, 0, info.Size()+slack)
	}
}
