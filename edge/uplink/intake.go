package uplink

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"tillstream/edge/journal"
	"tillstream/kv/record"
	"tillstream/subjects"
)

// IntakeConfig says what a store's intake serves.
type IntakeConfig struct {
	Conn    *nats.Conn
	Store   subjects.StoreID
	Journal *journal.Journal
	Log     *slog.Logger
}

// Intake is the taking end: a store's service for its tills.
type Intake struct {
	cfg   IntakeConfig
	slots chan struct{}
}

// atOnce bounds the packs under way: a store has tens of tills, each with one.
const atOnce = 64

// NewIntake makes an Intake.
func NewIntake(cfg IntakeConfig) *Intake {
	return &Intake{cfg, make(chan struct{}, atOnce)}
}

// Run serves until ctx ends, and waits for the packs under way.
func (in *Intake) Run(ctx context.Context) error {
	svc, err := micro.AddService(in.cfg.Conn, micro.Config{
		Name: subjects.ServiceIngest, Version: "1.0.0",
		Description: "takes packs of records from tills of store " + in.cfg.Store.String(),
	})
	if err != nil {
		return fmt.Errorf("serve intake: %w", err)
	}
	var wg sync.WaitGroup
	err = svc.AddEndpoint("pack", micro.HandlerFunc(func(req micro.Request) {
		if ctx.Err() != nil {
			return
		}
		select {
		case in.slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		wg.Go(func() {
			defer func() { <-in.slots }()
			in.answer(ctx, req)
		})
	}), micro.WithEndpointSubject(subjects.AnyLane{Store: in.cfg.Store}.Ingest()))
	if err != nil {
		return fmt.Errorf("serve intake: %w", err)
	}
	<-ctx.Done()
	err = svc.Stop()
	for range cap(in.slots) { // packs still come out of a service that stops: leave them no slot
		in.slots <- struct{}{}
	}
	wg.Wait()
	if errors.Is(err, nats.ErrConnectionClosed) {
		err = nil
	}
	return err
}

// answer answers beside micro's own Respond and Error, which must not be called once the endpoint's
// handler has returned.
func (in *Intake) answer(ctx context.Context, req micro.Request) {
	marks, err := in.take(ctx, req)
	a := nats.NewMsg(req.Reply())
	refuse := func(code, why string) {
		a.Header.Set(micro.ErrorCodeHeader, code)
		a.Header.Set(micro.ErrorHeader, why)
	}
	switch {
	case err == nil:
		a.Data = record.AppendMarks(nil, marks)
	case errors.Is(err, record.ErrFormat):
		in.cfg.Log.Warn("refuses a pack", "subject", req.Subject(), "err", err)
		refuse("400", err.Error())
	case ctx.Err() != nil:
		refuse("503", "the store stops; send it again")
	default:
		in.cfg.Log.Error("takes no pack", "subject", req.Subject(), "err", err)
		refuse("503", "the journal does not take it now; send it again")
	}
	if err := in.cfg.Conn.PublishMsg(a); err != nil {
		in.cfg.Log.Debug("answer a pack", "subject", req.Subject(), "err", err) // the till sends it again
	}
}

func (in *Intake) take(ctx context.Context, req micro.Request) ([]record.Mark, error) {
	lane, ok := subjects.LaneOf(req.Subject())
	if !ok || lane.Store != in.cfg.Store {
		return nil, fmt.Errorf("%w: the subject names no till of this store", record.ErrFormat)
	}
	p, err := record.ReadPack(req.Data())
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
