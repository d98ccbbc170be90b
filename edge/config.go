package edge

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"tillstream/subjects"
)

// Config is an edge node's YAML file. Secrets are paths to files; relative paths are relative to Data.
type Config struct {
	// Data centre of the installation, such as eu1. Required.
	DC subjects.Token `yaml:"dc"`
	// Environment, such as prod. Required.
	Env subjects.Token `yaml:"env"`
	// Brand this node belongs to. Required.
	Brand subjects.BrandID `yaml:"brand"`
	// Store this node stands in; 0000 is headquarters. Required.
	Store subjects.StoreID `yaml:"store"`
	// Till this node is the computer of. Empty: the store's server.
	Till subjects.TillID `yaml:"till,omitempty"`
	// Directory of journal.db (precious), cache.db (disposable) and the key ring. Required.
	Data string `yaml:"data"`
	// Address of the POS door over HTTP: loopback host:port, or unix:/path. Required.
	Listen string `yaml:"listen"`
	// File that says who may ask, lines of "name token": see "Operate a store". Read again when it changes. Required.
	POSTokens string `yaml:"pos_tokens_file"`
	// Address of the POS door over NATS, loopback only. Empty: none.
	NATSListen string `yaml:"nats_listen,omitempty"`
	// File with the password of the NATS door's user "pos". Required with nats_listen.
	POSPassword string `yaml:"pos_password_file,omitempty"`
	// Leaf addresses of the upstream (till: its store; store: nodes of the centre), as nats-leaf://host:port. Empty: alone.
	Upstream []string `yaml:"upstream,omitempty"`
	// File with the seed of this node's nkey at its upstream. Required with upstream.
	UpstreamSeed string `yaml:"upstream_seed_file,omitempty"`
	// Address where the store's tills join as leafs, host:port. Empty: none may. Stores only.
	Accept string `yaml:"accept,omitempty"`
	// Tills that may join, each with the public nkey of its node. Stores only.
	Tills []Till `yaml:"tills,omitempty"`
	// File with the brand's secret for card numbers, the same on every node of the brand. Required.
	CardKey string `yaml:"card_key_file"`
	// Prefixes of the chain's own card numbers, which are never taken for payment cards. Empty: none.
	CardPrefixes []string `yaml:"card_prefixes,omitempty"`
	// Days a receipt stays in the journal after it was kept, at least; until it is posted in any case. Zero: 35.
	KeepDays int `yaml:"keep_days,omitempty"`
	// MiB of the disk that the journal holds to keep receipts in when the rest is full; 1 holds about 800. Zero: 64.
	ReserveMB int `yaml:"reserve_mb,omitempty"`
}

// Till is a till that may join its store's node.
type Till struct {
	Till subjects.TillID `yaml:"till"`
	Nkey string          `yaml:"nkey"`
}

// ReadConfig reads and checks a node's file.
func ReadConfig(path string) (Config, error) {
	var cfg Config
	b, err := os.ReadFile(path)
	if err != nil {
		return cfg, fmt.Errorf("read configuration: %w", err)
	}
	if err := yaml.UnmarshalWithOptions(b, &cfg, yaml.Strict()); err != nil {
		return cfg, fmt.Errorf("configuration %s:\n%s", path, yaml.FormatError(err, false, true))
	}
	if err := cfg.Check(); err != nil {
		return cfg, fmt.Errorf("configuration %s: %w", path, err)
	}
	return cfg, nil
}

// Check names every setting that is missing or does not fit.
func (c *Config) Check() error {
	var errs []error
	need := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	need(!c.DC.IsZero(), "dc: required")
	need(!c.Env.IsZero(), "env: required")
	need(!c.Brand.IsZero(), "brand: required")
	need(!c.Store.IsZero(), "store: required")
	need(c.Till != subjects.Desk, "till: %s stands for the store's own node: want another name", subjects.Desk)
	need(c.Data != "", "data: required")
	need(c.Listen != "", "listen: required")
	need(c.POSTokens != "", "pos_tokens_file: required")
	need(c.CardKey != "", "card_key_file: required")
	need(len(c.Upstream) == 0 || c.UpstreamSeed != "", "upstream_seed_file: required with upstream")
	need(c.NATSListen == "" || c.POSPassword != "", "pos_password_file: required with nats_listen")
	need(c.Till.IsZero() || c.Accept == "" && len(c.Tills) == 0, "accept, tills: for a store's server, not for a till")
	need(c.ReserveMB >= 0 && c.ReserveMB <= maxReserveMB, "reserve_mb: want 0 to %d", maxReserveMB)
	need(c.KeepDays >= 0 && c.KeepDays <= maxKeepDays, "keep_days: want 0 to %d", maxKeepDays)
	for i, p := range c.CardPrefixes {
		// An empty one would begin every number, and let every payment card's in.
		need(p != "" && strings.Trim(p, "0123456789") == "", "card_prefixes[%d]: want digits", i)
	}
	tills, nkeys := map[subjects.TillID]bool{}, map[string]bool{}
	for i, t := range c.Tills {
		need(!t.Till.IsZero(), "tills[%d].till: required", i)
		need(t.Till != subjects.Desk, "tills[%d].till: %s stands for the store's own node: want another name", i, subjects.Desk)
		need(strings.HasPrefix(t.Nkey, "U"), "tills[%d].nkey: want the public nkey of a user, which begins with U", i)
		need(!tills[t.Till], "tills[%d].till: till %s is there twice", i, t.Till)
		need(!nkeys[t.Nkey], "tills[%d].nkey: another till has it", i)
		tills[t.Till], nkeys[t.Nkey] = true, true
	}
	return errors.Join(errs...)
}

// maxKeepDays is a hundred years. Three times as many would not fit a time.Duration.
const maxKeepDays = 36500

// ReserveDefault is what ReserveMB is when it is zero: at 2,000 receipts a day, a till's three weeks.
const ReserveDefault = 64

const maxReserveMB = 1 << 20

func (c *Config) reserve() int64 {
	if c.ReserveMB == 0 {
		return ReserveDefault << 20
	}
	return int64(c.ReserveMB) << 20
}

// Net gives the literal first tokens of the node's subjects.
func (c *Config) Net() subjects.Net { return subjects.Net{DC: c.DC, Env: c.Env, Brand: c.Brand} }

func (c *Config) isTill() bool { return !c.Till.IsZero() }

// name is the node's name in logs and in the NATS network.
func (c *Config) name() string {
	n := c.Brand.String() + "-" + c.Store.String()
	if c.isTill() {
		n += "-" + c.Till.String()
	}
	return n
}

func (c *Config) keep() time.Duration { return time.Duration(c.KeepDays) * 24 * time.Hour }

// File gives the path of a file that a setting names: beside the data, unless it is absolute.
func (c *Config) File(p string) string {
	if filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(c.Data, p)
}

// secret reads a secret's file; no path is no secret.
func (c *Config) secret(setting, path string) (string, error) {
	if path == "" {
		return "", nil
	}
	b, err := os.ReadFile(c.File(path))
	if err != nil {
		return "", fmt.Errorf("%s: %w", setting, err)
	}
	return strings.TrimSpace(string(b)), nil
}
