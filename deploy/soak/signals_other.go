//go:build !unix

package soak

import "os"

// Elsewhere a process cannot be stopped where it stands; the signal is refused, and the soak says so.
func freezeSignal() os.Signal { return os.Interrupt }
func thawSignal() os.Signal   { return os.Interrupt }
