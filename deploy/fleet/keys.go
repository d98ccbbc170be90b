package fleet

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/nats-io/nkeys"
)

// token is what this process shows to the tills that it starts.
var token = sync.OnceValue(rand.Text)

// Token is what every till of a fleet in this process asks for.
func Token() string { return token() }

// TokensFile writes the file that lets this process ask a node, and gives its path.
func TokensFile(dir string) (string, error) {
	path := filepath.Join(dir, "pos.tokens")
	if err := os.WriteFile(path, []byte("fleet "+Token()+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("write tokens: %w", err)
	}
	return path, nil
}

// secretFile makes a file with a random secret unless it is there.
func secretFile(path string) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	if err := os.WriteFile(path, []byte(rand.Text()+rand.Text()+"\n"), 0o600); err != nil {
		return fmt.Errorf("make secret: %w", err)
	}
	return nil
}

// seedFile makes a file with the seed of a new user nkey unless it is there, and gives the public key.
func seedFile(path string) (public string, err error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		kp, err := nkeys.CreateUser()
		if err != nil {
			return "", fmt.Errorf("make nkey: %w", err)
		}
		if b, err = kp.Seed(); err != nil {
			return "", fmt.Errorf("make nkey: %w", err)
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			return "", fmt.Errorf("make nkey: %w", err)
		}
	} else if err != nil {
		return "", fmt.Errorf("read nkey: %w", err)
	}
	kp, err := nkeys.FromSeed([]byte(strings.TrimSpace(string(b))))
	if err != nil {
		return "", fmt.Errorf("nkey %s: %w", path, err)
	}
	return kp.PublicKey()
}
