package event

import (
	"encoding/json"
	"fmt"
	"strings"

	ce "github.com/cloudevents/sdk-go/v2/event"
)

// contentStructured is the content type of an event in structured mode: all of it is in the data, as JSON.
const contentStructured = "application/cloudevents+json"

// Receive reads an event of the flow in whichever mode it comes: binary, as the stages write it, or structured.
func Receive(header map[string][]string, data []byte) (Envelope, []byte, error) {
	if len(data) > MaxData {
		return Envelope{}, data, fmt.Errorf("%w: data of %d bytes, want at most %d", ErrEvent, len(data), MaxData)
	}
	if structured(header) {
		var err error
		if header, data, err = unpack(data); err != nil {
			return Envelope{}, data, err
		}
	}
	e, err := ReadEnvelope(Canonical(header))
	return e, data, err
}

func structured(header map[string][]string) bool {
	for name, values := range header {
		if strings.EqualFold(name, "Content-Type") && len(values) == 1 {
			kind, _, _ := strings.Cut(values[0], ";")
			return strings.EqualFold(strings.TrimSpace(kind), contentStructured)
		}
	}
	return false
}

// unpack turns structured mode into binary.
func unpack(b []byte) (header map[string][]string, data []byte, err error) {
	var e ce.Event
	if err := json.Unmarshal(b, &e); err != nil {
		return nil, b, fmt.Errorf("%w: structured mode: %w", ErrEvent, err)
	}
	header, data, err = ToHeaders(e)
	if err != nil {
		return nil, b, err
	}
	return header, data, nil
}
