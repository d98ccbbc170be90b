package main

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"tillstream/kv/record"
	"tillstream/subjects"
	"tillstream/subjects/event"
)

// schema is as much of JSON Schema as the payloads need. What a schema does not name is allowed: a later version may
// have more.
type schema struct {
	Schema     string             `json:"$schema,omitempty"`
	ID         string             `json:"$id,omitempty"`
	About      string             `json:"description,omitempty"`
	Type       string             `json:"type"`
	Format     string             `json:"format,omitempty"`
	Pattern    string             `json:"pattern,omitempty"`
	Enum       []string           `json:"enum,omitempty"`
	Minimum    *int64             `json:"minimum,omitempty"`
	MinLength  int                `json:"minLength,omitempty"`
	MinItems   int                `json:"minItems,omitempty"`
	MaxItems   int                `json:"maxItems,omitempty"`
	Items      *schema            `json:"items,omitempty"`
	Required   []string           `json:"required,omitempty"`
	Properties map[string]*schema `json:"properties,omitempty"`
}

const (
	token = "^[a-z0-9_-]{1,64}$"
	code  = "^[A-Za-z0-9_-]{1,64}$"
)

func texts[T ~string](all []T) []string {
	out := make([]string, len(all))
	for i := range all {
		out[i] = string(all[i])
	}
	return out
}

// named are the types that are text with rules.
func named() map[reflect.Type]schema {
	return map[reflect.Type]schema{
		reflect.TypeFor[time.Time]():         {Format: "date-time"},
		reflect.TypeFor[record.AccountID]():  {Pattern: "^[0-9a-f]{32}$"},
		reflect.TypeFor[record.RID]():        {Format: "uuid"},
		reflect.TypeFor[record.PromoCode]():  {Pattern: code},
		reflect.TypeFor[record.AttemptID]():  {Pattern: code},
		reflect.TypeFor[subjects.StoreID]():  {Pattern: token},
		reflect.TypeFor[subjects.TillID]():   {Pattern: token},
		reflect.TypeFor[subjects.BrandID]():  {Pattern: token},
		reflect.TypeFor[event.Status]():      {Enum: texts(event.Statuses())},
		reflect.TypeFor[event.MessageType](): {Enum: texts(event.MessageTypes())},
		reflect.TypeFor[event.Delivery]():    {Enum: texts([]event.Delivery{event.Toast, event.FullScreen})},
		reflect.TypeFor[event.Verdict]():     {Enum: texts([]event.Verdict{event.Decision, event.NoDecision})},
	}
}

// narrow adds what package event checks beyond types.
func narrow(name string, s *schema) {
	least := func(n int64) { s.Minimum = &n }
	switch name {
	case "rewardProgress":
		s.MinItems, s.MaxItems = 1, 32
	case "progress", "times":
		least(0)
	case "target", "week":
		least(1)
	case "rewardSchemeId", "activityType", "text":
		s.MinLength = 1
	}
}

func schemaOf(v any) (*schema, error) { return typed(reflect.TypeOf(v)) }

func typed(t reflect.Type) (*schema, error) {
	if s, ok := named()[t]; ok {
		s.Type = "string"
		return &s, nil
	}
	switch t.Kind() {
	case reflect.String:
		return &schema{Type: "string"}, nil
	case reflect.Int, reflect.Int64:
		return &schema{Type: "integer"}, nil
	case reflect.Bool:
		return &schema{Type: "boolean"}, nil
	case reflect.Slice:
		items, err := typed(t.Elem())
		return &schema{Type: "array", Items: items}, err
	case reflect.Struct:
		s := &schema{Type: "object", Properties: map[string]*schema{}}
		return s, s.fields(t)
	}
	return nil, fmt.Errorf("type %v has no schema: give it one", t)
}

// fields adds those of a struct, and of those in it without a name.
func (s *schema) fields(t reflect.Type) error {
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous {
			if err := s.fields(f.Type); err != nil {
				return err
			}
			continue
		}
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		field, err := typed(f.Type)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		narrow(name, field)
		s.Properties[name] = field
		if options == "" {
			s.Required = append(s.Required, name)
		}
	}
	return nil
}
