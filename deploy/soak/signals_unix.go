//go:build unix

package soak

import (
	"os"
	"syscall"
)

// freezeSignal stops a process where it stands; thawSignal lets it go on.
func freezeSignal() os.Signal { return syscall.SIGSTOP }
func thawSignal() os.Signal   { return syscall.SIGCONT }
