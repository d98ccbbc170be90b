package fleet_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"tillstream/deploy/fleet"
	"tillstream/edge/api"
	"tillstream/edge/leaf"
	"tillstream/kv/record"
	"tillstream/kv/seal"
	"tillstream/subjects"
	"tillstream/subjects/service"
)

// health asks a node how it is.
func health(t *testing.T, e *fleet.Edge) (h api.Health) {
	t.Helper()
	getJSON(t, e, http.MethodGet, "/v1/health", &h)
	return h
}

func getJSON(t *testing.T, e *fleet.Edge, method, path string, answer any) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, e.URL()+path, strings.NewReader("{}"))
	must(t, err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+fleet.Token())
	res, err := caller.Do(req)
	must(t, err)
	defer res.Body.Close() //nolint:errcheck // read to its end
	b, err := io.ReadAll(res.Body)
	must(t, err)
	if res.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: %s %s", method, path, res.Status, b)
	}
	must(t, json.Unmarshal(b, answer))
}

// backedUp waits until the upstreams of all edge nodes have their key rings.
func backedUp(t *testing.T, edges ...*fleet.Edge) {
	t.Helper()
	for _, e := range edges {
		await(t, "back up the key ring", func() error {
			if !health(t, e).Keyring.AtUpstream {
				return fmt.Errorf("the key ring of %s is only there", e.Name())
			}
			return nil
		})
	}
}

func keyringOf(e *fleet.Edge) string { return filepath.Join(e.Config().Data, "keyring") }

// sealed lists the journals that a node has put by.
func sealed(t *testing.T, e *fleet.Edge, suffix string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(e.Config().Data, "journal.db.") + suffix)
	must(t, err)
	return names
}

// A computer is set up anew, with the journal of the old disk and without its keys: a till asks its store
// for them, a store the centre, and the receipts that were only in that journal are posted.
func TestKeyRingComesBack(t *testing.T) {
	for _, tier := range []string{"till", "store"} {
		t.Run(tier, func(t *testing.T) {
			f := open(t, fleet.Config{Stores: 1, Tills: 2})
			s := f.Store(0)
			e := &s.Till(0).Edge
			if tier == "store" {
				e = &s.Edge
			}
			all := generate(300, 31)
			sell(t, f, all[:100])
			settle(t, f, all[:100])
			backedUp(t, &s.Edge, &s.Till(0).Edge, &s.Till(1).Edge)
			e.Cut()
			sell(t, f, all[100:200])
			if tier == "store" { // nobody else has them
				acknowledged(t, s)
				for _, till := range s.Tills() {
					must(t, errors.Join(till.Crash(), till.Wipe()))
				}
			}
			must(t, e.Crash())
			key, err := seal.ReadRing(keyringOf(e))
			must(t, err)
			must(t, os.Remove(keyringOf(e)))
			e.Heal()
			must(t, e.Start())
			if tier == "store" {
				must(t, errors.Join(s.Till(0).Start(), s.Till(1).Start()))
			}
			if got, err := seal.ReadRing(keyringOf(e)); err != nil || got != key {
				t.Errorf("the ring that came back is another: %v", err)
			}
			if by := sealed(t, e, "*-*"); len(by) != 0 {
				t.Errorf("put by, or damaged: %q", by)
			}
			sell(t, f, all[200:])
			settle(t, f, all)
		})
	}
}

// The same while the store cannot be reached: the till sells on at once with new keys, and takes the old
// journal up when its keys come back. Nothing is lost, and nothing posted twice.
func TestKeyRingComesBackLater(t *testing.T) {
	f := open(t, fleet.Config{Stores: 1, Tills: 1})
	till := f.Store(0).Till(0)
	all := generate(300, 32)
	sell(t, f, all[:100])
	settle(t, f, all[:100])
	backedUp(t, &till.Edge)
	till.Cut()
	sell(t, f, all[100:200])
	must(t, till.Crash())
	must(t, os.Remove(keyringOf(&till.Edge)))
	must(t, till.Start())
	sell(t, f, all[200:])
	if by := sealed(t, &till.Edge, "sealed-*"); len(by) != 1 {
		t.Fatalf("put by: %q, want the old journal", by)
	}
	till.Heal()
	await(t, "take the old journal up", func() error {
		if by := sealed(t, &till.Edge, "sealed-*.taken"); len(by) != 1 {
			return errors.New("it lies there")
		}
		return nil
	})
	settle(t, f, all)
	must(t, till.Crash())
	must(t, till.Start()) // under keys of both disks
	settle(t, f, all)
	if by := sealed(t, &till.Edge, "damaged-*"); len(by) != 0 {
		t.Errorf("damaged: %q", by)
	}
	backedUp(t, &till.Edge)
}

// A new disk gets the keys of the old one, and can read it when it is found.
func TestNewDiskGetsTheOldKeys(t *testing.T) {
	f := open(t, fleet.Config{Stores: 1, Tills: 1})
	till := f.Store(0).Till(0)
	all := generate(150, 33)
	sell(t, f, all[:50])
	settle(t, f, all[:50])
	backedUp(t, &till.Edge)
	till.Cut()
	sell(t, f, all[50:100])
	must(t, till.Crash())
	old := filepath.Join(t.TempDir(), "journal.db")
	must(t, os.Rename(filepath.Join(till.Config().Data, "journal.db"), old))
	key, err := seal.ReadRing(keyringOf(&till.Edge))
	must(t, err)
	must(t, till.Wipe())
	till.Heal()
	must(t, till.Start())
	sell(t, f, all[100:])
	await(t, "get the old keys", func() error {
		if got, err := seal.ReadRing(keyringOf(&till.Edge)); err != nil || !strings.Contains(got, strings.TrimSpace(key)) {
			return fmt.Errorf("they are not there, %v", err)
		}
		return nil
	})
	// Someone brings the old disk's journal: it is put where the node looks.
	must(t, till.Crash())
	must(t, os.Rename(old, filepath.Join(till.Config().Data, "journal.db.sealed-of-the-old-disk")))
	must(t, till.Start())
	settle(t, f, all)
}

// No till is told another's ring, nor a store another's; and what is kept upstream opens for nobody there.
func TestKeyRingIsNobodyElses(t *testing.T) {
	f := open(t, fleet.Config{Stores: 2, Tills: 2})
	s := f.Store(0)
	var edges []*fleet.Edge
	for _, s := range f.Stores() {
		edges = append(edges, &s.Edge, &s.Till(0).Edge, &s.Till(1).Edge)
	}
	backedUp(t, edges...)

	hostile, victim := s.Till(1), s.Till(0)
	must(t, hostile.Crash())
	nc := joinLane(t, hostile)
	lane := func(till *fleet.Till) subjects.Lane {
		return subjects.Lane{Store: till.Config().Store, Till: till.Config().Till}
	}
	ask := record.AppendRingCopies(nil, nil)
	await(t, "be answered", func() error { _, err := nc.Request(lane(hostile).KeyRing(), ask, time.Second); return err })
	if m, err := nc.Request(lane(victim).KeyRing(), ask, 300*time.Millisecond); err == nil {
		t.Errorf("a till asks for another's key ring and is answered %q", m.Data)
	}
	hub := joinAs(t, f, s)
	if _, err := hub.Request(f.Net().KeyRing(s.Config().Store), ask, 5*time.Second); err != nil {
		t.Errorf("a store's own: %v", err)
	}
	if m, err := hub.Request(f.Net().KeyRing(f.Store(1).Config().Store), ask, 300*time.Millisecond); err == nil {
		t.Errorf("a store asks for another's key ring and is answered %q", m.Data)
	}

	key, err := os.ReadFile(keyringOf(&victim.Edge))
	must(t, err)
	secret := strings.Fields(string(key))[1]
	shelf := filepath.Join(s.Config().Data, "keyrings", victim.Config().Till.String())
	files, err := os.ReadDir(shelf)
	must(t, err)
	if len(files) != 1 {
		t.Fatalf("the store keeps %d copies", len(files))
	}
	b, err := os.ReadFile(filepath.Join(shelf, files[0].Name()))
	must(t, err)
	if strings.Contains(string(b), secret) {
		t.Error("the store can read a till's key")
	}
	seed, err := os.ReadFile(s.Config().UpstreamSeed) // all that a store has
	must(t, err)
	c, err := seal.NewCopier(strings.TrimSpace(string(seed)), "acme/0001/01")
	must(t, err)
	if _, err := c.Open(record.RingCopy{Sealed: b}); err == nil {
		t.Error("the store opens a till's key ring")
	}

	// Full is full: no copy is forgotten for another.
	asked := func(data []byte) (m *nats.Msg) { // one at a time; the answer may be here before its slot is free
		await(t, "be answered", func() (err error) {
			m, err = nc.Request(lane(hostile).KeyRing(), data, 5*time.Second)
			if err == nil && m.Header.Get(micro.ErrorCodeHeader) == service.CodeLater {
				err = service.ErrLater
			}
			return err
		})
		return m
	}
	for i := range record.MaxRingCopies {
		asked(record.AppendRingCopies(nil, []record.RingCopy{{ID: record.RingID{byte(i)}, Sealed: []byte("junk")}}))
	}
	m := asked(ask)
	if held, err := record.ReadRingCopies(m.Data); err != nil || len(held) != record.MaxRingCopies || string(held[len(held)-1].Sealed) == "junk" && string(held[0].Sealed) == "junk" && !ownThere(held) {
		t.Errorf("%d copies are held, %v", len(held), err)
	}
}

// ownThere reports whether one of the copies is no junk.
func ownThere(held []record.RingCopy) bool {
	for i := range held {
		if string(held[i].Sealed) != "junk" {
			return true
		}
	}
	return false
}

// joinLane joins a store with a till's own credentials, beside the till.
func joinLane(t *testing.T, till *fleet.Till) *nats.Conn {
	t.Helper()
	seed, err := os.ReadFile(till.Config().UpstreamSeed)
	must(t, err)
	l, err := leaf.Open(leaf.Config{
		Name: "hostile", Upstreams: []string{"nats-leaf://" + till.Store().Node().LeafAddr()},
		UpstreamSeed: strings.TrimSpace(string(seed)), Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	must(t, err)
	t.Cleanup(func() { must(t, l.Close()) })
	nc, err := l.Connect(subjects.Lane{Store: till.Config().Store, Till: till.Config().Till}.Inbox())
	must(t, err)
	t.Cleanup(nc.Close)
	return nc
}
