package soak

import "syscall"

// attributes of a node's process: a process group of its own, so that Ctrl-C is for the conductor alone,
// and an end with the conductor's, however that comes. The latter is tied to the thread that started it.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
