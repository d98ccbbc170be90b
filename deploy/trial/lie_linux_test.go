package trial_test

import (
	"fmt"
	"os/exec"
	"runtime"
	"syscall"
	"unsafe"
)

// lie makes every fsync of this process do nothing and say that all is well, as a disk does that lies. It
// first brings to the disk what there is. This is fsync switched off in every tier at once, without a
// switch in any of them: the kernel answers in its place.
func lie(dir string) error {
	if out, err := exec.Command("sync", "-f", dir).CombinedOutput(); err != nil {
		return fmt.Errorf("sync %s: %w: %s", dir, err, out)
	}
	const (
		load       = 0x20 // BPF_LD | BPF_W | BPF_ABS
		jumpIfSame = 0x15 // BPF_JMP | BPF_JEQ | BPF_K
		answer     = 0x06 // BPF_RET | BPF_K
		allow      = 0x7fff0000
		sayNothing = 0x00050000 // SECCOMP_RET_ERRNO with errno 0: success, and nothing is done
	)
	type filter struct { // sock_filter; where a jump is not taken the next line follows
		code uint16
		jt   uint8
		_    uint8
		k    uint32
	}
	calls := []uint32{syscall.SYS_FSYNC, syscall.SYS_FDATASYNC, syscall.SYS_MSYNC}
	program := []filter{{code: load}} // the number of the call is the first word
	for i, c := range calls {
		program = append(program, filter{code: jumpIfSame, jt: uint8(len(calls) - i), k: c})
	}
	program = append(program, filter{code: answer, k: allow}, filter{code: answer, k: sayNothing})
	prog := struct {
		len    uint16
		filter *filter
	}{uint16(len(program)), &program[0]}
	number, ok := map[string]uintptr{"amd64": 317, "arm64": 277}[runtime.GOARCH] // seccomp(2)
	if !ok {
		return fmt.Errorf("lie about fsync on %s: not known how", runtime.GOARCH)
	}
	const setFilter, allThreads = 1, 1
	if _, _, errno := syscall.Syscall(number, setFilter, allThreads, uintptr(unsafe.Pointer(&prog))); errno != 0 {
		return fmt.Errorf("lie about fsync: %w", errno)
	}
	return nil
}
