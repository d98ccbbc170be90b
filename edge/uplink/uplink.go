package uplink

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"tillstream/edge/journal"
	"tillstream/kv/record"
	"tillstream/subjects/service"
)

// Config says what an Uplink sends, and where to.
type Config struct {
	Conn    *nats.Conn
	Subject string // of the upstream's intake, naming this node
	Journal *journal.Journal
	// Link gives a number that changes when the link upward is made anew, and whether it is up. The
	// client's own status does not tell: it is connected to this node's server, cut or not.
	Link func() (id uint64, up bool)
	Wait time.Duration // for an answer; zero: 10 s. The centre answers when the journal has the pack
	Log  *slog.Logger
}

// Uplink is the sending end.
type Uplink struct {
	cfg   Config
	last  atomic.Int64 // Unix nanoseconds of the last answer
	taken uint64       // packs with runs that were answered; owned by Run
}

// New makes an Uplink.
func New(cfg Config) *Uplink {
	if cfg.Wait == 0 {
		cfg.Wait = 10 * time.Second
	}
	return &Uplink{cfg: cfg}
}

// LastAnswer is when the upstream answered last; zero: never. Its age is the health of the link.
func (u *Uplink) LastAnswer() time.Time {
	if n := u.last.Load(); n != 0 {
		return time.Unix(0, n)
	}
	return time.Time{}
}

// Times of a session.
const (
	lookEvery  = 100 * time.Millisecond // at the link, while an answer is awaited
	askAgain   = 15 * time.Second       // between tips asked for while there is nothing to send
	askWait    = 2 * time.Second        // for tips, see ask
	pauseFirst = 50 * time.Millisecond  // after an error, doubling up to pauseMost
	pauseMost  = time.Second
)

// Run sends until ctx ends.
func (u *Uplink) Run(ctx context.Context) error {
	pause := pauseFirst
	for ctx.Err() == nil {
		began, taken := time.Now(), u.taken
		err := u.session(ctx)
		if ctx.Err() != nil {
			return nil
		}
		// That the tips were told is no reason to hurry: an upstream whose disk is full tells them too.
		if u.taken != taken || time.Since(began) > pauseMost {
			pause = pauseFirst
		}
		u.cfg.Log.Debug("uplink starts again", "err", err)
		// Jitter, or ten thousand stores come back in step after a cut.
		if !sleep(ctx, pause/2+rand.N(pause)) {
			return nil
		}
		pause = min(2*pause, pauseMost)
	}
	return nil
}

// session asks for the tips and sends until something fails.
func (u *Uplink) session(ctx context.Context) error {
	link, up := u.cfg.Link()
	if !up {
		return errors.New("the link upward is down")
	}
	for {
		life := u.cfg.Journal.Life()
		if err := u.ask(ctx, link); err != nil {
			return err
		}
		if err := u.send(ctx, link, life); err != nil {
			return err
		}
	}
}

// ask learns how far the upstream holds the chains that it has not posted yet. It does not wait as long as a
// pack may: upstream knows the answer, and a question that came before anybody served there is lost. (Nobody
// says "no responders" for the centre: the hub's door between accounts takes whatever comes.)
func (u *Uplink) ask(ctx context.Context, link uint64) error {
	var p record.Pack
	for _, c := range u.cfg.Journal.Chains() {
		if c.Refused == 0 && c.Posted < c.Tip.Seq {
			p.Ask = append(p.Ask, c.ID)
		}
	}
	return u.request(ctx, &p, link, min(askWait, u.cfg.Wait))
}

// send sends packs until there has been nothing to send for a while, or until upstream has begun another
// life, whose tips are not known yet.
func (u *Uplink) send(ctx context.Context, link, life uint64) error {
	idle := time.NewTimer(askAgain)
	defer idle.Stop()
	for u.cfg.Journal.Life() == life {
		if runs := u.cfg.Journal.Next(record.MaxPack); len(runs) > 0 {
			if err := u.request(ctx, &record.Pack{Runs: runs}, link, u.cfg.Wait); err != nil {
				return err
			}
			u.taken++
			continue
		}
		select {
		case <-u.cfg.Journal.Changed():
		case <-idle.C:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// request sends a pack and tells the journal what the answer says. It gives up as soon as the link is
// another one: an answer that was under way when it broke does not come.
func (u *Uplink) request(ctx context.Context, p *record.Pack, link uint64, wait time.Duration) error {
	rctx, cancel := context.WithTimeout(ctx, wait)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() {
		look := time.NewTicker(lookEvery)
		defer look.Stop()
		for {
			select {
			case <-look.C:
				if now, up := u.cfg.Link(); !up || now != link {
					cancel()
				}
			case <-rctx.Done():
				return
			}
		}
	})
	a, err := service.Ask(rctx, u.cfg.Conn, u.cfg.Subject, p.Append(nil))
	if err != nil {
		return fmt.Errorf("send %d runs: %w", len(p.Runs), err)
	}
	marks, err := record.ReadMarks(a.Data)
	if err != nil {
		return fmt.Errorf("send %d runs: %w", len(p.Runs), err)
	}
	u.last.Store(time.Now().UnixNano())
	return u.cfg.Journal.Confirm(marks)
}

// sleep waits unless ctx ends first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
