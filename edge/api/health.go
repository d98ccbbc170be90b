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
		LastAnswerAgeMS *int64 `json:"last_answer_age_ms,omitempty"` // nil: none yet
	} `json:"upstream"`
	Unconfirmed struct {
		Records     int    `json:"records"`
		OldestAgeMS *int64 `json:"oldest_age_ms,omitempty"` // nil: there is none
	} `json:"unconfirmed"`
	Version string `json:"version"`
}

func (a *API) health(context.Context, question) (answer, error) {
	h := &Health{Store: a.cfg.Store.String(), Till: a.cfg.Till.String(), Version: a.cfg.Version}
	h.Upstream.LastAnswerAgeMS = a.age(a.cfg.Upstream())
	n, oldest := a.cfg.Journal.Unconfirmed()
	h.Unconfirmed.Records = n
	if n > 0 {
		h.Unconfirmed.OldestAgeMS = a.age(oldest)
	}
	return answer{status: http.StatusOK, body: h}, nil
}

// age gives the milliseconds since t, nil if t is zero. A clock put back makes no age negative.
func (a *API) age(t time.Time) *int64 {
	if t.IsZero() {
		return nil
	}
	ms := max(a.cfg.Now().Sub(t).Milliseconds(), 0)
	return &ms
}
