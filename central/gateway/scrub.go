package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"tillstream/central/scrub"
)

// errUnhealthy means that somebody should look at this node.
var errUnhealthy = errors.New("not healthy")

// Disk is the room for JetStream's files, in bytes.
type Disk struct {
	Free uint64 `json:"free"`
	Low  uint64 `json:"low"`            // below it the node closes its server
	Shut string `json:"shut,omitempty"` // why it is closed; empty: it runs
}

// Scrubbed is what the last pass over the node's copy of the journal found.
type Scrubbed struct {
	At      time.Time `json:"at"`
	Damages int       `json:"damages"`
}

func (a *Admin) scrubbed() *Scrubbed {
	v := a.cfg.Scrub.Last()
	if v == nil {
		return nil
	}
	return &Scrubbed{v.Ended, len(v.Damages) + v.Unlisted}
}

// ScrubQuestion is the body of POST /v1/scrub.
type ScrubQuestion struct {
	Rate int64 `json:"rate,omitempty"` // bytes a second; zero: as fast as it goes
}

// scrub reads the node's copy through and answers when that is done.
func (a *Admin) scrub(r *http.Request) (scrub.Verdict, error) {
	var q ScrubQuestion
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(&q); err != nil && !errors.Is(err, io.EOF) {
		return scrub.Verdict{}, fmt.Errorf("%w: %w", errRequest, err)
	}
	if q.Rate < 0 {
		return scrub.Verdict{}, fmt.Errorf("%w: rate is below zero", errRequest)
	}
	return a.cfg.Scrub.Pass(r.Context(), q.Rate)
}

// ScrubState is the answer to GET /v1/scrub.
type ScrubState struct {
	Node     string          `json:"node"`
	Progress *scrub.Progress `json:"progress,omitempty"` // of the pass that ops asked for; nil: none is under way
	Last     *scrub.Verdict  `json:"last,omitempty"`
}

func (a *Admin) scrubState(*http.Request) (ScrubState, error) {
	s := ScrubState{Node: a.node(), Last: a.cfg.Scrub.Last()}
	if p, ok := a.cfg.Scrub.Progress(); ok {
		s.Progress = &p
	}
	return s, nil
}

// Repair is the answer to POST /v1/scrub/repair.
type Repair struct {
	Node   string           `json:"node"`
	Others []scrub.Standing `json:"others"` // on whose word the copy was dropped
}

func (a *Admin) repair(r *http.Request) (Repair, error) {
	others, err := a.cfg.Scrub.Repair(r.Context())
	return Repair{a.node(), others}, err
}

// Health is the answer to GET /v1/health of a node that needs nobody.
type Health struct {
	Node string `json:"node"`
}

func (a *Admin) health(*http.Request) (Health, error) {
	var wrong []string
	if d := a.cfg.Disk(); d.Shut != "" {
		wrong = append(wrong, "its server is closed: "+d.Shut)
	}
	if s := a.scrubbed(); s != nil && s.Damages > 0 {
		wrong = append(wrong, fmt.Sprintf("its copy of the journal is damaged in %d places: see ops scrub", s.Damages))
	}
	if err := a.cfg.Replica.Err(); err != nil {
		wrong = append(wrong, err.Error())
	}
	if a.cfg.Replica.Status().Broken {
		wrong = append(wrong, "the journal's chain is broken: the fold stands still")
	}
	if len(wrong) > 0 {
		return Health{}, fmt.Errorf("node %s is %w: %s", a.node(), errUnhealthy, strings.Join(wrong, "; "))
	}
	return Health{a.node()}, nil
}

func (a *Admin) node() string { return a.cfg.Replica.Status().Node.String() }
