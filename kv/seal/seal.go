// Package seal keeps values secret and whole at rest: AEAD for values, keyed hashes for keys, and
// the key ring both take their keys from.
//
// A sealed value is bound to the place it lies in (file, bucket and key): moved elsewhere, cut or
// changed by one bit, it does not open. bbolt has no checksums for its data, so this is also how a
// damaged page is noticed.
//
// # Durability
//
// The key ring file is precious: without it the node's journal cannot be read. It is never
// rewritten in place. Keys are added, the newest seals, old ones stay as long as anything they
// sealed may lie on the disk. Its upstream keeps a copy that only the node opens ([Copier]).
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"tillstream/kv/record"
)

// ErrOpen means that a sealed value is damaged, lies in the wrong place, or is of another key.
var ErrOpen = errors.New("sealed value does not open: damaged, moved, or of another key")

// KeySize is the length of a secret key in bytes.
const KeySize = 32

// Ring is a node's keys. It is safe for many goroutines.
type Ring struct {
	aeads  map[byte][]cipher.AEAD // more than one of an id when rings of one node have been merged
	newest byte
	names  []byte // key of the keyed hashes; from the oldest key, so that it never changes
}

// OpenRing reads the key ring at path, one key a line as "id hex", newest last, and makes the file
// with one random key if there is none.
func OpenRing(path string) (*Ring, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		if b, err = createRing(path); err != nil {
			return nil, fmt.Errorf("create key ring %s: %w", path, err)
		}
	} else if err != nil {
		return nil, fmt.Errorf("read key ring: %w", err)
	}
	ring, err := ParseRing(string(b))
	if err != nil {
		return nil, fmt.Errorf("key ring %s: %w", path, err)
	}
	return ring, nil
}

// createRing puts a whole ring at path, or leaves the one that another process has put there meanwhile:
// a key that has sealed anything must never be replaced.
func createRing(path string) ([]byte, error) {
	key := make([]byte, KeySize)
	rand.Read(key)                                                           // never fails since Go 1.24
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".new*") // mode 0600
	if err != nil {
		return nil, err
	}
	defer os.Remove(f.Name()) // left over, it is a file that nothing reads
	_, err = fmt.Fprintf(f, "1 %x\n", key)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return nil, err
	}
	// From here on the key is on the disk; the link makes it the ring.
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, err
	}
	if err := syncDir(filepath.Dir(path)); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// ParseRing reads the text of a key ring. Empty lines are skipped.
func ParseRing(text string) (*Ring, error) {
	r := &Ring{aeads: map[byte][]cipher.AEAD{}}
	n := 0
	for line := range strings.Lines(text) {
		n++
		if strings.TrimSpace(line) == "" {
			continue
		}
		if err := r.add(strings.Fields(line)); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
	}
	if r.names == nil {
		return nil, errors.New("no key: want a line \"id hex-key\"")
	}
	return r, nil
}

// add makes a line's key the newest.
func (r *Ring) add(fields []string) error {
	if len(fields) != 2 {
		return errors.New("want \"id hex-key\"")
	}
	id, err := strconv.ParseUint(fields[0], 10, 8)
	if err != nil || id == 0 {
		return errors.New("want an id of 1 to 255")
	}
	key, err := hex.DecodeString(fields[1])
	if err != nil || len(key) != KeySize {
		return fmt.Errorf("want a key of %d hexadecimal digits", 2*KeySize)
	}
	aead, err := newAEAD(key)
	if err != nil {
		return err
	}
	r.newest = byte(id)
	r.aeads[r.newest] = append(r.aeads[r.newest], aead)
	if r.names == nil {
		r.names, err = hkdf.Key(sha256.New, key, nil, "tillstream cache keys v1", KeySize)
	}
	return err
}

func newAEAD(key []byte) (cipher.AEAD, error) {
	sub, err := hkdf.Key(sha256.New, key, nil, "tillstream values v1", KeySize)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(sub)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// Seal appends the sealed form of value, bound to place, to dst: one byte that names the key, then
// nonce, ciphertext and tag.
func (r *Ring) Seal(dst, place, value []byte) []byte {
	same := r.aeads[r.newest]
	return same[len(same)-1].Seal(append(dst, r.newest), nil, value, place)
}

// Open gives the value that was sealed in place.
func (r *Ring) Open(place, sealed []byte) ([]byte, error) {
	if len(sealed) == 0 {
		return nil, ErrOpen
	}
	for _, aead := range r.aeads[sealed[0]] {
		if v, err := aead.Open(nil, nil, sealed[1:], place); err == nil {
			return v, nil
		}
	}
	return nil, ErrOpen
}

// Name is the keyed hash under which the cache keeps an id: a stolen disk does not say whose records
// lie on it.
func (r *Ring) Name(kind byte, id []byte) [16]byte {
	m := hmac.New(sha256.New, r.names)
	m.Write([]byte{kind})
	m.Write(id)
	return [16]byte(m.Sum(nil))
}

// Cards turns card numbers into account ids, under a key that all nodes of one brand hold: two
// stores that are cut off from each other open the same account for the same card.
type Cards struct{ key []byte }

// NewCards makes a Cards from the brand's secret, at least 32 bytes.
func NewCards(secret []byte) (*Cards, error) {
	if len(secret) < KeySize {
		return nil, fmt.Errorf("card key: want at least %d bytes, got %d", KeySize, len(secret))
	}
	key, err := hkdf.Key(sha256.New, secret, nil, "tillstream card numbers v1", KeySize)
	return &Cards{key}, err
}

// OpenCards reads the brand's secret from a file.
func OpenCards(path string) (*Cards, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read card key: %w", err)
	}
	c, err := NewCards([]byte(strings.TrimSpace(string(b))))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// Account gives the account of a card number.
func (c *Cards) Account(number string) record.AccountID {
	m := hmac.New(sha256.New, c.key)
	m.Write([]byte(number))
	return record.AccountID(m.Sum(nil)[:16])
}

// Coupon gives the id of a coupon's code. No card number is the text that is hashed here: none has a
// blank.
func (c *Cards) Coupon(code string) record.CouponID {
	m := hmac.New(sha256.New, c.key)
	m.Write([]byte("coupon " + code))
	return record.CouponID(m.Sum(nil)[:16])
}

// Rewards gives the key from which the codes of rewards follow. As with Coupon, no card number is the text that is
// hashed here.
func (c *Cards) Rewards() []byte {
	m := hmac.New(sha256.New, c.key)
	m.Write([]byte("codes of rewards"))
	return m.Sum(nil)
}
