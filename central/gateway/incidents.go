package gateway

import (
	"fmt"
	"net/http"

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

func (a *Admin) incidents(r *http.Request) (Incidents, error) {
	out := Incidents{Incidents: []Incident{}}
	var newest uint64
	err := a.cfg.Replica.Read(r.Context(), 0, func(uint64) { newest = a.cfg.Books.LastIncident() })
	if err == nil {
		err = books.Incidents(a.cfg.Replica, newest, func(i books.Incident) bool {
			out.Incidents = append(out.Incidents, Incident{i.Entry, i.Text})
			return len(out.Incidents) < maxIncidents
		})
	}
	if err != nil {
		return out, fmt.Errorf("read incidents: %w", err)
	}
	return out, nil
}
