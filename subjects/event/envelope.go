package event

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	ce "github.com/cloudevents/sdk-go/v2/event"
	"github.com/cloudevents/sdk-go/v2/types"
)

// ErrEvent means that headers and data are not the event they should be.
var ErrEvent = errors.New("not the event it should be")

// SpecVersion is the version of CloudEvents that is written and the only one that is read.
const SpecVersion = ce.CloudEventsVersionV1

// Names of the headers that every event here has. The binding maps each attribute to one header,
// the content type too: a bare Content-Type would mean structured mode.
const (
	headerPrefix      = "ce-"
	headerSpecVersion = "ce-specversion"
	headerID          = "ce-id"
	headerSource      = "ce-source"
	headerType        = "ce-type"
	headerSubject     = "ce-subject"
	headerTime        = "ce-time"
	headerContentType = "ce-datacontenttype"
	headerBrand       = "ce-brand"
	headerDC          = "ce-dc"
)

// TraceParent is the extension that carries a W3C trace context. No event needs it.
const TraceParent = "traceparent"

// FromHeaders reads an event in binary mode. Headers without the prefix are not the event's and are
// left alone; prefix and names are taken in any case. The event's data aliases data.
func FromHeaders(header map[string][]string, data []byte) (ce.Event, error) {
	attrs, err := attributes(header)
	if err != nil {
		return ce.Event{}, err
	}
	for _, name := range []string{"specversion", "id", "source", "type"} {
		if attrs[name] == "" {
			return ce.Event{}, fmt.Errorf("%w: header ce-%s is missing", ErrEvent, name)
		}
	}
	if v := attrs["specversion"]; v != SpecVersion {
		return ce.Event{}, fmt.Errorf("%w: header ce-specversion is %q, want %q", ErrEvent, clip(v), SpecVersion)
	}
	e := ce.New(SpecVersion)
	for name, value := range attrs {
		if err := set(&e, name, value); err != nil {
			return ce.Event{}, fmt.Errorf("%w: header ce-%s: %w", ErrEvent, clip(name), err)
		}
	}
	if err := validate(e); err != nil {
		return ce.Event{}, err
	}
	e.DataEncoded = data
	return e, nil
}

// attributes gives the event's attributes, in lower case and percent-decoded.
func attributes(header map[string][]string) (map[string]string, error) {
	attrs := make(map[string]string, len(header))
	for key, values := range header {
		if len(key) <= len(headerPrefix) || !strings.EqualFold(key[:len(headerPrefix)], headerPrefix) {
			continue
		}
		name := strings.ToLower(key[len(headerPrefix):])
		if _, twice := attrs[name]; twice || len(values) != 1 {
			return nil, fmt.Errorf("%w: header ce-%s: want one value", ErrEvent, clip(name))
		}
		value, err := unescape(values[0])
		if err != nil {
			return nil, fmt.Errorf("%w: header ce-%s: %w", ErrEvent, clip(name), err)
		}
		attrs[name] = value
	}
	return attrs, nil
}

func set(e *ce.Event, name, value string) error {
	switch name {
	case "specversion":
		return nil
	case "id":
		return e.Context.SetID(value)
	case "source":
		return e.Context.SetSource(value)
	case "type":
		return e.Context.SetType(value)
	case "subject":
		return e.Context.SetSubject(value)
	case "datacontenttype":
		return e.Context.SetDataContentType(value)
	case "dataschema":
		return e.Context.SetDataSchema(value)
	case "time":
		t, err := types.ParseTime(value)
		if err != nil {
			return fmt.Errorf("%q is not an RFC 3339 time", clip(value))
		}
		return e.Context.SetTime(t)
	}
	return e.Context.SetExtension(name, value)
}

// validate gives the first of the SDK's findings in the order of their names, so that an error reads
// the same every time.
func validate(e ce.Event) error {
	err := e.Validate()
	var found ce.ValidationError
	if errors.As(err, &found) {
		names := make([]string, 0, len(found))
		for name := range found {
			names = append(names, name)
		}
		name := slices.Min(names)
		return fmt.Errorf("%w: attribute %s: %w", ErrEvent, name, found[name])
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrEvent, err)
	}
	return nil
}

// ToHeaders writes an event of any type in binary mode. It refuses an event that is not valid.
func ToHeaders(e ce.Event) (header map[string][]string, data []byte, err error) {
	if err := validate(e); err != nil {
		return nil, nil, err
	}
	if v := e.SpecVersion(); v != SpecVersion {
		return nil, nil, fmt.Errorf("%w: specversion is %q, want %q", ErrEvent, v, SpecVersion)
	}
	header = make(map[string][]string, 8+len(e.Extensions()))
	put := func(name, value string) {
		if value != "" {
			header[name] = []string{escape(value)}
		}
	}
	put(headerSpecVersion, SpecVersion)
	put(headerID, e.ID())
	put(headerSource, e.Source())
	put(headerType, e.Type())
	put(headerSubject, e.Subject())
	put(headerContentType, e.DataContentType())
	put(headerPrefix+"dataschema", e.DataSchema())
	if t := e.Time(); !t.IsZero() {
		put(headerTime, types.FormatTime(t))
	}
	for name, v := range e.Extensions() {
		value, err := types.Format(v)
		if err != nil {
			return nil, nil, fmt.Errorf("%w: extension %s: %w", ErrEvent, name, err)
		}
		put(headerPrefix+name, value)
	}
	return header, e.Data(), nil
}

// clip keeps an error short when someone sends a megabyte as a header.
func clip(s string) string {
	if len(s) > 64 {
		return s[:64] + "…"
	}
	return s
}
