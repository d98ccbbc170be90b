// Command gen prints the catalogue of buckets into CATALOGUE.md of the directory it is started in. Run
// it by go generate.
package main

import (
	"bytes"
	"fmt"
	"os"

	"tillstream/kv"
)

func main() {
	var b bytes.Buffer
	err := kv.WriteCatalogue(&b)
	if err == nil {
		err = os.WriteFile("CATALOGUE.md", b.Bytes(), 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, fmt.Errorf("print CATALOGUE.md: %w", err))
		os.Exit(1)
	}
}
