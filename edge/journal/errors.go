package journal

import (
	"errors"
	"fmt"
	"strings"
	"syscall"

	bolt "go.etcd.io/bbolt/errors"

	"tillstream/kv/record"
)

// Errors of a journal.
var (
	ErrLocked    = errors.New("journal is open in another process")
	ErrVersion   = errors.New("journal is of another version")
	ErrDamaged   = errors.New("journal is damaged")
	ErrClosed    = errors.New("journal is closed")
	ErrFull      = errors.New("no space left for the journal")
	ErrTooLarge  = errors.New("receipt is too large")
	ErrDraft     = errors.New("not a receipt that can be committed")
	ErrOtherBody = errors.New("rid is taken by another receipt")
	ErrNotFound  = errors.New("receipt not found")
	ErrNoTill    = errors.New("a store's journal commits no receipts of its own")
)

// OtherBodyError is ErrOtherBody with the header of the receipt that has the rid.
type OtherBodyError struct{ Held record.Header }

func (e *OtherBodyError) Error() string {
	return fmt.Sprintf("commit receipt %s: %v: seq %d of chain %s", e.Held.RID, ErrOtherBody, e.Held.Seq, e.Held.Chain)
}

func (e *OtherBodyError) Unwrap() error { return ErrOtherBody }

// asFull makes err an ErrFull if it says that the disk or the quota is full. bbolt flattens some
// errors of the system to text.
func asFull(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, bolt.ErrMaxSizeReached) {
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	for _, no := range []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG} {
		if errors.Is(err, no) || strings.Contains(err.Error(), no.Error()) {
			return fmt.Errorf("%w: %w", ErrFull, err)
		}
	}
	return err
}
