package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"tillstream/subjects"
)

// caller is who asks: the POS whose token came with the question.
type caller struct {
	name     string // in logs and metrics
	training bool   // nothing that it sends is posted
}

// Kinds of token, the third word of a line.
const (
	kindTraining = "training"
	kindManager  = "manager" // no POS: a code that a manager keys
)

// minToken is the least length of a POS's token; a manager's code is keyed by hand.
const (
	minToken = 16
	minCode  = 4
)

// callersEvery is how often the file of tokens is looked at.
const callersEvery = time.Second

// callers are those who may ask. The file's lines are "name token", "name token training" or
// "name code manager"; '#' begins a comment. A file that turns out wrong later changes nothing.
type callers struct {
	path  string
	log   *slog.Logger
	known atomic.Pointer[tokens]
	seen  stamp // owned by watch
}

// tokens is the file, read. Only hashes are kept: a dump of memory tells none.
type tokens struct {
	pos      map[[sha256.Size]byte]caller
	managers map[[sha256.Size]byte]string
}

// stamp tells one state of the file from the next.
type stamp struct {
	at   time.Time
	size int64
}

func openCallers(path string, log *slog.Logger) (*callers, error) {
	c := &callers{path: path, log: log}
	c.seen = c.look()
	return c, c.read()
}

func (c *callers) look() (s stamp) {
	if info, err := os.Stat(c.path); err == nil {
		s = stamp{info.ModTime(), info.Size()}
	}
	return s
}

func (c *callers) read() error {
	b, err := os.ReadFile(c.path)
	if err != nil {
		return fmt.Errorf("read tokens: %w", err)
	}
	t, err := parseTokens(b)
	if err != nil {
		return fmt.Errorf("read tokens: %s: %w", c.path, err)
	}
	c.known.Store(t)
	return nil
}

// watch reads the file again when it has changed, until ctx ends.
func (c *callers) watch(ctx context.Context) {
	tick := time.NewTicker(callersEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			now := c.look()
			if now == c.seen {
				continue
			}
			c.seen = now
			if err := c.read(); err != nil {
				c.log.Error("the file of tokens is not read again: the tokens of before hold", "err", err)
				continue
			}
			c.log.Info("the file of tokens is read again", "tokens", len(c.known.Load().pos))
		case <-ctx.Done():
			return
		}
	}
}

// who gives the caller whom a header "Bearer token" names.
func (c *callers) who(header string) (caller, error) {
	const scheme = "Bearer "
	if len(header) <= len(scheme) || !strings.EqualFold(header[:len(scheme)], scheme) {
		return caller{}, errUnauthorised
	}
	who, ok := c.known.Load().pos[sha256.Sum256([]byte(header[len(scheme):]))]
	if !ok {
		return caller{}, errUnauthorised
	}
	return who, nil
}

// manager reports whether the code is one of a manager's.
func (c *callers) manager(code string) bool {
	_, ok := c.known.Load().managers[sha256.Sum256([]byte(code))]
	return ok
}

// parseTokens reads the file's text. No error repeats a token.
func parseTokens(text []byte) (*tokens, error) {
	t := &tokens{map[[sha256.Size]byte]caller{}, map[[sha256.Size]byte]string{}}
	n := 0
	names := map[string]bool{}
	for line := range bytes.Lines(text) {
		n++
		line, _, _ = bytes.Cut(line, []byte("#"))
		fields := strings.Fields(string(line))
		if len(fields) == 0 {
			continue
		}
		if err := t.add(fields, names); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
	}
	if len(t.pos) == 0 {
		return nil, errors.New("no token of a POS: want a line \"name token\"")
	}
	return t, nil
}

func (t *tokens) add(fields []string, names map[string]bool) error {
	if len(fields) < 2 || len(fields) > 3 {
		return errors.New("want \"name token\", and perhaps \"training\" or \"manager\"")
	}
	name, secret, kind := fields[0], fields[1], ""
	if len(fields) == 3 {
		kind = fields[2]
	}
	if _, err := subjects.ParseToken(name); err != nil {
		return errors.New("the name, which comes first, is 1 to 64 of a-z, 0-9, '_' and '-'") // it may be a token
	}
	if names[name] {
		return fmt.Errorf("name %s is there twice", name)
	}
	names[name] = true
	least := minToken
	if kind == kindManager {
		least = minCode
	}
	if len(secret) < least {
		return fmt.Errorf("the secret of %s has fewer than %d characters", name, least)
	}
	sum := sha256.Sum256([]byte(secret))
	_, isPOS := t.pos[sum]
	if _, isManager := t.managers[sum]; isPOS || isManager {
		return fmt.Errorf("the secret of %s is another's too", name)
	}
	switch kind {
	case "":
		t.pos[sum] = caller{name: name}
	case kindTraining:
		t.pos[sum] = caller{name: name, training: true}
	case kindManager:
		t.managers[sum] = name
	default:
		return fmt.Errorf("%s: the third word is training or manager, or there is none", name)
	}
	return nil
}

// CheckTokens reads a file of tokens and says what is wrong with it.
func CheckTokens(path string) error {
	_, err := openCallers(path, slog.New(slog.DiscardHandler))
	return err
}
