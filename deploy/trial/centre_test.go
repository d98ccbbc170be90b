package trial_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tillstream/central/books"
	"tillstream/central/feed"
	"tillstream/central/fold"
	"tillstream/central/hub"
	"tillstream/central/ingest"
	"tillstream/central/replica"
	"tillstream/central/streams"
)

// centre is one server of the centre, alone, and what works on it.
type centre struct {
	hub *hub.Hub
	dir string
	*member
}

// member is a replica and its services, as central.Node puts them together.
type member struct {
	books   *books.Books
	replica *replica.Replica
	stop    func()
}

func openCentre(t *testing.T) *centre {
	t.Helper()
	c := &centre{dir: t.TempDir()}
	var err error
	c.hub, err = hub.Open(hub.Config{
		Node: node("c1"), Brands: []hub.Brand{{Net: brand}}, DataDir: filepath.Join(c.dir, "jetstream"), Log: logger(t),
	})
	must(t, err)
	t.Cleanup(func() { must(t, c.hub.Close()) })
	must(t, c.hub.Ready(t.Context()))
	return c
}

func (c *centre) connect(t *testing.T, name string) *nats.Conn {
	t.Helper()
	nc, err := c.hub.Connect(brand.Brand, name)
	must(t, err)
	t.Cleanup(nc.Close)
	return nc
}

// start makes the centre work.
func (c *centre) start(t *testing.T, now func() time.Time) {
	t.Helper()
	c.member = c.join(t, "c1", 1, now)
}

// join makes one more replica of the journal, with a clock of its own. Replicas know each other by their
// heartbeats and by the journal, so several on one server are as those on three, but for the server. nodes is
// how many the centre has.
func (c *centre) join(t *testing.T, name string, nodes int, now func() time.Time) *member {
	t.Helper()
	conn, beats := c.connect(t, name), c.connect(t, name+" heartbeats")
	js, err := jetstream.New(conn)
	must(t, err)
	_, err = streams.Apply(t.Context(), js, streams.Want(brand, 1))
	must(t, err)
	m := &member{books: books.New()}
	m.replica, err = replica.Open(replica.Config{
		Node: node(name), Net: brand, Machine: m.books, Dir: filepath.Join(c.dir, name), Nodes: nodes, Now: now,
		Conn: conn, Beats: beats, Log: logger(t).With("node", name),
	})
	must(t, err)
	falls := feed.New(feed.Config{Net: brand, Conn: conn, Replica: m.replica, Books: m.books, Log: logger(t)})
	stop := run(t, m.replica.Run, falls.Run,
		ingest.New(ingest.Config{Net: brand, Conn: conn, Replica: m.replica, Books: m.books, Log: logger(t)}).Run)
	stopped := false
	m.stop = func() {
		if stopped {
			return
		}
		stopped = true
		stop()
		must(t, m.replica.Close())
		conn.Close()
		beats.Close()
	}
	t.Cleanup(m.stop)
	return m
}

// journal reads all entries.
func (c *centre) journal(t *testing.T) (all []*fold.Entry) {
	t.Helper()
	js, err := jetstream.New(c.connect(t, "reader"))
	must(t, err)
	s, err := js.Stream(t.Context(), brand.JournalStream())
	must(t, err)
	for seq := uint64(1); seq <= s.CachedInfo().State.LastSeq; seq++ {
		m, err := s.GetMsg(t.Context(), seq)
		must(t, err)
		e, err := fold.Decode(m.Data)
		must(t, err)
		all = append(all, e)
	}
	return all
}

// checkPosted holds the books to the laws and to an independent count of so many receipts.
func (m *member) checkPosted(t *testing.T, n uint64, sold count) {
	t.Helper()
	err := m.replica.Read(t.Context(), 0, func(uint64) {
		if got := m.books.Totals(); got.Posted != n || got.Repeats != 0 || got.Incidents != 0 {
			t.Errorf("posted %d, repeats %d, incidents %d; want %d, 0 and 0", got.Posted, got.Repeats, got.Incidents, n)
		}
		for a := range sold {
			s, _ := m.books.Shopper(a)
			if balance, debt := sold.want(a); s.Balance != balance || s.Debt != debt {
				t.Errorf("account %s: balance %d, debt %d; want %d and %d", a, s.Balance, s.Debt, balance, debt)
			}
		}
		v, err := m.books.Verify(m.replica)
		if err != nil || len(v.Wrong) > 0 || v.Receipts != n {
			t.Errorf("the books: %d receipts, wrong %q, error %v; want %d receipts", v.Receipts, v.Wrong, err, n)
		}
	})
	must(t, err)
}
