package archive

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/nats-io/nkeys"
)

// SignAs signs a checkpoint's file with another key.
func SignAs(t *testing.T, b []byte, key nkeys.KeyPair) []byte {
	t.Helper()
	text, _, _ := strings.Cut(string(b), signature)
	s, err := key.Sign([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return []byte(text + signature + base64.StdEncoding.EncodeToString(s) + "\n")
}

// A checkpoint's form is for ever.
func TestCheckpointText(t *testing.T) {
	key, err := nkeys.FromRawSeed(nkeys.PrefixByteAccount, make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	const golden = "tillstream archive checkpoint 1\nbrand acme\nfirst 3\nlast 9\n" +
		"generation 01000000000000000000000000000000\n" +
		"entry 0200000000000000000000000000000000000000000000000000000000000000\n" +
		"segment 0300000000000000000000000000000000000000000000000000000000000000\nbytes 1234\ndigest -\ntime 2026-01-05T09:00:00Z\n"
	s, err := key.Sign([]byte(golden))
	if err != nil {
		t.Fatal(err)
	}
	c, err := readCheckpoint([]byte(golden+signature+base64.StdEncoding.EncodeToString(s)+"\n"), key)
	if err != nil || c.First != 3 || c.Last != 9 || c.Bytes != 1234 || c.Life[0] != 1 || c.Hash[0] != 2 || c.Segment[0] != 3 {
		t.Fatalf("read %+v: %v", c, err)
	}
	b, err := c.sign(key)
	if err != nil || !strings.HasPrefix(string(b), golden) {
		t.Fatalf("written as\n%s\nwant\n%s%v", b, golden, err)
	}
}
