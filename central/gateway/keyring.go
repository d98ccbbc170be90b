package gateway

import (
	"context"
	"errors"
	"log/slog"

	"github.com/nats-io/nats.go"

	"tillstream/kv"
	"tillstream/kv/record"
	"tillstream/subjects"
	"tillstream/subjects/service"
)

// KeyRingsConfig says where the key rings of stores are kept.
type KeyRingsConfig struct {
	Net   subjects.Net
	Conn  *nats.Conn
	Rings *kv.KeyRings
	Log   *slog.Logger
}

// KeyRings keeps copies of stores' key rings, which only the store's own node opens.
type KeyRings struct{ cfg KeyRingsConfig }

// NewKeyRings makes a KeyRings.
func NewKeyRings(cfg KeyRingsConfig) *KeyRings { return &KeyRings{cfg} }

// Run serves until ctx ends.
func (g *KeyRings) Run(ctx context.Context) error {
	return service.New(service.Config{
		Conn: g.cfg.Conn, Name: subjects.ServiceKeyRing, Endpoint: "keep", Subject: g.cfg.Net.AnyKeyRing(),
		Description: "keeps sealed key rings of stores of brand " + g.cfg.Net.Brand.String(), Answer: g.keep, Log: g.cfg.Log,
	}).Run(ctx)
}

// keep takes a store's copy, if it sends one, and gives back all that are kept of it. Whose they are the
// subject says, on which the hub lets nobody else send.
func (g *KeyRings) keep(ctx context.Context, q service.Question) (a service.Answer, err error) {
	store, ok := g.cfg.Net.StoreOf(q.Subject)
	if !ok {
		return a, &service.Refusal{Err: errors.New("the subject names no store")}
	}
	sent, err := record.ReadRingCopies(q.Data)
	if err != nil {
		return a, &service.Refusal{Err: err}
	}
	held, err := g.cfg.Rings.Of(ctx, store)
	if err != nil {
		return a, err
	}
	for _, c := range sent {
		if holds(held, c.ID) {
			continue
		}
		if err := g.cfg.Rings.Add(ctx, store, c); errors.Is(err, kv.ErrFull) {
			return a, &service.Refusal{Err: err}
		} else if err != nil {
			return a, err
		}
		held = append(held, c)
	}
	a.Data = record.AppendRingCopies(nil, held)
	return a, nil
}

func holds(all []record.RingCopy, id record.RingID) bool {
	for i := range all {
		if all[i].ID == id {
			return true
		}
	}
	return false
}
