//go:build !linux

package bench

import (
	"os/exec"
	"time"
)

// Elsewhere than on Linux the bench does without: no CPU per receipt, no files in memory, no large
// books, and PostgreSQL only if the bench does not run as root.

func cpuTime() time.Duration { return 0 }

func inMemory(string) bool { return false }

func freeMemory() int64 { return 0 }

func runAs(*exec.Cmd, int, int) {}
