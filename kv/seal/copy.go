package seal

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"tillstream/kv/record"
)

// Copier seals copies of a node's key ring for its upstream to keep. Its secret is the seed of the node's
// nkey: whoever sets a computer up gives it the seed again, so it outlives a disk, and an upstream knows
// its public half only. A node whose seed is changed seals its ring anew; copies under the old one are lost
// with it.
type Copier struct {
	key, ids []byte
	owner    string
}

// NewCopier makes a Copier of a secret that no other node has. The owner names the node: what was sealed
// for another does not open.
func NewCopier(secret, owner string) (*Copier, error) {
	if len(secret) < KeySize {
		return nil, fmt.Errorf("key ring copies: want a secret of at least %d characters", KeySize)
	}
	key, err := hkdf.Key(sha256.New, []byte(secret), nil, "tillstream key ring copies v1", KeySize)
	if err != nil {
		return nil, err
	}
	ids, err := hkdf.Key(sha256.New, []byte(secret), nil, "tillstream key ring ids v1", KeySize)
	return &Copier{key, ids, owner}, err
}

func (c *Copier) place() []byte { return []byte("key ring\x00" + c.owner) }

// Copy seals the text of a ring. The same ring has the same ID each time.
func (c *Copier) Copy(text string) (record.RingCopy, error) {
	aead, err := newAEAD(c.key)
	if err != nil {
		return record.RingCopy{}, err
	}
	m := hmac.New(sha256.New, c.ids)
	m.Write([]byte(text))
	return record.RingCopy{ID: record.RingID(m.Sum(nil)[:16]), Sealed: aead.Seal(nil, nil, []byte(text), c.place())}, nil
}

// Open gives the text of a ring that was sealed here.
func (c *Copier) Open(copied record.RingCopy) (string, error) {
	aead, err := newAEAD(c.key)
	if err != nil {
		return "", err
	}
	text, err := aead.Open(nil, nil, copied.Sealed, c.place())
	if err != nil {
		return "", ErrOpen
	}
	if _, err := ParseRing(string(text)); err != nil {
		return "", err
	}
	return string(text), nil
}

// ReadRing gives the text of the key ring at path, as a Copier takes it.
func ReadRing(path string) (string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("read key ring: %w", err)
	}
	return string(b), nil
}

// MergeRings gives a ring that has the keys of all, those of the first as they are: names of a cache that
// was kept under it stay. What changes nothing gives the first back.
func MergeRings(texts ...string) string {
	have := map[string]bool{}
	var lines []string
	for _, text := range texts {
		for line := range strings.Lines(text) {
			if line = strings.Join(strings.Fields(line), " "); line != "" && !have[line] {
				have[line] = true
				lines = append(lines, line+"\n")
			}
		}
	}
	return strings.Join(lines, "")
}

// WriteRing puts a ring at path whole, in the place of one whose keys are all in it.
func WriteRing(path, text string) error {
	if old, err := os.ReadFile(path); err == nil && MergeRings(text, string(old)) != MergeRings(text) {
		return fmt.Errorf("write key ring %s: %w", path, errKeyLost)
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".new*") // mode 0600
	if err != nil {
		return fmt.Errorf("write key ring: %w", err)
	}
	defer os.Remove(f.Name()) // after the rename there is nothing under this name
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		return fmt.Errorf("write key ring %s: %w", path, err)
	}
	return nil
}

var errKeyLost = errors.New("a key of the ring that is there would be lost")
