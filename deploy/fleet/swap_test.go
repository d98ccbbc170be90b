package fleet_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"tillstream/deploy/daemon"
	"tillstream/deploy/fleet"
)

// configFile writes what a node's computer is given: its configuration.
func configFile(t *testing.T, e *fleet.Edge) string {
	t.Helper()
	b, err := yaml.Marshal(e.Config())
	must(t, err)
	path := filepath.Join(t.TempDir(), "node.yaml")
	must(t, os.WriteFile(path, b, 0o600))
	return path
}

// status runs `tillstream edge status --config FILE`, and gives what it prints and whether it says safe.
func status(t *testing.T, file string) (text string, safe bool) {
	t.Helper()
	var cmd daemon.EdgeStatus
	cmd.Config = file
	var out bytes.Buffer
	err := cmd.Run(t.Context(), &out)
	if err != nil && !errors.Is(err, daemon.ErrNotSafe) {
		t.Fatal(err)
	}
	return out.String(), err == nil
}

// verdict waits for the status to say something.
func verdict(t *testing.T, file string, safe bool, words string) {
	t.Helper()
	await(t, "say "+words, func() error {
		if text, ok := status(t, file); ok != safe || !strings.Contains(text, words) {
			return errors.New(text)
		}
		return nil
	})
}

// README, "Operate a store": a till dies while the WAN is down, and a new computer takes its place. Its
// disk is the old one if that can be read, or a new one; what the store had is safe either way.
func TestSwapADeadTill(t *testing.T) {
	for _, disk := range []string{"new", "old"} {
		t.Run(disk+" disk", func(t *testing.T) {
			f := open(t, fleet.Config{Stores: 1, Tills: 2})
			s := f.Store(0)
			till := s.Till(0)
			file := configFile(t, &till.Edge)
			all := generate(400, 95)
			sell(t, f, all[:100])
			settle(t, f, all[:100])
			backedUp(t, &till.Edge)
			s.Cut() // the WAN
			sell(t, f, all[100:200])
			verdict(t, file, true, "0 unconfirmed, safe to wipe; but not the store's server too")
			if disk == "old" {
				till.Cut()
				sell(t, f, all[200:260])
				verdict(t, file, false, "NOT safe to wipe")
			}
			must(t, till.Crash()) // it is dead

			// The steps: the configuration, seed and card key on a new computer; journal.db, if it can be saved.
			saved := filepath.Join(t.TempDir(), "journal.db")
			must(t, os.Rename(filepath.Join(till.Config().Data, "journal.db"), saved))
			must(t, till.Wipe())
			if disk == "old" {
				verdict(t, file, true, "no journal here")
				must(t, os.MkdirAll(till.Config().Data, 0o700))
				must(t, os.Rename(saved, filepath.Join(till.Config().Data, "journal.db")))
				verdict(t, file, false, "the key ring cannot be read")
			}
			till.Heal()
			must(t, till.Start())
			from := 200
			if disk == "old" {
				from = 260
			}
			sell(t, f, all[from:])
			verdict(t, file, true, "0 unconfirmed, safe to wipe; but not the store's server too")
			s.Heal()
			settle(t, f, all)
			verdict(t, file, true, "0 unconfirmed, safe to wipe.")
		})
	}
}

// The same with a store's server: its tills go on meanwhile, and send what the centre has not posted.
func TestSwapADeadStoreServer(t *testing.T) {
	f := open(t, fleet.Config{Stores: 1, Tills: 2})
	s := f.Store(0)
	file := configFile(t, &s.Edge)
	all := generate(300, 96)
	sell(t, f, all[:100])
	settle(t, f, all[:100])
	verdict(t, file, true, "0 unconfirmed, safe to wipe.")
	s.Cut()
	sell(t, f, all[100:150])
	acknowledged(t, s)
	verdict(t, file, false, "NOT safe to wipe")
	must(t, s.Crash())
	verdict(t, file, false, "start the node with the link to the centre up")
	must(t, s.Wipe())
	sell(t, f, all[150:200])
	must(t, s.Start())
	verdict(t, configFile(t, &s.Till(0).Edge), true, "0 unconfirmed")
	sell(t, f, all[200:])
	s.Heal()
	settle(t, f, all)
	verdict(t, file, true, "0 unconfirmed, safe to wipe.")
}
