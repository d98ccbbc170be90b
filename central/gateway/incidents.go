package gateway

import (
	"encoding/binary"
	"fmt"
	"net/http"
	"slices"

	"tillstream/central/books"
)

// maxIncidents bounds the lines of one answer: the latest.
const maxIncidents = 1000

// Incidents is the answer to GET /v1/incidents, the latest first.
type Incidents struct {
	Incidents []Incident `json:"incidents"`
}

// Incident is something in the books that a person should know of.
type Incident struct {
	Entry uint64 `json:"entry"` // of the journal
	Text  string `json:"text"`
}

func (a *Admin) incidents(*http.Request) (Incidents, error) {
	out := Incidents{Incidents: []Incident{}}
	err := a.cfg.Replica.Rows(books.TableIncidents, nil, func(key, value []byte) bool {
		if len(key) >= 8 {
			out.Incidents = append(out.Incidents, Incident{binary.BigEndian.Uint64(key), string(value)})
		}
		return true
	})
	if err != nil {
		return out, fmt.Errorf("read incidents: %w", err)
	}
	slices.Reverse(out.Incidents)
	out.Incidents = out.Incidents[:min(len(out.Incidents), maxIncidents)]
	return out, nil
}
