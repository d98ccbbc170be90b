package event

import (
	"fmt"
	"time"
)

// Foreign is what a producer outside says of its event. Nothing else of its headers is taken: who lets it in writes
// them anew.
type Foreign struct {
	ID      string
	Source  string
	Type    string
	Subject string    // empty: none
	Time    time.Time // zero: none
	Trace   string    // W3C traceparent; empty: none
}

// ReadForeign reads any CloudEvent, binary or structured, and gives its data.
func ReadForeign(header map[string][]string, data []byte) (f Foreign, _ []byte, err error) {
	if len(data) > MaxData {
		return f, nil, fmt.Errorf("%w: data of %d bytes, want at most %d", ErrEvent, len(data), MaxData)
	}
	if structured(header) {
		if header, data, err = unpack(data); err != nil {
			return f, nil, err
		}
	}
	e, err := FromHeaders(header, data)
	if err != nil {
		return f, nil, err
	}
	f = Foreign{ID: e.ID(), Source: e.Source(), Type: e.Type(), Subject: e.Subject(), Time: e.Time()}
	if trace, ok := e.Extensions()[TraceParent].(string); ok {
		f.Trace = trace
	}
	return f, e.Data(), nil
}

// ForeignID is the id under which a producer's event enters the flow: the same however often it is handed in, since
// source and id name an event for ever (CloudEvents 1.0).
func ForeignID(source, id string) string { return digest([]byte("outside\x00" + source + "\x00" + id)) }
