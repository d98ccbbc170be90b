package central_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"tillstream/central"
	"tillstream/kv/record"
	"tillstream/kv/seal"
	"tillstream/subjects"
)

// A centre of one node, with everything it serves, and stores that send and pull.

const cardKey = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

type centre struct {
	*central.Node
	t    *testing.T
	cfg  central.Config
	net  subjects.Net
	stop func()
}

func open(t *testing.T, token string) *centre {
	t.Helper()
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	cfg := central.Config{
		DC: subjects.MustToken("eu1"), Env: subjects.MustToken("test"),
		Brand: subjects.BrandID{Token: subjects.MustToken("acme")}, Node: subjects.NodeID{Token: subjects.MustToken("c1")},
		Data: filepath.Join(dir, "data"), LeafListen: "127.0.0.1:0", AdminListen: "127.0.0.1:0",
		Stores: write("stores.yaml", "[]\n"), CardKey: write("cards.key", cardKey+"\n"),
	}
	if token != "" {
		cfg.AdminToken = write("token", token+"\n")
	}
	c := &centre{t: t, cfg: cfg, net: cfg.Net()}
	c.start()
	t.Cleanup(func() { c.stop() })
	return c
}

func (c *centre) start() {
	c.t.Helper()
	node, err := central.Open(c.cfg, slog.New(slog.NewTextHandler(c.t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})))
	if err != nil {
		c.t.Fatal(err)
	}
	c.Node = node
	ctx, cancel := context.WithCancel(c.t.Context())
	done := make(chan error, 1)
	go func() { done <- node.Run(ctx) }()
	c.stop = func() {
		cancel()
		if err := errors.Join(<-done, node.Close()); err != nil {
			c.t.Error(err)
		}
		c.stop = func() {}
	}
	c.within("a writer", func(context.Context) error {
		if s := node.Replica().Status(); s.Writer == "" || s.Entry == 0 {
			return errors.New("nobody writes")
		}
		return nil
	})
}

// within tries until it works.
func (c *centre) within(what string, try func(context.Context) error) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 20*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		err := try(ctx)
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			c.t.Fatalf("%s: %v", what, err)
		}
	}
}

// ask asks a service of the node as a store would.
func (c *centre) ask(subject string, data []byte) (*nats.Msg, error) {
	c.t.Helper()
	var m *nats.Msg
	c.within("an answer", func(ctx context.Context) (err error) {
		once, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		m, err = c.Conn().RequestWithContext(once, subject, data)
		return err
	})
	if code := m.Header.Get(micro.ErrorCodeHeader); code != "" {
		return m, fmt.Errorf("%s %s", code, m.Header.Get(micro.ErrorHeader))
	}
	return m, nil
}

// send sends a pack and gives its marks.
func (c *centre) send(store subjects.StoreID, p record.Pack) []record.Mark {
	c.t.Helper()
	m, err := c.ask(c.net.Ingest(store), p.Append(nil))
	if err != nil {
		c.t.Fatal(err)
	}
	marks, err := record.ReadMarks(m.Data)
	if err != nil {
		c.t.Fatal(err)
	}
	return marks
}

// pull pulls from a cursor.
func (c *centre) pull(store subjects.StoreID, cursor record.Cursor, limit int) record.Page {
	c.t.Helper()
	m, err := c.ask(c.net.FeedPull(store), (&record.Pull{Cursor: cursor, Limit: uint32(limit)}).Append(nil))
	if err != nil {
		c.t.Fatal(err)
	}
	page, err := record.ReadPage(m.Data)
	if err != nil {
		c.t.Fatal(err)
	}
	return page
}

// settled gives the entry that the node has come to.
func (c *centre) settled() uint64 { return c.Replica().Status().Entry }

// shop names a store.
func shop(n int) subjects.StoreID {
	return subjects.StoreID{Token: subjects.MustToken(fmt.Sprintf("%04d", n))}
}

// account is that of a card, as the tills compute it.
func account(t *testing.T, card string) record.AccountID {
	t.Helper()
	cards, err := seal.NewCards([]byte(cardKey))
	if err != nil {
		t.Fatal(err)
	}
	return cards.Account(card)
}

// till is a chain in the making.
type till struct {
	t     *testing.T
	store subjects.StoreID
	recs  []record.Receipt
	sent  int
}

func newTill(t *testing.T, store subjects.StoreID, name string) *till {
	l := &till{t: t, store: store}
	start := record.Start{Store: store, Till: subjects.TillID{Token: subjects.MustToken(name)}}
	l.add(record.Header{Kind: record.KindStart, Chain: record.NewChainID(time.Now())}, start.Append(nil))
	return l
}

func (l *till) add(h record.Header, body []byte) {
	h.Seq, h.Day, h.At = uint64(len(l.recs)+1), 20261121, time.Now().UnixMilli()
	h.Body, h.BodySize = sha256.Sum256(body), uint32(len(body))
	if n := len(l.recs); n > 0 {
		h.Chain, h.Prev = l.recs[0].Chain, l.recs[n-1].Hash()
	}
	l.recs = append(l.recs, record.Receipt{Header: h, Data: body})
}

func (l *till) sale(card string, points int64) {
	h := record.Header{Kind: record.KindSale, RID: record.NewRID(time.Now()), Points: points}
	if card != "" {
		h.Account = account(l.t, card)
	}
	l.add(h, []byte(`{"lines":[]}`))
}

// pack gives what has not been given before.
func (l *till) pack() record.Pack {
	recs := l.recs[l.sent:]
	l.sent = len(l.recs)
	return record.Pack{Runs: []record.Run{record.PackRun(recs)}}
}
