package scrub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"tillstream/subjects"
	"tillstream/subjects/service"
)

// errAlone means that there are no two other copies.
var errAlone = errors.New("the journal does not lie on three nodes: nobody could fill this copy again")

// ErrUnsafe means that dropping this node's copy now could cost what only it holds.
var ErrUnsafe = errors.New("not safe now")

const (
	peerWait = 5 * time.Second
	leadWait = 15 * time.Second // for another node to take the stream's lead
	nodes    = 3                // of a centre in which a copy may be dropped
)

// Standing is what a node says of its copy to another.
type Standing struct {
	Node    string   `json:"node"`
	Last    uint64   `json:"last_message"`      // now
	Verdict *Verdict `json:"verdict,omitempty"` // of its last pass; nil: none yet
}

// serve answers the other nodes.
func (s *Scrub) serve(ctx context.Context) error {
	return service.New(service.Config{
		Conn: s.cfg.Conn, Name: subjects.ServiceScrub, Endpoint: "standing", Subject: s.cfg.Net.Scrub(s.cfg.Node),
		Description: "what a node has found in its copy of the journal", Log: s.cfg.Log,
		Answer: func(context.Context, service.Question) (service.Answer, error) {
			own, err := s.cfg.Hub.Copy(s.cfg.Net)
			if err != nil {
				return service.Answer{}, err
			}
			b, err := json.Marshal(Standing{s.cfg.Node.String(), own.Last, s.Last()})
			return service.Answer{Data: b}, err
		},
	}).Run(ctx)
}

// Repair drops this node's copy of the journal, which the other two then fill again, and gives what they
// say of theirs. It refuses unless both have just been read through, are clean, and hold all that this
// one holds. The node's server is closed for some seconds; the others go on.
func (s *Scrub) Repair(ctx context.Context) ([]Standing, error) {
	if err := s.follow(ctx); err != nil {
		return nil, fmt.Errorf("repair: %w", err)
	}
	own, err := s.cfg.Hub.Copy(s.cfg.Net)
	if err != nil {
		return nil, fmt.Errorf("repair: %w", err)
	}
	others, err := s.others(ctx)
	if err != nil {
		return nil, fmt.Errorf("repair: %w", err)
	}
	var standings []Standing
	for _, n := range others {
		p, err := s.ask(ctx, n)
		if err == nil {
			err = p.good(own, time.Now())
		}
		if err != nil {
			return standings, fmt.Errorf("repair: %w", err)
		}
		standings = append(standings, p)
	}
	s.cfg.Log.Warn("drops its copy of the journal: the other two are clean and fill it again")
	if err := s.cfg.Hub.DropCopy(ctx, s.cfg.Net); err != nil {
		return standings, fmt.Errorf("repair: %w", err)
	}
	s.forget()
	return standings, nil
}

// good is nil if a node may be relied on for what another drops.
func (p *Standing) good(own Copy, now time.Time) error {
	switch v := p.Verdict; {
	case v == nil || now.Sub(v.Ended) > answerFor:
		return fmt.Errorf("%w: node %s has not been read through in the last %s; scrub it first", ErrUnsafe, p.Node, answerFor)
	case !v.Clean():
		return fmt.Errorf("%w: the copy of node %s is damaged too: %s", ErrUnsafe, p.Node, v.Damages[0])
	case p.Last < own.Last:
		return fmt.Errorf("%w: node %s holds messages up to %d, this node up to %d", ErrUnsafe, p.Node, p.Last, own.Last)
	}
	return nil
}

// ask asks another node.
func (s *Scrub) ask(ctx context.Context, node string) (p Standing, err error) {
	t, err := subjects.ParseToken(node)
	if err != nil {
		return p, fmt.Errorf("node %s: %w", node, err)
	}
	ctx, cancel := context.WithTimeout(ctx, peerWait)
	defer cancel()
	a, err := service.Ask(ctx, s.cfg.Conn, s.cfg.Net.Scrub(subjects.NodeID{Token: t}), nil)
	if err != nil {
		return p, fmt.Errorf("%w: node %s does not say how its copy is: %w", ErrUnsafe, node, err)
	}
	if err := json.Unmarshal(a.Data, &p); err != nil {
		return p, fmt.Errorf("node %s: %w", node, err)
	}
	return p, nil
}

// follow waits until another node leads the stream, and makes it so.
func (s *Scrub) follow(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, leadWait)
	defer cancel()
	for {
		own, err := s.cfg.Hub.Copy(s.cfg.Net)
		if err == nil && own.Leads {
			err = s.cfg.Hub.StepDown(s.cfg.Net)
		} else if err == nil {
			return nil
		}
		select {
		case <-time.After(catchUpLook):
		case <-ctx.Done():
			return fmt.Errorf("%w: no other node takes the stream's lead: %w", ErrUnsafe, errors.Join(err, context.Cause(ctx)))
		}
	}
}

// others gives the nodes that hold the other copies, if both are there and hold all that is acknowledged.
func (s *Scrub) others(ctx context.Context) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, leadWait)
	defer cancel()
	for {
		names, err := s.members(ctx)
		if err == nil {
			return names, nil
		}
		if errors.Is(err, errAlone) {
			return nil, fmt.Errorf("%w: %w", ErrUnsafe, err)
		}
		select {
		case <-time.After(10 * catchUpLook):
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w", ErrUnsafe, err)
		}
	}
}

func (s *Scrub) members(ctx context.Context) (names []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, peerWait)
	defer cancel()
	stream, err := s.cfg.JS.Stream(ctx, s.cfg.Net.JournalStream())
	if err != nil {
		return nil, fmt.Errorf("ask who holds the journal: %w", err)
	}
	c := stream.CachedInfo().Cluster
	switch {
	case stream.CachedInfo().Config.Replicas != nodes:
		return nil, errAlone
	case c == nil || len(c.Replicas)+1 != nodes:
		return nil, errors.New("the journal's stream has no leader that knows the others")
	}
	own := s.cfg.Node.String()
	for _, p := range append([]*jetstream.PeerInfo{{Name: c.Leader, Current: true}}, c.Replicas...) {
		switch {
		case p.Name == own:
		case p.Name == "" || p.Offline || !p.Current:
			return nil, fmt.Errorf("node %q is down or behind: with this copy gone there would be one left", p.Name)
		default:
			names = append(names, p.Name)
		}
	}
	return names, nil
}

// forget forgets the verdict on a copy that is gone.
func (s *Scrub) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = nil
	s.meters.damages.Set(0)
	s.meters.ended.Set(0)
}
