package dec

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"tillstream/central/flow"
	"tillstream/central/stage"
	"tillstream/subjects"
	"tillstream/subjects/event"
	"tillstream/subjects/service"
)

// unknownFor is how long a promotion may be on its way after an activity of it.
const unknownFor = 2 * time.Minute

// DEC is one instance.
type DEC struct {
	flow.Base
	pph *asker
}

// New makes a DEC.
func New(b flow.Base) *DEC { return &DEC{b, newAsker(b)} }

// Run handles activities until ctx ends.
func (d *DEC) Run(ctx context.Context) error {
	if err := d.Docs.Wait(ctx); err != nil {
		return nil // ctx has ended
	}
	return stage.New(stage.Config{
		Stage: subjects.DEC, Point: event.DEC, Net: d.Net, JS: d.JS, Handle: d.handle, Ordered: true,
		AtOnce: d.AtOnce, Now: d.Now, Metrics: d.Stages, Log: d.Log,
	}).Run(ctx)
}

func (d *DEC) handle(ctx context.Context, in *stage.Input) ([]stage.Output, error) {
	switch in.Subject {
	case d.Net.CPPActivity():
		return d.cpp(ctx, in)
	case d.Net.EPPMActivity():
		return d.eppm(ctx, in)
	}
	return nil, stage.Reject(fmt.Errorf("subject %s is none that DEC reads", in.Subject))
}

// cpp is the processor of CPP's activities.
func (d *DEC) cpp(ctx context.Context, in *stage.Input) ([]stage.Output, error) {
	a, err := event.Read[event.CPPActivity](&in.Envelope, event.TypeCPPActivity, in.Data)
	if err == nil && a.Status != in.Status {
		err = fmt.Errorf("%w: its data says %s, its headers %s", event.ErrEvent, a.Status, in.Status)
	}
	if err != nil {
		return nil, stage.Reject(err)
	}
	week := 0
	if a.Status == event.Unqualified {
		week = 2 // what CPP says of it is week two's (document 004 §4); messages name the week
	}
	return d.enrich(ctx, in, event.TypeEnriched, d.Net.CPPEnriched(), event.EnrichedActivity{
		AccountID: a.AccountID, PromoCode: a.PromoCode, AttemptID: a.AttemptID, Status: a.Status, Week: week,
		OccurredAt: a.OccurredAt, Store: a.Store, Till: a.Till, RID: a.RID,
	}, a.RewardProgress)
}

// eppm is the processor of week one's unqualification.
func (d *DEC) eppm(ctx context.Context, in *stage.Input) ([]stage.Output, error) {
	a, err := event.Read[event.EPPMActivity](&in.Envelope, event.TypeEPPMActivity, in.Data)
	if err == nil && in.Status != event.Unqualified {
		err = fmt.Errorf("%w: header ce-status is %s, EPPM says %s only", event.ErrEvent, in.Status, event.Unqualified)
	}
	if err != nil {
		return nil, stage.Reject(err)
	}
	return d.enrich(ctx, in, event.TypeUnqualification, d.Net.RelevantUnqualification(), event.EnrichedActivity{
		AccountID: a.AccountID, PromoCode: a.PromoCode, AttemptID: a.AttemptID, Status: event.Unqualified, Week: a.Week,
		OccurredAt: a.OccurredAt,
	}, a.RewardProgress)
}

// enrich adds what PPH knows, and gives the event that comes of it.
func (d *DEC) enrich(ctx context.Context, in *stage.Input, typ, subject string, a event.EnrichedActivity, progress []event.RewardProgress) ([]stage.Output, error) {
	p, err := d.pph.promotion(ctx, in.Attempt.Promo, in.Attempt.Attempt)
	if err == nil {
		a.PromoName, a.PromoURL, a.Tags, a.Brand = p.PromoName, p.PromoURL, d.tags(p, a.Status), d.Net.Brand
		a.RewardProgress, err = match(p, progress)
	}
	if err != nil {
		_, refused := errors.AsType[*service.Refusal](err)
		if (refused || errors.Is(err, errScheme)) && d.Now().Sub(in.Stored) > unknownFor {
			return nil, stage.Reject(err)
		}
		return nil, err
	}
	data, err := event.Data(a)
	if err != nil {
		return nil, stage.Reject(err)
	}
	e := in.Next(event.DEC, typ, 0, d.Now())
	e.Tags, e.Rewards = a.Tags, event.RewardsOf(in.Status, progress)
	return []stage.Output{{Subject: subject, Envelope: e, Data: data}}, nil
}

// tags gives those of an event.
func (d *DEC) tags(p *event.PPHPromotion, status event.Status) []string {
	extra := d.Docs.Settings().UnqualificationTag
	if status != event.Unqualified || len(extra) == 0 || slices.Contains(p.Tags, extra[0]) {
		return p.Tags
	}
	return append(slices.Clone(p.Tags), extra[0])
}

var errScheme = errors.New("PPH knows no such rewardScheme")

func match(p *event.PPHPromotion, progress []event.RewardProgress) ([]event.EnrichedProgress, error) {
	all := make([]event.EnrichedProgress, len(progress))
	for i := range progress {
		r, ok := p.Scheme(progress[i].RewardSchemeID)
		if !ok {
			return nil, fmt.Errorf("promotion %s, rewardProgress/%d/rewardSchemeId %q: %w", p.PromoCode, i, progress[i].RewardSchemeID, errScheme)
		}
		all[i] = event.EnrichedProgress{
			RewardProgress: progress[i], Products: r.Products, RewardType: r.RewardType,
			ProductRewardType: r.ProductRewardType, TierDefinition: r.TierDefinition, ExpirationDate: r.ExpirationDate,
		}
	}
	return all, nil
}
