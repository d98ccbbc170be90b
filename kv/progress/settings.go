package progress

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"time"

	"github.com/goccy/go-yaml"

	"tillstream/subjects/event"
)

// Settings is a brand's flavour of the flow (document 004 calls them flavours and environment).
type Settings struct {
	Revision int64  `json:"revision"`
	Zone     string `json:"zone"` // IANA; attempts are its weeks. Default UTC

	// TIMFilterTag is the documented TIM_FILTER_TAG: TIM keeps events that have one of these tags. Default: loyalty.
	TIMFilterTag []string `json:"tim_filter_tag"`
	// UnqualificationTag: events with one of these tags are unqualification events. Default: unqualification.
	UnqualificationTag []string `json:"unqualification_tag"`
	// DeleteInstruction: TIM tells MSQ when a reward was spent, so that its message is not shown any more. Default on.
	DeleteInstruction bool `json:"delete_instruction"`

	// FRED passes events of these statuses, and not of these promotions. Default: REWARD_AWARDED and UNQUALIFIED.
	FREDStatuses []event.Status `json:"fred_statuses"`
	FREDExcludes []string       `json:"fred_excludes"`

	// DESActivityTypes have a DECISION; any other has none. Default: FREE_SPINS, FREE_BET, GAMING_BONUS, as documented.
	DESActivityTypes []string `json:"des_activity_types"`
	// DESDelivery is how messages of a type are shown; a type that is not here has no preference, and BCG drops it.
	// Default, if it is not there at all: REWARD_AWARDED full_screen, UNQUALIFICATION toast.
	DESDelivery map[event.MessageType]event.Delivery `json:"des_delivery"`

	// MondayRule: a REWARD_AWARDED of a cycle before the current one is queued, and never interrupts. Default on.
	MondayRule bool `json:"monday_rule"`
	// Languages in which messages are looked for, the first that there is. Default: en.
	Languages []string `json:"languages"`
	// CMS is the address of an HTTP CMS (Prismic's API, version 2). Empty: templates are in the bucket.
	CMS string `json:"cms"`
	// MessageHours is how long a message is worth showing, 1 to 2160; a reward's expiration ends it before. Default 168.
	MessageHours int `json:"message_hours"`
	// PresenceSeconds is how long a shopper counts as on site after the last word of a till, which comes every 30 s: 60 to
	// 3600. Default 120.
	PresenceSeconds int `json:"presence_seconds"`
}

// Defaults are the settings of a brand that has put none.
func Defaults() Settings {
	return Settings{
		Zone:               "UTC",
		TIMFilterTag:       []string{"loyalty"},
		UnqualificationTag: []string{"unqualification"},
		DeleteInstruction:  true,
		FREDStatuses:       []event.Status{event.RewardAwarded, event.Unqualified},
		DESActivityTypes:   []string{"FREE_SPINS", "FREE_BET", "GAMING_BONUS"},
		DESDelivery: map[event.MessageType]event.Delivery{
			event.MessageRewardAwarded: event.FullScreen, event.MessageUnqualification: event.Toast,
		},
		MondayRule:      true,
		Languages:       []string{"en"},
		MessageHours:    168,
		PresenceSeconds: 120,
	}
}

// ReadSettings reads and checks the flow's settings, JSON or YAML. What they do not name is as in Defaults.
func ReadSettings(document []byte) (Settings, error) {
	s := Defaults()
	delivery := s.DESDelivery
	s.DESDelivery = nil // or what the document says would be added to it
	if err := read("flow settings", document, &s); err != nil {
		return s, err
	}
	if s.DESDelivery == nil {
		s.DESDelivery = delivery
	}
	if err := s.check(); err != nil {
		return s, fmt.Errorf("flow settings: %w", err)
	}
	return s, nil
}

func (s *Settings) check() error {
	var errs []error
	need := func(ok bool, text string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(text, args...))
		}
	}
	_, err := NewCalendar(s.Zone)
	errs = append(errs, err)
	for _, list := range []struct {
		name string
		tags []string
	}{
		{"tim_filter_tag", s.TIMFilterTag}, {"unqualification_tag", s.UnqualificationTag},
		{"des_activity_types", s.DESActivityTypes}, {"fred_excludes", s.FREDExcludes}, {"languages", s.Languages},
	} {
		for i, tag := range list.tags {
			need(isTag(tag), "%s/%d: want 1 to 64 of A-Z, a-z, 0-9, '_' and '-', got %q", list.name, i, tag)
		}
	}
	need(len(s.TIMFilterTag) > 0, "tim_filter_tag: want at least one: without it nothing passes TIM")
	need(len(s.Languages) > 0, "languages: want at least one")
	for i, status := range s.FREDStatuses {
		need(status.Known(), "fred_statuses/%d: unknown status %q, want one of %v", i, status, event.Statuses())
	}
	for typ, delivery := range s.DESDelivery {
		need(delivery == event.Toast || delivery == event.FullScreen, "des_delivery/%s: want toast or full_screen, got %q", typ, delivery)
	}
	if s.CMS != "" {
		u, err := url.Parse(s.CMS)
		need(err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "", "cms: want an http or https address, got %q", s.CMS)
	}
	need(s.MessageHours >= 1 && s.MessageHours <= 2160, "message_hours: want 1 to 2160")
	need(s.PresenceSeconds >= 60 && s.PresenceSeconds <= 3600, "presence_seconds: want 60 to 3600")
	return errors.Join(errs...)
}

// Calendar gives the brand's calendar.
func (s *Settings) Calendar() *Calendar {
	c, err := NewCalendar(s.Zone)
	if err != nil { // ReadSettings has checked it
		c = &Calendar{time.UTC}
	}
	return c
}

// Remembered gives since when receipts may still count, or be given back, at a moment: the first moment of the attempt
// that lies KeptCycles before.
func (s *Settings) Remembered(at time.Time) (time.Time, error) {
	c := s.Calendar()
	start, _, err := c.Attempt(c.AttemptAt(at))
	return start.AddDate(0, 0, -7*KeptCycles), err
}

// read reads a document strictly into v: JSON, or YAML that says the same.
func read(what string, document []byte, v any) error {
	if b := bytes.TrimSpace(document); len(b) > 0 && b[0] != '{' {
		j, err := yaml.YAMLToJSON(document)
		if err != nil {
			return fmt.Errorf("%s: %s", what, yaml.FormatError(err, false, true))
		}
		document = j
	}
	d := json.NewDecoder(bytes.NewReader(document))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: there is more after the document", what)
	}
	return nil
}
