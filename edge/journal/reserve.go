package journal

import (
	"errors"
	"fmt"

	"go.etcd.io/bbolt"
)

// Reserve is how the journal stands with the disk.
type Reserve struct {
	Left int64 // bytes that the file may still grow by whatever else happens to the disk
	Full bool  // the disk did not give what Config.Reserve asks for
}

// ReserveLeft is as TopUp has found it last.
func (j *Journal) ReserveLeft() Reserve {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.reserve
}

// TopUp sees to it that the file has Config.Reserve bytes of the disk to grow into, and says how it
// stands. When the disk is full the journal goes on with what it has: those blocks are the file's own,
// nothing else can take them. Call it now and then (each second); it costs nothing while there is enough.
func (j *Journal) TopUp() (Reserve, error) {
	if j.cfg.Reserve == 0 {
		return Reserve{}, nil
	}
	j.turn <- struct{}{} // with Close, and with those who make the file grow
	defer func() { <-j.turn }()
	var used int64
	if err := j.file.view(func(tx *bbolt.Tx) error { used = tx.Size(); return nil }); err != nil {
		return Reserve{}, fmt.Errorf("keep space for the journal: %w", err)
	}
	full := false
	if j.owned < used+j.cfg.Reserve-j.cfg.Reserve/16 { // else each page would be asked for by itself
		switch err := asFull(allocate(j.file.raw, used+j.cfg.Reserve)); {
		case err == nil:
			j.owned = used + j.cfg.Reserve
		case errors.Is(err, ErrFull):
			full = true
		case errors.Is(err, errors.ErrUnsupported):
			j.cfg.Log.Warn("this disk holds no space for the journal: a full disk will stop it at once", "path", j.cfg.Path)
			j.cfg.Reserve = 0
			return Reserve{}, nil
		default:
			return Reserve{}, fmt.Errorf("keep space for the journal: %w", err)
		}
	}
	r := Reserve{Left: max(j.owned-used, 0), Full: full}
	j.mu.Lock()
	j.reserve = r
	j.mu.Unlock()
	return r, nil
}
