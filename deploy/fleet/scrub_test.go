package fleet_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tillstream/deploy/fleet"
	"tillstream/deploy/ops"
)

// spoil flips bytes in the blocks of a node's copy while the node is down.
func spoil(t *testing.T, c *fleet.Centre) {
	t.Helper()
	must(t, c.Stop())
	files, err := filepath.Glob(filepath.Join(c.Config().Data, "jetstream", "jetstream", "acme", "streams", "journal_acme", "msgs", "*.blk"))
	must(t, err)
	r := rand.New(rand.NewPCG(7, 7))
	zero := damageKinds()[2]
	for _, path := range files {
		must(t, zero.do(r, path))
	}
	must(t, c.Start())
}

// refusal asks a node for a repair that it must refuse, and gives why.
func refusal(t *testing.T, c *fleet.Centre) string {
	t.Helper()
	res, err := caller.Post(c.Node().URL()+"/v1/scrub/repair", "application/json", nil)
	must(t, err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	must(t, err)
	var p ops.Problem
	must(t, json.Unmarshal(b, &p))
	if res.StatusCode != http.StatusConflict {
		t.Errorf("a repair is answered with %d %s, want a refusal", res.StatusCode, b)
	}
	return p.Detail
}

// refusedFor waits until a repair is refused for a reason: while a node comes up there are others.
func refusedFor(t *testing.T, c *fleet.Centre, reason string) {
	t.Helper()
	await(t, "be refused", func() error {
		if why := refusal(t, c); !strings.Contains(why, reason) {
			return fmt.Errorf("a repair is refused because %q, want %q", why, reason)
		}
		return nil
	})
}

// A repair costs a copy. It is refused with the reason unless the two others are there and were just read
// through, clean. A damaged copy does not lead the stream for long, whoever wants it to.
func TestARepairIsRefusedUnlessTheOthersAreWhole(t *testing.T) {
	f := open(t, fleet.Config{Stores: 1, Tills: 1})
	sold := generate(300, 42)
	sell(t, f, sold[:200])
	settle(t, f, sold[:200])
	fatten(t, f)
	bad, second := f.Centre()[0], f.Centre()[1]
	spoil(t, bad)
	if !comesUp(t, f, bad) {
		t.Fatal("the damaged node does not come up: this test shows nothing")
	}
	damaged := scrubAll(t, f)
	if len(damaged) != 1 || damaged[0].Node != bad.Name() {
		t.Fatalf("scrub finds %+v, want node %s", damaged, bad.Name())
	}
	if healthy(t, bad) || !healthy(t, second) {
		t.Error("health does not tell the damaged node from the others")
	}

	// Whoever is asked to lead the stream with a damaged copy gives that up again.
	stepDownTo(t, f, bad)
	await(t, "give up the lead", func() error {
		if leader := streamLeader(t, f); leader == bad.Name() || leader == "" {
			return fmt.Errorf("node %q leads the journal's stream", leader)
		}
		return nil
	})

	must(t, second.Crash())
	if why := refusal(t, bad); !strings.Contains(why, "down or behind") && !strings.Contains(why, "node "+second.Name()+" does not say") {
		t.Errorf("with a node down: refused because %q", why)
	}
	must(t, second.Start())
	refusedFor(t, bad, "node "+second.Name()+" has not been read through")
	spoil(t, second)
	comesUp(t, f, second)
	_, err := client(f).Repair(within(t, patience), bad.Name(), 0, io.Discard)
	if !errors.Is(err, ops.ErrDamaged) {
		t.Errorf("with two damaged copies: %v, want %v", err, ops.ErrDamaged)
	}
	refusedFor(t, bad, "the copy of node "+second.Name()+" is damaged too")
	if got := len(scrubAll(t, f)); got != 2 {
		t.Errorf("%d copies are damaged after what was refused, want 2", got)
	}
}

// stepDownTo has the stream's leader hand over to a node.
func stepDownTo(t *testing.T, f *fleet.Fleet, to *fleet.Centre) {
	t.Helper()
	subject := "$JS.API.STREAM.LEADER.STEPDOWN." + f.Net().JournalStream()
	await(t, "lead", func() error {
		m, err := f.Centre()[2].Node().Conn().Request(subject, fmt.Appendf(nil, `{"placement":{"preferred":%q}}`, to.Name()), 5*time.Second)
		if err == nil && bytes.Contains(m.Data, []byte("error")) {
			err = errors.New(string(m.Data))
		}
		return err
	})
}

func streamLeader(t *testing.T, f *fleet.Fleet) string {
	t.Helper()
	m, err := f.Centre()[2].Node().Conn().Request("$JS.API.STREAM.INFO."+f.Net().JournalStream(), nil, time.Second)
	if err != nil {
		return ""
	}
	var info struct {
		Cluster struct {
			Leader string `json:"leader"`
		} `json:"cluster"`
	}
	must(t, json.Unmarshal(m.Data, &info))
	return info.Cluster.Leader
}
