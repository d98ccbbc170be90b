package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"tillstream/deploy/fleet"
	"tillstream/edge/leaf"
	"tillstream/kv/record"
	"tillstream/subjects"
)

// runReceipts is how many receipts a run holds: what a till under load keeps in one transaction.
const runReceipts = 32

// packWait bounds a pack's way to the journal and back, and packTries how often it is tried.
const (
	packWait  = 20 * time.Second
	packTries = 5
)

// errMark means that the centre does not hold what it was sent.
var errMark = errors.New("the centre does not hold the pack")

// centre measures the centre alone: stores' leafs send packs that lie ready, one after the other as an
// uplink does, until the last receipt is posted, folded on three nodes and in their history.
func (b *bench) centre(ctx context.Context) ([]Result, error) {
	bare, err := b.cluster(ctx)
	if err != nil {
		return nil, err
	}
	f, err := b.centreOnly(ctx, "centre", chainStores)
	if err != nil {
		return nil, err
	}
	results, err := b.centreRounds(ctx, f, bare)
	return results, errors.Join(err, f.Close())
}

// centreOnly starts a fleet and drops its stores and tills.
func (b *bench) centreOnly(ctx context.Context, name string, stores int) (*fleet.Fleet, error) {
	dir, err := b.place.onDisk(name)
	if err != nil {
		return nil, err
	}
	f, err := openFleet(ctx, b, fleet.Config{Dir: dir, Stores: stores})
	if err != nil {
		return nil, err
	}
	for _, s := range f.Stores() {
		for _, t := range s.Tills() {
			err = errors.Join(err, t.Crash())
		}
		err = errors.Join(err, s.Crash())
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func (b *bench) centreRounds(ctx context.Context, f *fleet.Fleet, bare *bare) (results []Result, err error) {
	var senders []*sender
	defer func() {
		for _, s := range senders {
			err = errors.Join(err, s.close())
		}
	}()
	deck := &deck{receipts: b.receipts}
	for i := range f.Stores() {
		s, err := openSender(ctx, f, i)
		if err != nil {
			return nil, err
		}
		senders = append(senders, s)
	}
	n := b.size(30_000, 4000)
	ours := func(ctx context.Context) (float64, error) {
		load := newPacks(senders, deck, n)
		took, err := load.send(ctx, f, senders)
		if n := load.again.Load(); n > 0 {
			b.note("%d packs were not answered in time and were sent again", n)
		}
		return rate(n, took), err
	}
	base := func(ctx context.Context) (float64, error) {
		return bare.publish(ctx, bodies(senders, deck, n))
	}
	if _, err := ours(ctx); err != nil { // warms up
		return nil, err
	}
	p, err := b.alternate(ctx, b.rounds, ours, base)
	if err != nil {
		return nil, err
	}
	results = []Result{p.result("centre", "receipts/s", bareBaseline, ratioAtLeast(0.8))}
	load := newPacks(senders, deck, n)
	stages, err := b.stages(ctx, "centre", func(ctx context.Context) (int, error) {
		_, err := load.send(ctx, f, senders)
		return n, err
	})
	return append(results, stages...), err
}

// sender is a store without tills and journal: a leaf of the centre, and chains to write on.
type sender struct {
	subject string
	leaf    *leaf.Leaf
	conn    *nats.Conn
	pens    []*pen
}

// openSender joins the centre as the fleet's i-th store.
func openSender(ctx context.Context, f *fleet.Fleet, i int) (*sender, error) {
	cfg := f.Store(i).Config()
	seed, err := os.ReadFile(cfg.UpstreamSeed)
	if err != nil {
		return nil, fmt.Errorf("open sender: %w", err)
	}
	var to []string
	for _, c := range f.Centre() {
		to = append(to, "nats-leaf://"+c.Node().LeafAddr())
	}
	s, err := joinCentre(ctx, f.Net(), cfg.Store, strings.TrimSpace(string(seed)), to[i%len(to):i%len(to)+1])
	if err != nil {
		return nil, err
	}
	for k := range chainTills {
		s.pens = append(s.pens, newPen(cfg.Store, subjects.TillID{Token: subjects.MustToken(fmt.Sprintf("%02d", k+1))}))
	}
	return s, nil
}

// joinCentre opens a store's leaf and waits until the centre answers it.
func joinCentre(ctx context.Context, n subjects.Net, store subjects.StoreID, seed string, to []string) (*sender, error) {
	s := &sender{subject: n.Ingest(store)}
	var err error
	s.leaf, err = leaf.Open(leaf.Config{
		Name: "bench-" + store.String(), Upstreams: to, UpstreamSeed: seed, DenyUp: subjects.StaysHere(), Compression: "s2_fast",
	})
	if err != nil {
		return nil, err
	}
	if s.conn, err = s.leaf.Connect(subjects.StoreInbox(store)); err != nil {
		return nil, errors.Join(err, s.close())
	}
	ctx, cancel := context.WithTimeout(ctx, readyIn)
	defer cancel()
	err = until(ctx, 5*time.Millisecond, "the centre answers "+store.String(), func() error {
		_, err := s.ask(ctx, &record.Pack{}, time.Second)
		return err
	})
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *sender) close() error {
	if s.conn != nil {
		s.conn.Close()
	}
	return s.leaf.Close()
}

// ask sends a pack and gives the marks of its chains.
func (s *sender) ask(ctx context.Context, p *record.Pack, wait time.Duration) ([]record.Mark, error) {
	return s.request(ctx, p.Append(nil), wait)
}

func (s *sender) request(ctx context.Context, data []byte, wait time.Duration) ([]record.Mark, error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	m, err := s.conn.RequestWithContext(ctx, s.subject, data)
	if err != nil {
		return nil, fmt.Errorf("send a pack: %w", err)
	}
	if code := m.Header.Get(micro.ErrorCodeHeader); code != "" {
		return nil, fmt.Errorf("send a pack: the centre answers %s: %s", code, m.Header.Get(micro.ErrorHeader))
	}
	marks, err := record.ReadMarks(m.Data)
	if err != nil {
		return nil, err
	}
	for i := range marks {
		if marks[i].Status != record.StatusHeld {
			return nil, fmt.Errorf("send a pack: %w: chain %s is %s", errMark, marks[i].Chain, marks[i].Status)
		}
	}
	return marks, nil
}

// bodies are those of n receipts, as the senders' tills would write them.
func bodies(senders []*sender, deck *deck, n int) [][]byte {
	out := make([][]byte, n)
	for i := range out {
		r := deck.deal()
		at, till := r.Place(len(senders), chainTills)
		pen := senders[at].pens[till]
		out[i] = r.Body(pen.store.String(), pen.till.String())
	}
	return out
}

// packs are receipts made ready to be sent, by store.
type packs struct {
	by    [][][]byte
	n     int
	again atomic.Int64 // packs that had to be sent again
}

// newPacks writes n receipts on the senders' chains and packs them.
func newPacks(senders []*sender, deck *deck, n int) *packs {
	p := &packs{by: make([][][]byte, len(senders)), n: n}
	waiting := make([]map[*pen][]record.Receipt, len(senders))
	for i := range waiting {
		waiting[i] = map[*pen][]record.Receipt{}
	}
	for range n {
		r := deck.deal()
		at, till := r.Place(len(senders), chainTills)
		s := senders[at]
		pen := s.pens[till]
		if pen.seq == 0 {
			waiting[at][pen] = append(waiting[at][pen], pen.start())
		}
		body := r.Body(pen.store.String(), pen.till.String())
		var account record.AccountID
		if r.Customer != "" {
			account = shopper(r.Customer)
		}
		waiting[at][pen] = append(waiting[at][pen], pen.sale(r.RID, account, max(r.Total(), 0)/100, body))
	}
	for i, s := range senders {
		p.by[i] = packAll(s.pens, waiting[i])
	}
	return p
}

// packAll makes runs of the chains' records, in turn, and packs of the runs.
func packAll(pens []*pen, recs map[*pen][]record.Receipt) (out [][]byte) {
	var pack record.Pack
	raw := 0
	flush := func() {
		if len(pack.Runs) > 0 {
			out = append(out, pack.Append(nil))
		}
		pack, raw = record.Pack{}, 0
	}
	for left := true; left; {
		left = false
		for _, p := range pens {
			run := nextRun(recs[p])
			if len(run) == 0 {
				continue
			}
			recs[p], left = recs[p][len(run):], true
			r := record.PackRun(run)
			if raw+int(r.Raw) > record.MaxPack {
				flush()
			}
			pack.Runs, raw = append(pack.Runs, r), raw+int(r.Raw)
		}
	}
	flush()
	return out
}

// nextRun takes records for one run.
func nextRun(recs []record.Receipt) []record.Receipt {
	size := 0
	for i := range recs {
		size += record.HeaderSize + len(recs[i].Data)
		if i > 0 && size > record.MaxRun || i == runReceipts {
			return recs[:i]
		}
	}
	return recs
}

// send sends the packs of each store one after the other, and gives the time until every node has folded
// what came of them and has it in its history.
func (p *packs) send(ctx context.Context, f *fleet.Fleet, senders []*sender) (time.Duration, error) {
	want := posted(f) + uint64(p.n)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	began := time.Now()
	var wg sync.WaitGroup
	for i, s := range senders {
		wg.Go(func() {
			for _, data := range p.by[i] {
				if err := p.sendOne(ctx, s, data); err != nil {
					cancel(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	err := until(ctx, time.Millisecond, "every node has folded it", func() error { return folded(f, want) })
	return time.Since(began), err
}

// sendOne sends a pack until it is answered, as an uplink does.
func (p *packs) sendOne(ctx context.Context, s *sender, data []byte) error {
	for range packTries {
		_, err := s.request(ctx, data, packWait)
		if err == nil || errors.Is(err, errMark) || ctx.Err() != nil {
			return err
		}
		p.again.Add(1)
		sleep(ctx, 50*time.Millisecond)
	}
	return fmt.Errorf("a pack was sent %d times without an answer", packTries)
}

// folded is nil when every node of the centre has posted so many receipts and written its history.
func folded(f *fleet.Fleet, want uint64) error {
	for _, c := range f.Centre() {
		n := c.Node()
		if n == nil {
			return fmt.Errorf("%s is down", c.Name())
		}
		var got uint64
		if err := n.Replica().Read(context.Background(), 0, func(uint64) { got = n.Books().Totals().Posted }); err != nil {
			return err
		}
		if waits := n.Replica().Status().Waiting; got < want || waits > 0 {
			return fmt.Errorf("%s has posted %d of %d, and %d bytes of its history wait", c.Name(), got, want, waits)
		}
	}
	return nil
}
