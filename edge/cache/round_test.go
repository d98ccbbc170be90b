package cache_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"tillstream/edge/cache"
	"tillstream/kv/record"
)

// TestRound is the property the overlay exists for: in any order of receipts, acceptances, postings,
// pages with any limit, lost and repeated pages, restarts and deleted files, a node shows of each
// account the points of exactly the receipts that it can know of, each once; and when everything has
// gone round, the balance holds them all and nothing is pending.
//
// What a node can know of is a set: what its upstream showed of the account in the last page that had
// its item, and what the node keeps in its own journal.
func TestRound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "round")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		w := newWorld(t, dir)
		defer w.close()
		t.Repeat(map[string]func(*rapid.T){
			"sell":    w.sell,
			"sell2":   w.sell,
			"foreign": w.foreign,
			"accept":  w.accept,
			"accept2": w.accept,
			"post":    w.post,
			"pull":    w.pull,
			"pull2":   w.pull,
			"arrive":  w.arrive,
			"arrive2": w.arrive,
			"arrive3": w.arrive,
			"restart": w.restart,
			"learn":   w.learn,
			"":        w.check,
		})
		w.settle(t)
	})
}

type set map[int]int64 // receipt -> points

func (s set) sum() (n int64) {
	for _, p := range s {
		n += p
	}
	return n
}

// node is a till or the store, with its journal and what the model says it knows.
type node struct {
	name    string
	path    string
	c       *cache.Cache
	chain   record.ChainID // of a till: the one it writes
	seq     uint64
	journal map[record.ChainID][]kept
	order   []record.ChainID
	fell    map[record.AccountID]set // by the last item
	flying  *flight
}

type kept struct {
	id int
	h  record.Header
}

// flight is a page between two nodes, and what its items contain.
type flight struct {
	page record.Page
	sets map[record.AccountID]set
}

type world struct {
	tills    []*node
	store    *node
	accounts []record.AccountID
	receipts int
	chains   int

	// The centre: entries of its journal, an index of the last entry by account and by chain.
	entry   uint64
	posted  map[record.AccountID]set
	touched map[record.AccountID]uint64
	marks   map[record.ChainID]record.Counted
	moved   map[record.ChainID]uint64
}

func newWorld(t *rapid.T, dir string) *world {
	w := &world{
		posted:  map[record.AccountID]set{},
		touched: map[record.AccountID]uint64{},
		marks:   map[record.ChainID]record.Counted{},
		moved:   map[record.ChainID]uint64{},
	}
	for i := range 4 {
		w.accounts = append(w.accounts, record.AccountID{byte(i + 1)})
	}
	for i := range 3 {
		n := &node{
			name: fmt.Sprint("till", i), path: filepath.Join(dir, fmt.Sprint(i)),
			journal: map[record.ChainID][]kept{},
		}
		if i == 2 {
			n.name, w.store = "store", n
		} else {
			w.tills = append(w.tills, n)
		}
		w.start(t, n)
	}
	return w
}

func (w *world) nodes() []*node { return append(slices.Clone(w.tills), w.store) }

func (w *world) close() {
	for _, n := range w.nodes() {
		n.c.Close()
	}
}

// start opens a node's cache and gives it its overlay; a till begins a chain.
func (w *world) start(t *rapid.T, n *node) {
	c, err := cache.Open(cache.Config{Path: n.path, Ring: ring})
	if err != nil {
		t.Fatal(err)
	}
	n.c, n.flying = c, nil
	if n.fell == nil {
		n.fell = map[record.AccountID]set{}
	}
	n.rebuild()
	if n != w.store {
		w.chains++
		n.chain, n.seq = record.ChainID{byte(w.chains), byte(w.chains >> 8), 1}, 0
		w.keep(n, record.Header{Kind: record.KindStart})
	}
}

// rebuild is what the owner does after a restart and after a reset.
func (n *node) rebuild() {
	for _, id := range n.order {
		for _, k := range n.journal[id] {
			if k.h.Seq > n.c.Counted(id) {
				n.c.Overlay([]record.Header{k.h})
			}
		}
	}
}

func (n *node) append(ks ...kept) {
	var hs []record.Header
	for _, k := range ks {
		if n.journal[k.h.Chain] == nil {
			n.order = append(n.order, k.h.Chain)
		}
		n.journal[k.h.Chain] = append(n.journal[k.h.Chain], k)
		hs = append(hs, k.h)
	}
	n.c.Overlay(hs)
}

func (w *world) keep(n *node, h record.Header) {
	n.seq++
	w.receipts++
	h.Chain, h.Seq = n.chain, n.seq
	n.append(kept{w.receipts, h})
}

// knows is the model: what the node shows of an account.
func (n *node) knows(a record.AccountID) set {
	s := maps.Clone(n.fell[a])
	if s == nil {
		s = set{}
	}
	for _, ks := range n.journal {
		for _, k := range ks {
			if k.h.Account == a {
				s[k.id] = points(k.h)
			}
		}
	}
	return s
}

func points(h record.Header) int64 {
	if h.Kind == record.KindSale {
		return h.Points
	}
	return -h.Points
}
