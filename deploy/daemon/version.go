package daemon

import "runtime/debug"

// Version is the version of this binary as the Go toolchain stamped it, from the tag or the commit that
// it was built from; "(devel)" when it was built without either.
func Version() string {
	if b, ok := debug.ReadBuildInfo(); ok && b.Main.Version != "" {
		return b.Main.Version
	}
	return "(devel)"
}
