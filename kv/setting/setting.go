package setting

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Ids of the settings that are known here.
const (
	ProgrammeID = "programme"
	StoresID    = "stores"
	ScanID      = "scan"
	ReturnsID   = "returns"
)

// Check says what is wrong with a setting's document. A setting that is not known here is somebody else's.
func Check(id string, document []byte) (err error) {
	switch id {
	case ProgrammeID:
		_, err = ReadProgramme(document)
	case StoresID:
		_, err = ReadStores(document)
	case ScanID:
		_, err = ReadScan(document)
	case ReturnsID:
		_, err = ReadReturns(document)
	}
	return err
}

// head is what every document has.
type head struct {
	ID       string `json:"id"`
	Revision int64  `json:"revision"`
}

// read reads a document strictly into v.
func read(id string, document []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(document))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("setting %s: %w", id, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("setting %s: there is more after the document", id)
	}
	return nil
}

// isCountry reports whether a word is of the form of a country's code (ISO 3166), such as DE.
func isCountry(word string) bool {
	return len(word) == 2 && strings.Trim(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}
