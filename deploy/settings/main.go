// Command settings prints the tables of the daemons' settings into README.md, from the fields and
// comments of their Config structs, so that the paper says what the code reads. Run it by go generate.
package main

import (
	"fmt"
	"os"
)

//go:generate go run .

// top is the top of the repository, from this directory: go generate and go test run here.
const top = "../.."

func main() {
	if err := write(top); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// write puts the tables into README.md.
func write(top string) error {
	path := top + "/README.md"
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("print settings: %w", err)
	}
	out, err := fill(string(text), top)
	if err != nil {
		return fmt.Errorf("print settings into %s: %w", path, err)
	}
	if err := os.WriteFile(path, []byte(out), 0o644); err != nil {
		return fmt.Errorf("print settings: %w", err)
	}
	return nil
}
