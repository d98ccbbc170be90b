// Command gen prints the JSON Schema of each payload of the flow into schema/ of the directory it is started in. Run it
// by go generate.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"tillstream/subjects/event"
)

// payload is a type that gets a schema.
type payload struct {
	name  string // of the event type, where the payload is an event's data
	about string
	value any
}

func payloads() []payload {
	return []payload{
		{event.TypeCPPActivity, "How far a shopper has come in one attempt at a progress promotion (document 004 §1)", event.CPPActivity{}},
		{event.TypeEPPMActivity, "A shopper did not qualify in the first cycle (document 004 §3)", event.EPPMActivity{}},
		{event.TypeEnriched, "An activity with what PPH knows of its promotion (document 004 §1)", event.EnrichedActivity{}},
		{event.TypeRelevant, "An enriched activity that TIM lets pass", event.EnrichedActivity{}},
		{event.TypeUnqualification, "An enriched activity of unqualification, of week one or two (document 004 §3, §4)", event.EnrichedActivity{}},
		{event.TypeDecided, "An enriched activity with DES's decision", event.DecidedEvent{}},
		{event.TypeOnsiteMessage, "What a shopper's screen shows", event.OnsiteMessage{}},
		{event.TypeDeleteMessage, "A reward was spent: its message must not be shown any more (document 004 §2)", event.DeleteMessageInstruction{}},
		{"tillstream.pph.promotion.v1", "PPH's answer to a promoCode (document 004 §1)", event.PPHPromotion{}},
	}
}

func main() {
	if err := write("schema"); err != nil {
		fmt.Fprintln(os.Stderr, fmt.Errorf("print the payloads' schemas: %w", err))
		os.Exit(1)
	}
}

func write(dir string) error {
	for _, p := range payloads() {
		b, err := print(p)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, p.name+".json"), b, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func print(p payload) ([]byte, error) {
	s, err := schemaOf(p.value)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.name, err)
	}
	s.Schema, s.ID, s.About = "https://json-schema.org/draft/2020-12/schema", "urn:"+p.name, p.about
	b, err := json.MarshalIndent(s, "", "  ")
	return append(b, '\n'), err
}
