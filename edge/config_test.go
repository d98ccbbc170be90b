package edge_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tillstream/edge"
)

const (
	nkeyA = "UAAJTSUHVCTYUQALHRLZJ4GAEBKSPWIKEDHRQZN34BFYS4DHTB3USBYG"
	nkeyB = "UBAX5TNIIF6AVHLYOXWKYNYUN6FOTMCPPRJLBYLW2DRYVZ3ITKV4A5LX"
)

const tillFile = `dc: eu1
env: prod
brand: acme
store: "0042"
till: "01"
data: /var/lib/tillstream
listen: 127.0.0.1:8371
upstream: [nats-leaf://10.0.0.1:7423]
upstream_seed_file: upstream.seed
pos_tokens_file: pos.tokens
card_key_file: card.key
`

const storeFile = `dc: eu1
env: prod
brand: acme
store: "0042"
data: /var/lib/tillstream
listen: unix:/run/tillstream.sock
accept: 0.0.0.0:7423
tills:
  - till: "01"
    nkey: ` + nkeyA + `
  - till: "02"
    nkey: ` + nkeyB + `
pos_tokens_file: pos.tokens
card_key_file: card.key
card_prefixes: ["2790", "0012"]
keep_days: 40
`

func read(t *testing.T, text string) (edge.Config, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "node.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return edge.ReadConfig(path)
}

func TestReadConfig(t *testing.T) {
	t.Parallel()
	c, err := read(t, tillFile)
	if err != nil {
		t.Fatal(err)
	}
	if c.Store.String() != "0042" || c.Till.String() != "01" || c.Brand.String() != "acme" || len(c.Upstream) != 1 || c.KeepDays != 0 {
		t.Errorf("got till %+v", c)
	}
	c, err = read(t, storeFile)
	if err != nil {
		t.Fatal(err)
	}
	if !c.Till.IsZero() || len(c.Tills) != 2 || c.Tills[1].Till.String() != "02" || c.CardPrefixes[1] != "0012" || c.KeepDays != 40 {
		t.Errorf("got store %+v", c)
	}
}

// Whoever writes a node's file wrong is told what and where, before anything is opened.
func TestBadConfig(t *testing.T) {
	t.Parallel()
	swap := func(text, old, now string) string {
		if !strings.Contains(text, old) {
			t.Errorf("%q is not in the file", old)
		}
		return strings.Replace(text, old, now, 1)
	}
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"empty":          {"", []string{"dc: required", "env: required", "brand: required", "store: required", "data: required", "listen: required", "card_key_file: required"}},
		"some missing":   {swap(swap(tillFile, "env: prod\n", ""), "card_key_file: card.key\n", ""), []string{"env: required", "card_key_file: required"}},
		"unknown key":    {swap(tillFile, "data:", "dta:"), []string{"[6:1]", "dta"}},
		"unknown inside": {swap(storeFile, "    nkey: "+nkeyA, "    key: "+nkeyA), []string{"[10:5]", "key"}},
		"key twice":      {swap(tillFile, "env: prod", "env: prod\nenv: test"), []string{"[3:1]", "env"}},
		"no token":       {swap(tillFile, "brand: acme", "brand: Acme Ltd"), []string{`"Acme Ltd": not a token`}},
		"a wildcard":     {swap(tillFile, `store: "0042"`, `store: "*"`), []string{`"*": not a token`}},
		"no YAML":        {"dc: [eu1\n", []string{"[1:"}},
		"a text":         {"tillstream\n", []string{"[1:1]"}},

		"tills on a till":       {tillFile + "tills:\n  - {till: \"02\", nkey: " + nkeyA + "}\n", []string{"accept, tills: for a store's server"}},
		"accept on a till":      {tillFile + "accept: 0.0.0.0:7423\n", []string{"accept, tills: for a store's server"}},
		"door without password": {tillFile + "nats_listen: 127.0.0.1:4222\n", []string{"pos_password_file: required with nats_listen"}},
		"upstream without seed": {swap(tillFile, "upstream_seed_file: upstream.seed\n", ""), []string{"upstream_seed_file: required with upstream"}},
		"a till of no name":     {swap(storeFile, `till: "01"`, `till: ""`), []string{`"": not a token`}},
		"a till without nkey":   {swap(storeFile, "    nkey: "+nkeyA+"\n", ""), []string{"tills[0].nkey"}},
		"a seed for an nkey":    {swap(storeFile, nkeyA, "S"+nkeyA), []string{"tills[0].nkey", "begins with U"}},
		"a till twice":          {swap(storeFile, `till: "02"`, `till: "01"`), []string{"tills[1].till", "01 is there twice"}},
		"the desk as a till":    {swap(storeFile, `till: "02"`, `till: "_"`), []string{"tills[1].till", "the store's own node"}},
		"an nkey twice":         {swap(storeFile, nkeyB, nkeyA), []string{"tills[1].nkey", "another till has it"}},
		"days below zero":       {swap(storeFile, "keep_days: 40", "keep_days: -1"), []string{"keep_days: want 0 to"}},
		"days beyond counting":  {swap(storeFile, "keep_days: 40", "keep_days: 200000"), []string{"keep_days: want 0 to"}},
		"days in words":         {swap(storeFile, "keep_days: 40", "keep_days: forty"), []string{"[16:12]", "KeepDays"}},
		"a prefix of all":       {swap(storeFile, `"2790"`, `""`), []string{"card_prefixes[0]: want digits"}},
		"a prefix with blanks":  {swap(storeFile, `"0012"`, `"00 12"`), []string{"card_prefixes[1]: want digits"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := read(t, c.text)
			if err == nil {
				t.Fatal("got nil, want an error")
			}
			for _, want := range append(c.want, "node.yaml") {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %q, want it to say %q", err, want)
				}
			}
		})
	}
	if _, err := edge.ReadConfig(filepath.Join(t.TempDir(), "nowhere.yaml")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: got %v", err)
	}
}
