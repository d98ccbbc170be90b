package api

import (
	"context"
	"net/http"
	"time"
)

// State is what the node knows and the API's own parts do not.
type State struct {
	Alone   bool      // it has no upstream
	Feed    time.Time // of the feed's last answer; zero: none
	Disk    Disk
	Keyring Keyring
}

// Centre is how a node hears the centre, of which a till hears through its store.
type Centre struct {
	Linked bool      // there is a line all the way, as far as is known
	Heard  time.Time // when the centre answered last; zero: never, or nobody has said
}

// readHealth tells how the node is. Its measure of the link is the age of upstream's last answer: the
// client's own word for the connection stays "connected" while the link is cut.
func (a *API) readHealth(context.Context, question) (answer, error) {
	state := a.cfg.State()
	h := &Health{
		Store: a.cfg.Store.String(), Till: a.cfg.Till.String(),
		Disk: state.Disk, Keyring: state.Keyring, Version: a.cfg.Version,
	}
	h.Upstream.None, h.Upstream.LastAnswerAgeMS = state.Alone, a.age(a.cfg.Upstream())
	if !state.Alone {
		c := a.cfg.Centre()
		h.Upstream.Centre = &CentreReach{Linked: c.Linked, LastAnswerAgeMS: a.age(c.Heard)}
	}
	h.Unconfirmed = a.backlog(a.cfg.Journal.Unconfirmed())
	h.Unposted = a.backlog(a.cfg.Journal.Unposted())
	var err error
	if h.Aside.Records, err = a.cfg.Journal.AsideRecords(); err != nil {
		return answer{}, err
	}
	size := a.cfg.Cache.Len()
	h.Cache.Items, h.Cache.Bytes, h.Cache.LastAnswerAgeMS = size.Items, size.Bytes, a.age(state.Feed)
	h.Programme = a.programme()
	return answer{status: http.StatusOK, body: h}, nil
}

// programme tells by what baskets are priced.
func (a *API) programme() ProgrammeState {
	s := a.cfg.Rules.State()
	p := ProgrammeState{Revision: s.Revision, Newest: s.Newest, Items: a.cfg.Rules.Now().Items()}
	for i := range s.Faults {
		f := &s.Faults[i]
		p.Faults = append(p.Faults, Fault{Kind: f.Kind, ID: f.ID, Entry: f.Entry, Error: f.Err.Error()})
	}
	return p
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
