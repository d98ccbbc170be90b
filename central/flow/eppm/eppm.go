package eppm

import (
	"context"

	"tillstream/central/flow"
	"tillstream/central/replica"
	"tillstream/subjects/event"
)

// EPPM is the component on one node.
type EPPM struct{ endings *flow.Endings }

// New makes an EPPM. key is CPP's.
func New(b flow.Base, r *replica.Replica, key []byte) *EPPM {
	b.Log = b.Log.With("stage", event.EPPM.String())
	writes := func() bool {
		s := r.Status()
		return s.Writer != "" && s.Writer == s.Node.String()
	}
	return &EPPM{flow.NewEndings(b, flow.NewStandings(b, key), event.EPPM, 1, writes)}
}

// Run closes first cycles until ctx ends.
func (e *EPPM) Run(ctx context.Context) error { return e.endings.Run(ctx) }
