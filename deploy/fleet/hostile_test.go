package fleet_test

import (
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"tillstream/deploy/fleet"
	"tillstream/edge/leaf"
	"tillstream/kv/record"
	"tillstream/subjects"
)

// joinAs joins the centre with a store's own credentials, beside the store.
func joinAs(t *testing.T, f *fleet.Fleet, s *fleet.Store) *nats.Conn {
	t.Helper()
	seed, err := os.ReadFile(s.Config().UpstreamSeed)
	must(t, err)
	l, err := leaf.Open(leaf.Config{
		Name: "hostile", Upstreams: []string{"nats-leaf://" + f.Centre()[0].Node().LeafAddr()},
		UpstreamSeed: strings.TrimSpace(string(seed)), Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	must(t, err)
	t.Cleanup(func() { must(t, l.Close()) })
	nc, err := l.Connect(subjects.StoreInbox(s.Config().Store))
	must(t, err)
	t.Cleanup(nc.Close)
	found := func() error {
		_, err := nc.Request(f.Net().Ingest(s.Config().Store), (&record.Pack{}).Append(nil), time.Second)
		return err
	}
	await(t, "be answered", found)
	return nc
}

// meanThefts says that a store sends what is not its own on purpose, and gives the incident of it.
func meanThefts(f *fleet.Fleet, s *fleet.Store) (incident string) {
	store := "store " + s.Config().Store.String()
	incident = store + " sent the start of a chain that is not its own"
	f.Mean(incident, store+" sent records of chain", store+" began chain")
	return incident
}

// A store whose key is good sends what is not its own, and rubbish. It is refused, and nobody else
// notices.
func TestHostileStore(t *testing.T) {
	f := open(t, fleet.Config{Stores: 3, Tills: 1})
	p := sendTwice(t, f)
	all := generate(600, 18)
	sell(t, f, all[:300])
	settle(t, f, all[:300])
	bad, good := f.Store(1), f.Store(0).Config().Store
	nc := joinAs(t, f, bad)
	own := f.Net().Ingest(bad.Config().Store)
	ask := func(subject string, data []byte) (*nats.Msg, error) { return nc.Request(subject, data, 2*time.Second) }

	notIts := meanThefts(f, bad)
	l := selling(t, f, often, all[300:])
	overheard := theirs(t, p, f.Net().Ingest(good))
	stolen := newChain(f, good.String(), "01", purchase("thief", 1_000_000_00))
	orphan := newChain(f, bad.Config().Store.String(), "01", purchase("thief", 1_000_000_00), purchase("thief", 1_00))[1:]
	torn := newChain(f, bad.Config().Store.String(), "01", purchase("thief", 1_000_000_00), purchase("thief", 1_00))
	torn[2].Prev[0] ^= 1
	for _, c := range []struct {
		name string
		pack []byte
		want record.Status // zero: the pack is refused as a whole
	}{
		{"nothing", nil, 0},
		{"rubbish", []byte("\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff"), 0},
		{"half a pack", overheard[:len(overheard)/2], 0},
		{"a record that does not follow", packOf(torn), 0},
		{"a chain of another store", overheard, record.StatusRefused},
		{"the start of another store's chain", packOf(stolen), record.StatusRefused},
		{"the start of another store's chain, again", packOf(stolen), record.StatusRefused},
		{"a chain without its start", packOf(orphan), record.StatusGap},
	} {
		m, err := ask(own, c.pack)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		refused(t, c.name, m, c.want)
	}
	for _, subject := range []string{f.Net().Ingest(good), f.Net().Journal(), f.Net().Propose(subjects.NodeID{Token: subjects.MustToken("c1")})} {
		if m, err := nc.Request(subject, overheard, 300*time.Millisecond); err == nil {
			t.Errorf("asks on %s and is answered %q", subject, m.Data)
		}
	}
	l.wait()
	settle(t, f, all)
	for _, text := range incidents(t, f) {
		if !strings.Contains(text, notIts) {
			t.Errorf("incident %q", text)
		}
	}
	if n := len(incidents(t, f)); n == 0 {
		t.Error("nobody is told of another store's start")
	}
	willSeeNobody(t, f.Store(2).Till(0), "thief")
}

// refused wants a pack to be refused as a whole, or each of its chains with a status.
func refused(t *testing.T, name string, m *nats.Msg, want record.Status) {
	t.Helper()
	code := m.Header.Get(micro.ErrorCodeHeader)
	if want == 0 {
		if code != "400" {
			t.Errorf("%s: answered with code %q, want 400", name, code)
		}
		return
	}
	marks, err := record.ReadMarks(m.Data)
	if err != nil || len(marks) == 0 {
		t.Errorf("%s: answered with %d marks, code %q, %v", name, len(marks), code, err)
	}
	for _, k := range marks {
		if k.Status != want {
			t.Errorf("%s: chain %s is %s, want %s", name, k.Chain, k.Status, want)
		}
	}
}

// theirs gives a pack that was sent on subject.
func theirs(t *testing.T, p *packs, subject string) []byte {
	t.Helper()
	for _, m := range p.all() {
		if q, err := record.ReadPack(m.Data); err == nil && m.Subject == subject && len(q.Runs) > 0 {
			return m.Data
		}
	}
	t.Fatalf("no pack was heard on %s", subject)
	return nil
}

// willSeeNobody wants a card to be unknown.
func willSeeNobody(t *testing.T, at *fleet.Till, card string) {
	t.Helper()
	if status, s := look(t, at, card); status == 200 {
		t.Errorf("look-up of %s: %+v", card, s)
	}
}
