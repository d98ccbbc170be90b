// Command gen prints the catalogue of subjects into CATALOGUE.md and asyncapi.yaml of the directory it
// is started in. Run it by go generate.
package main

import (
	"bytes"
	"fmt"
	"io"
	"os"

	"tillstream/subjects"
)

func main() {
	err := write("CATALOGUE.md", subjects.WriteCatalogue)
	if err == nil {
		err = write("asyncapi.yaml", subjects.WriteAsyncAPI)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func write(file string, print func(io.Writer) error) error {
	var b bytes.Buffer
	if err := print(&b); err != nil {
		return fmt.Errorf("print %s: %w", file, err)
	}
	return os.WriteFile(file, b.Bytes(), 0o644)
}
