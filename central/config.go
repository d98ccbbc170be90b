package central

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/goccy/go-yaml"

	"tillstream/central/hub"
	"tillstream/subjects"
)

// Config is a centre node's YAML file. Secrets are paths to files; relative paths are relative to Data.
type Config struct {
	// Data centre of the installation, such as eu1. Required.
	DC subjects.Token `yaml:"dc"`
	// Environment, such as prod. Required.
	Env subjects.Token `yaml:"env"`
	// Brand served here. Required.
	Brand subjects.BrandID `yaml:"brand"`
	// Name of this node, unique in the cluster and the same at every start. Required.
	Node subjects.NodeID `yaml:"node"`
	// Directory of JetStream's files and of the replica. Required.
	Data string `yaml:"data"`
	// Address for the other nodes of the centre, host:port. Empty: this node is alone.
	ClusterListen string `yaml:"cluster_listen,omitempty"`
	// cluster_listen of the nodes of the centre. Required with cluster_listen.
	Routes []string `yaml:"routes,omitempty"`
	// File with the secret that lets a node into the cluster. Required with cluster_listen.
	ClusterSecret string `yaml:"cluster_secret_file,omitempty"`
	// Address where stores join as leafs, host:port. Required.
	LeafListen string `yaml:"leaf_listen"`
	// File with the stores that may join: a YAML list of store and nkey. Required.
	Stores string `yaml:"stores_file"`
	// Address of the admin API, host:port. Required.
	AdminListen string `yaml:"admin_listen"`
	// File with the admin API's bearer token. Required beyond loopback.
	AdminToken string `yaml:"admin_token_file,omitempty"`
	// Whether the centre runs the event flow, the same on every node: progress promotions, and messages on tills' screens.
	Flow bool `yaml:"flow,omitempty"`
	// File with the brand's secret for card numbers, the same on every node of the brand. Required.
	CardKey string `yaml:"card_key_file"`
	// Directory where this node archives the journal, for backups. Empty: none.
	Archive string `yaml:"archive,omitempty"`
	// File with the seed of the nkey that signs the archive's checkpoints. Required with archive.
	ArchiveSeed string `yaml:"archive_seed_file,omitempty"`
	// MiB at which a segment of the archive is closed; a day closes it too. Zero: 64.
	ArchiveSegment int `yaml:"archive_segment_mib,omitempty"`
}

// Store is a store that may join.
type Store struct {
	Store subjects.StoreID `yaml:"store"`
	Nkey  string           `yaml:"nkey"`
}

// ReadConfig reads and checks a node's file.
func ReadConfig(path string) (Config, error) {
	var cfg Config
	if err := readYAML(path, &cfg); err != nil {
		return cfg, err
	}
	if err := cfg.Check(); err != nil {
		return cfg, fmt.Errorf("configuration %s: %w", path, err)
	}
	return cfg, nil
}

func readYAML(path string, v any) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read configuration: %w", err)
	}
	if err := yaml.UnmarshalWithOptions(b, v, yaml.Strict()); err != nil {
		return fmt.Errorf("configuration %s:\n%s", path, yaml.FormatError(err, false, true))
	}
	return nil
}

// Check names every setting that is missing or does not fit.
func (c *Config) Check() error {
	var errs []error
	need := func(ok bool, text string) {
		if !ok {
			errs = append(errs, errors.New(text))
		}
	}
	need(!c.DC.IsZero(), "dc: required")
	need(!c.Env.IsZero(), "env: required")
	need(!c.Brand.IsZero(), "brand: required")
	need(!c.Node.IsZero(), "node: required")
	need(c.Data != "", "data: required")
	need(c.LeafListen != "", "leaf_listen: required")
	need(c.Stores != "", "stores_file: required")
	need(c.AdminListen != "", "admin_listen: required")
	need(c.CardKey != "", "card_key_file: required")
	need(c.ClusterListen == "" || len(c.Routes) > 0, "routes: required with cluster_listen")
	need(c.ClusterListen == "" || c.ClusterSecret != "", "cluster_secret_file: required with cluster_listen")
	need(c.Archive == "" || c.ArchiveSeed != "", "archive_seed_file: required with archive")
	need(c.ArchiveSegment >= 0 && c.ArchiveSegment <= maxSegment, fmt.Sprintf("archive_segment_mib: want 0 to %d", maxSegment))
	return errors.Join(errs...)
}

// maxSegment is a segment that can still be copied about, in MiB.
const maxSegment = 1 << 14

// Net gives the literal first tokens of the brand's subjects.
func (c *Config) Net() subjects.Net { return subjects.Net{DC: c.DC, Env: c.Env, Brand: c.Brand} }

func (c *Config) path(p string) string {
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
	b, err := os.ReadFile(c.path(path))
	if err != nil {
		return "", fmt.Errorf("%s: %w", setting, err)
	}
	return strings.TrimSpace(string(b)), nil
}

// stores reads the stores' file.
func (c *Config) stores() ([]hub.StoreUser, error) {
	var list []Store
	if err := readYAML(c.path(c.Stores), &list); err != nil {
		return nil, err
	}
	users := make([]hub.StoreUser, len(list))
	for i, s := range list {
		if s.Store.IsZero() || s.Nkey == "" {
			return nil, fmt.Errorf("configuration %s: entry %d: store and nkey are required", c.Stores, i+1)
		}
		users[i] = hub.StoreUser{Store: s.Store, Nkey: s.Nkey}
	}
	return users, nil
}
