package edge

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"tillstream/edge/journal"
	"tillstream/kv/record"
	"tillstream/kv/setting"
	"tillstream/subjects"
	"tillstream/subjects/service"
)

// askSale bounds a store's question to the centre for a sale: within what a till waits for the store.
const askSale = 350 * time.Millisecond

// sale asks upstream for a sale and what was given back of it. whole says that the centre was asked.
func (n *Node) sale(ctx context.Context, rid record.RID) (said record.SaleAnswer, whole bool, err error) {
	subject := n.net.POSSale(n.cfg.Store)
	if n.cfg.isTill() {
		subject = n.lane().Sale()
	}
	if len(n.cfg.Upstream) == 0 {
		return said, true, nil // nobody else sells
	}
	if !n.Linked() {
		return said, false, errNoLine
	}
	a, err := service.Ask(ctx, n.conn, subject, rid[:])
	if err != nil {
		return said, false, fmt.Errorf("ask for sale %s: %w", rid, err)
	}
	said, err = record.ReadSaleAnswer(a.Data)
	return said, err == nil && a.Header.Get(sourceHeader) != sourceStore, err
}

// returns is the chain's policy for what is given back, as it is now.
func (n *Node) returns() setting.Returns { return n.rules.Now().Returns() }

// errNoLine means that the line upward is down, which is not waited for.
var errNoLine = errors.New("the line upward is down")

// salesService answers a store's tills: from the journal, which has what they have sold and given back and the
// centre may not, and from the centre, which has what other stores have given back. While the centre is
// silent the store's own is told, and said to be that.
func (n *Node) salesService() *service.Service {
	return service.New(service.Config{
		Conn: n.conn, Name: subjects.ServiceStore, Endpoint: "sale", Subject: subjects.AnyLane{Store: n.cfg.Store}.Sale(),
		Description: "sales and returns for tills of store " + n.cfg.Store.String(),
		AtOnce:      64, Inbox: subjects.LaneInbox, Answer: n.saleForTill, Log: n.log,
	})
}

func (n *Node) saleForTill(ctx context.Context, q service.Question) (a service.Answer, err error) {
	var rid record.RID
	if len(q.Data) != len(rid) {
		return a, &service.Refusal{Err: errors.New("want the 16 bytes of a rid")}
	}
	copy(rid[:], q.Data)
	own, err := n.sales.find(ctx, n.journal, rid)
	if err != nil {
		return a, err
	}
	ctx, cancel := context.WithTimeout(ctx, askSale)
	defer cancel()
	said, whole, err := n.sale(ctx, rid)
	if err != nil {
		n.log.Debug("the centre does not tell of a sale", "rid", rid, "err", err)
	}
	if !whole && len(own) == 0 {
		return a, err // ask again: it may be another store's
	}
	all := together(own, said)
	if !whole {
		a.Header = nats.Header{sourceHeader: {sourceStore}}
	}
	a.Data = all.Append(nil)
	return a, nil
}

// together puts what lies here and what the centre has into one answer, the sale first, as far as it fits.
func together(own []record.Receipt, said record.SaleAnswer) record.SaleAnswer {
	all := record.SaleAnswer{More: said.More}
	size := 0
	for _, r := range append(own, said.Records...) {
		if slices.ContainsFunc(all.Records, func(o record.Receipt) bool { return o.RID == r.RID }) {
			continue
		}
		if size += r.Size() + len(r.Data); size > record.MaxSale {
			all.More = true
			break
		}
		all.Records = append(all.Records, r)
	}
	slices.SortStableFunc(all.Records, func(a, b record.Receipt) int { return saleLast(&a) - saleLast(&b) })
	return all
}

func saleLast(r *record.Receipt) int {
	if r.Kind == record.KindSale {
		return 0
	}
	return 1
}

// sales says where in a store's journal a sale lies, and what was given back of it. The journal's own index
// has only what was committed on its own disk, and a store commits nothing. It is made from the journal at a
// start, beside what the store answers, and kept by what comes: 24 bytes a receipt and what a map adds.
type sales struct {
	ready chan struct{} // closed when the journal has been read

	mu     sync.Mutex
	chains []record.ChainID
	number map[record.ChainID]uint32
	at     map[uint64]place   // by mark: of sales
	back   map[uint64][]place // by mark of the sale: of returns and voids
}

// place is that of a record: its chain by number.
type place struct {
	chain uint32
	seq   uint64
}

func newSales() *sales {
	return &sales{
		ready: make(chan struct{}), number: map[record.ChainID]uint32{}, at: map[uint64]place{}, back: map[uint64][]place{},
	}
}

// mark is the random part of a rid. Two that are equal are told apart by the record.
func mark(rid record.RID) uint64 { return binary.BigEndian.Uint64(rid[8:]) }

// add notes records that are in the journal.
func (s *sales) add(hs []record.Header) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range hs {
		h := &hs[i]
		if h.Kind == record.KindStart || h.Kind != record.KindSale && h.Of == (record.RID{}) {
			continue
		}
		n, ok := s.number[h.Chain]
		if !ok {
			n = uint32(len(s.chains))
			s.chains, s.number[h.Chain] = append(s.chains, h.Chain), n
		}
		p := place{n, h.Seq}
		if h.Kind == record.KindSale {
			s.at[mark(h.RID)] = p
		} else if m := mark(h.Of); !slices.Contains(s.back[m], p) {
			s.back[m] = append(s.back[m], p)
		}
	}
}

// kept takes what is new in the journal.
func (n *Node) kept(hs []record.Header) {
	n.cache.Overlay(hs)
	if n.sales != nil {
		n.sales.add(hs)
	}
}

// readSales makes a store's index of its tills' sales.
func (n *Node) readSales(ctx context.Context) error { return n.sales.read(ctx, n.journal) }

// read makes the index of a journal, until ctx ends.
func (s *sales) read(ctx context.Context, j *journal.Journal) error {
	for _, c := range j.Chains() {
		for r, err := range j.After(c.ID, 0) {
			if err != nil {
				return fmt.Errorf("read the store's sales: %w", err)
			}
			if ctx.Err() != nil {
				return nil
			}
			s.add([]record.Header{r.Header})
		}
	}
	close(s.ready)
	<-ctx.Done()
	return nil
}

// forget lets go of chains that are in the journal no more.
func (s *sales) forget(j *journal.Journal) {
	live := map[record.ChainID]bool{}
	for _, c := range j.Chains() {
		live[c.ID] = true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	gone := func(p place) bool { return !live[s.chains[p.chain]] }
	maps.DeleteFunc(s.at, func(_ uint64, p place) bool { return gone(p) })
	for m, all := range s.back {
		if all = slices.DeleteFunc(all, gone); len(all) == 0 {
			delete(s.back, m)
		} else {
			s.back[m] = all
		}
	}
}

// find gives a sale and what was given back of it, as far as they are in the journal; the sale first.
func (s *sales) find(ctx context.Context, j *journal.Journal, rid record.RID) (all []record.Receipt, err error) {
	select {
	case <-s.ready:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	s.mu.Lock()
	var at []place
	if p, ok := s.at[mark(rid)]; ok {
		at = append(at, p)
	}
	at = append(at, s.back[mark(rid)]...)
	chains := s.chains
	s.mu.Unlock()
	for _, p := range at {
		r, err := j.At(chains[p.chain], p.seq)
		switch {
		case errors.Is(err, journal.ErrNotFound): // swept
		case err != nil:
			return nil, err
		case r.RID == rid || r.Of == rid:
			all = append(all, r)
		}
	}
	return all, nil
}
