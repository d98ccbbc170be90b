package uplink

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/nats-io/nats.go"

	"tillstream/edge/journal"
	"tillstream/kv/record"
	"tillstream/subjects"
	"tillstream/subjects/service"
)

// IntakeConfig says what a store's intake serves.
type IntakeConfig struct {
	Conn    *nats.Conn
	Store   subjects.StoreID
	Journal *journal.Journal
	Log     *slog.Logger
}

// Intake is the taking end: a store's service for its tills.
type Intake struct{ cfg IntakeConfig }

// NewIntake makes an Intake.
func NewIntake(cfg IntakeConfig) *Intake { return &Intake{cfg} }

// Run serves until ctx ends, and waits for the packs under way.
func (in *Intake) Run(ctx context.Context) error {
	return service.New(service.Config{
		Conn: in.cfg.Conn, Name: subjects.ServiceIngest, Endpoint: "pack", Subject: subjects.AnyLane{Store: in.cfg.Store}.Ingest(),
		Description: "takes packs of records from tills of store " + in.cfg.Store.String(), Inbox: subjects.LaneInbox, Answer: in.answer, Log: in.cfg.Log,
	}).Run(ctx)
}

func (in *Intake) answer(ctx context.Context, q service.Question) (service.Answer, error) {
	marks, err := in.take(ctx, q)
	switch {
	case errors.Is(err, record.ErrFormat):
		return service.Answer{}, &service.Refusal{Err: err}
	case err != nil:
		if ctx.Err() == nil {
			in.cfg.Log.Error("takes no pack", "subject", q.Subject, "err", err)
		}
		return service.Answer{}, err
	}
	return service.Answer{Data: record.AppendMarks(nil, marks)}, nil
}

func (in *Intake) take(ctx context.Context, q service.Question) ([]record.Mark, error) {
	lane, ok := subjects.LaneOf(q.Subject)
	if !ok || lane.Store != in.cfg.Store {
		return nil, fmt.Errorf("%w: the subject names no till of this store", record.ErrFormat)
	}
	p, err := record.ReadPack(q.Data)
	if err != nil {
		return nil, err
	}
	runs, marks := in.own(lane.Till, p.Runs)
	if len(runs) > 0 {
		// From here on, once Accept has returned, the records are on this store's disk.
		taken, err := in.cfg.Journal.Accept(ctx, runs)
		if err != nil {
			return nil, err
		}
		marks = append(marks, taken...)
	}
	return append(marks, in.cfg.Journal.Marks(p.Ask)...), nil
}

// own gives the runs of chains that the till began, and refuses the others: a till sends its own.
func (in *Intake) own(till subjects.TillID, runs []record.Run) (own []record.Run, refused []record.Mark) {
	for i := range runs {
		start, known := in.cfg.Journal.Start(runs[i].Chain)
		if !known && runs[i].First == 1 {
			if recs, err := runs[i].Receipts(false); err == nil {
				start, _ = record.ReadStart(recs[0].Data) // what does not read is no till's, and refused
				known = true
			}
		}
		if known && start.Till != till {
			in.cfg.Log.Warn("refuses a run of another till's chain", "till", till, "chain", runs[i].Chain, "of", start.Till)
			refused = append(refused, record.Mark{Chain: runs[i].Chain, Status: record.StatusRefused})
			continue
		}
		own = append(own, runs[i])
	}
	return own, refused
}
