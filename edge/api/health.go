package api

import (
	"context"
	"net/http"
	"time"
)

// Health is how the node is. Its measure of the link is the age of upstream's last answer: the
// client's own word for the connection stays "connected" while the link is cut.
type Health struct {
	Store    string `json:"store"`
	Till     string `json:"till,omitempty"`
	Upstream struct {
		None            bool   `json:"none,omitempty"`               // the node has no upstream
		LastAnswerAgeMS *int64 `json:"last_answer_age_ms,omitempty"` // nil: none yet
	} `json:"upstream"`
	Unconfirmed Backlog `json:"unconfirmed"` // by the upstream
	Unposted    Backlog `json:"unposted"`    // by the centre, as far as is known here
	Aside       struct {
		Records int `json:"records"` // that upstream refuses: see /v1/aside
	} `json:"aside"`
	Cache struct {
		Items           int    `json:"items"`
		Bytes           int64  `json:"bytes"`
		LastAnswerAgeMS *int64 `json:"last_answer_age_ms,omitempty"` // of the feed; nil: none yet
	} `json:"cache"`
	Disk    Disk    `json:"disk"`
	Keyring Keyring `json:"keyring"`
	Version string  `json:"version"`
}

// Backlog is records that are here and not yet further.
type Backlog struct {
	Records     int    `json:"records"`
	OldestAgeMS *int64 `json:"oldest_age_ms,omitempty"` // nil: there is none
}

// Disk is how the journal stands with its disk.
type Disk struct {
	FreeBytes    int64 `json:"free_bytes"`    // -1: not known
	ReserveBytes int64 `json:"reserve_bytes"` // that the journal has to itself when the rest is full
	Full         bool  `json:"full"`          // the reserve cannot be made up: act before it is used
}

// Keyring says whether the node's keys would survive its disk.
type Keyring struct {
	AtUpstream bool `json:"at_upstream"`
}

// State is what the node knows and the API's own parts do not.
type State struct {
	Alone   bool      // it has no upstream
	Feed    time.Time // of the feed's last answer; zero: none
	Disk    Disk
	Keyring Keyring
}

func (a *API) health(context.Context, question) (answer, error) {
	state := a.cfg.State()
	h := &Health{
		Store: a.cfg.Store.String(), Till: a.cfg.Till.String(),
		Disk: state.Disk, Keyring: state.Keyring, Version: a.cfg.Version,
	}
	h.Upstream.None, h.Upstream.LastAnswerAgeMS = state.Alone, a.age(a.cfg.Upstream())
	h.Unconfirmed = a.backlog(a.cfg.Journal.Unconfirmed())
	h.Unposted = a.backlog(a.cfg.Journal.Unposted())
	var err error
	if h.Aside.Records, err = a.cfg.Journal.AsideRecords(); err != nil {
		return answer{}, err
	}
	size := a.cfg.Cache.Len()
	h.Cache.Items, h.Cache.Bytes, h.Cache.LastAnswerAgeMS = size.Items, size.Bytes, a.age(state.Feed)
	return answer{status: http.StatusOK, body: h}, nil
}

func (a *API) backlog(records int, oldest time.Time) Backlog {
	b := Backlog{Records: records}
	if records > 0 {
		b.OldestAgeMS = a.age(oldest)
	}
	return b
}

// age gives the milliseconds since t, nil if t is zero. A clock put back makes no age negative.
func (a *API) age(t time.Time) *int64 {
	if t.IsZero() {
		return nil
	}
	ms := max(a.cfg.Now().Sub(t).Milliseconds(), 0)
	return &ms
}
