// Package house holds the code to the rules it was built by: which package may import which, who keeps
// the doors to outside modules, and a few rules of style that a compiler does not know. The table is in
// rooms.go: a new package needs one line there.
//
// It reads source files, not build output: what it finds names the file, the line and the rule.
package house
