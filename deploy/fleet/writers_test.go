package fleet_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"

	"tillstream/central/books"
	"tillstream/central/replica"
	"tillstream/deploy/fleet"
	"tillstream/kv/record"
	"tillstream/subjects"
)

// gate stops what passes, one way, without the other end learning of it: the process behind it is
// paused, or its network is.
type gate struct {
	mu   sync.Mutex
	open chan struct{} // guarded by mu; closed while the gate is open
}

func newGate() *gate {
	g := &gate{open: make(chan struct{})}
	close(g.open)
	return g
}

func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open = make(chan struct{})
}

func (g *gate) lift() {
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-g.open:
	default:
		close(g.open)
	}
}

func (g *gate) pass() {
	g.mu.Lock()
	open := g.open
	g.mu.Unlock()
	<-open
}

// wire is a node's connection to its own server with a gate each way.
type wire struct {
	nats.InProcessConnProvider
	in, out *gate
}

func (w wire) InProcessConn() (net.Conn, error) {
	c, err := w.InProcessConnProvider.InProcessConn()
	return gated{c, w}, err
}

type gated struct {
	net.Conn
	wire wire
}

func (c gated) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.wire.in.pass()
	return n, err
}

func (c gated) Write(b []byte) (int, error) {
	c.wire.out.pass()
	return c.Conn.Write(b)
}

// sleeper is one more replica of the centre, whose connections can be stopped.
type sleeper struct {
	*replica.Replica
	books               *books.Books
	in, out             *gate // what it hears, heartbeats apart, and says
	beatsIn, beatsOut   *gate
	connection, beating *nats.Conn
}

// connectAs opens another connection as a node's own user.
func connectAs(t *testing.T, c *fleet.Centre, in, out *gate) *nats.Conn {
	t.Helper()
	o := c.Node().Conn().Opts
	o.InProcessServer = wire{o.InProcessServer, in, out}
	nc, err := o.Connect()
	must(t, err)
	return nc
}

// addSleeper runs a fourth replica beside the centre's three. It hears nobody, and nobody hears that it
// lives, until it is woken.
func addSleeper(t *testing.T, f *fleet.Fleet) *sleeper {
	t.Helper()
	s := &sleeper{books: books.New(), in: newGate(), out: newGate(), beatsIn: newGate(), beatsOut: newGate()}
	at := f.Centre()[0]
	s.connection, s.beating = connectAs(t, at, s.in, s.out), connectAs(t, at, s.beatsIn, s.beatsOut)
	s.beatsIn.shut()
	s.beatsOut.shut()
	var err error
	s.Replica, err = replica.Open(replica.Config{
		Node: subjects.NodeID{Token: subjects.MustToken("c4")}, Net: f.Net(), Machine: s.books, Dir: t.TempDir(),
		Conn: s.connection, Beats: s.beating, Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := s.Run(ctx); err != nil {
			t.Errorf("sleeper: %v", err)
		}
	})
	t.Cleanup(func() {
		s.wake()
		cancel()
		wg.Wait()
		s.connection.Close()
		s.beating.Close()
		must(t, s.Abandon())
	})
	return s
}

// wake gives the sleeper all its connections back.
func (s *sleeper) wake() {
	for _, g := range []*gate{s.in, s.out, s.beatsIn, s.beatsOut} {
		g.lift()
	}
}

// thinksItWrites reports whether the sleeper believes that it is the writer.
func (s *sleeper) thinksItWrites() bool { return s.Status().Writer == "c4" }

// level waits until the sleeper has come to the same state as the centre's nodes.
func (s *sleeper) level(t *testing.T, f *fleet.Fleet) {
	t.Helper()
	await(t, "be level", func() error {
		want, got := f.Centre()[0].Node().Replica().Status(), s.Status()
		if got.Hash != want.Hash || got.Digest != want.Digest {
			return fmt.Errorf("the sleeper is at entry %d with digest %s, want %d with %s", got.Entry, got.Digest, want.Entry, want.Digest)
		}
		return nil
	})
}

// A node that hears no heartbeats, and whose own are not heard, takes the journal from whoever writes it, again and
// again, and the centre takes it back: each time there are two who believe that they write, and both are given the
// same packs. There is one journal, and each receipt is in it once.
func TestTwoWritersAtOnce(t *testing.T) {
	f := open(t, fleet.Config{Stores: 2, Tills: 2})
	p := sendTwice(t, f)
	s := addSleeper(t, f)
	const rounds, each = 4, 20
	all := generate(rounds*each, 10)
	var proposals sync.WaitGroup
	given := 0
	for n := range rounds {
		// Who writes all the time is not pushed aside on a busy machine: so nothing is sold until it is.
		await(t, "take the journal", func() error {
			if !s.thinksItWrites() {
				return errors.New("the sleeper does not write")
			}
			return nil
		})
		term := s.Status().Term
		sent := p.all()
		for _, m := range sent[given:] {
			proposals.Go(func() { proposeAgain(t, s, m) })
		}
		given = len(sent)
		sell(t, f, all[n*each:(n+1)*each])
		await(t, "take it back", func() error {
			if w := f.Writer(); w == nil || w.Node().Replica().Status().Term <= term {
				return errors.New("the centre does not write")
			}
			return nil
		})
	}
	s.wake()
	proposals.Wait()
	settle(t, f, all)
	s.level(t, f)
	if given == 0 {
		t.Error("no pack was given to both")
	}
	if n := repeats(t, f); n != 0 {
		t.Errorf("%d records came a second time in another chain", n)
	}
}

// proposeAgain gives the sleeper a pack that a store has sent to the centre.
func proposeAgain(t *testing.T, s *sleeper, m *nats.Msg) {
	t.Helper()
	p, err := record.ReadPack(m.Data)
	must(t, err)
	pack := books.Pack{Store: subjects.StoreID{Token: subjects.MustToken(m.Subject[len(m.Subject)-4:])}}
	for i := range p.Runs {
		recs, err := p.Runs[i].Receipts(true)
		must(t, err)
		pack.Runs = append(pack.Runs, recs)
	}
	if len(pack.Runs) == 0 {
		return
	}
	if _, _, err := s.Propose(within(t, patience), pack.Proposal()); err != nil {
		t.Errorf("propose at the sleeper: %v", err)
	}
}

// The node that writes falls asleep with an entry under way. The others go on without it and are given
// the same receipts; when it wakes, it finds that it is writer no more, and nothing is doubled: neither
// when its entry was stored and only the acknowledgement slept, nor when the entry itself comes too late.
func TestWriterSleepsWithAnEntryUnderWay(t *testing.T) {
	for _, under := range []struct {
		name   string
		asleep func(*sleeper) *gate
	}{
		{"stored, not acknowledged", func(s *sleeper) *gate { return s.in }},
		{"not stored", func(s *sleeper) *gate { return s.out }},
	} {
		t.Run(under.name, func(t *testing.T) {
			f := open(t, fleet.Config{Stores: 1, Tills: 1})
			sold := generate(100, 11)
			sell(t, f, sold)
			settle(t, f, sold)
			s := addSleeper(t, f)
			await(t, "write", func() error {
				if !s.thinksItWrites() {
					s.beatsIn.shut()
					return errors.New("the sleeper does not write")
				}
				s.beatsIn.lift()
				s.beatsOut.lift()
				if w := f.Centre()[1].Node().Replica().Status().Writer; w != "c4" {
					return fmt.Errorf("node %q writes for the others", w)
				}
				return nil
			})
			term := s.Status().Term

			under.asleep(s).shut()
			s.beatsIn.shut()
			s.beatsOut.shut()
			one := purchase("sleeper", 9_00)
			recs := newChain(f, "0001", "77", one)
			noteSold(f, "0001", "77", one)
			sold = append(sold, one)
			pack := proposalOf("0001", recs)
			var wg sync.WaitGroup
			wg.Go(func() {
				if _, _, err := s.Propose(within(t, patience), pack.Proposal()); err != nil {
					t.Errorf("propose at the sleeper: %v", err)
				}
			})
			t.Cleanup(wg.Wait)
			await(t, "take over", func() error {
				if w := f.Writer(); w == nil || w.Node().Replica().Status().Term <= term {
					return errors.New("nobody has taken over")
				}
				return nil
			})
			if !s.thinksItWrites() {
				t.Error("the sleeper knows that it does not write")
			}
			m, err := f.Centre()[2].Node().Conn().RequestWithContext(within(t, patience), f.Net().Ingest(f.Store(0).Config().Store), packOf(recs))
			must(t, err)
			if marks, err := record.ReadMarks(m.Data); err != nil || len(marks) != 1 || marks[0].Held != 2 {
				t.Errorf("the pack is answered %+v, %v; want held 2", marks, err)
			}
			more := generate(100, 12)
			sell(t, f, more)
			sold = append(sold, more...)

			s.wake()
			wg.Wait()
			settle(t, f, sold)
			s.level(t, f)
			if s.thinksItWrites() {
				t.Error("the sleeper thinks that it writes")
			}
			account(t, f, "sleeper", 9, 0)
		})
	}
}
