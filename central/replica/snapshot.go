package replica

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"tillstream/kv/record"
)

// snapshotEvery is how often a node that does not write puts its state on disk. The one that writes
// does so when it stops: it has no time to hold still.
const snapshotEvery = 5 * time.Minute

func (t *tip) append(b []byte) []byte {
	b = append(b, t.generation[:]...)
	b = record.AppendU64(b, t.number)
	b = record.AppendU64(b, t.term)
	b = record.AppendU64(b, uint64(t.at))
	b = append(b, t.hash[:]...)
	return record.AppendU64(b, t.stream)
}

const tipSize = 16 + 8 + 8 + 8 + 32 + 8

// readTip reads what append wrote; nothing is the zero tip.
func readTip(b []byte) (t tip, err error) {
	if len(b) == 0 {
		return t, nil
	}
	r := record.Reader{B: b}
	r.Fill(t.generation[:])
	t.number, t.term, t.at = r.U64(), r.U64(), r.I64()
	r.Fill(t.hash[:])
	t.stream = r.U64()
	return t, r.End()
}

func (r *Replica) snapshotPath() string { return filepath.Join(r.cfg.Dir, "state.snapshot") }

// save writes the snapshot: tip, state, and a SHA-256 over both. It is only good if history has come
// as far: otherwise the rows in between would never be written. So history is flushed after the state
// was read; not done means that the fold had applied an entry and not handed over its rows.
func (r *Replica) save() (done bool, err error) {
	var b bytes.Buffer
	r.mu.RLock()
	t := r.tip
	b.Write(t.append(nil))
	err = r.machine.Snapshot(&b)
	r.mu.RUnlock()
	if err != nil {
		return false, fmt.Errorf("snapshot at entry %d: %w", t.number, err)
	}
	if err := r.flush(); err != nil {
		return false, err
	}
	if _, at := r.HistoryAt(); at < t.number || t.number == 0 {
		return false, nil
	}
	sum := sha256.Sum256(b.Bytes())
	b.Write(sum[:])
	if err := writeFile(r.snapshotPath(), b.Bytes()); err != nil {
		return false, fmt.Errorf("snapshot at entry %d: %w", t.number, err)
	}
	return true, nil
}

func writeFile(path string, data []byte) error {
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// load restores the snapshot, or leaves the machine empty to fold from the first entry.
func (r *Replica) load() error {
	data, err := os.ReadFile(r.snapshotPath())
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read snapshot: %w", err)
	}
	n := len(data) - sha256.Size
	if n < tipSize || sha256.Sum256(data[:n]) != [32]byte(data[n:]) {
		r.log.Warn("the snapshot is damaged; folding the journal from its beginning")
		return nil
	}
	t, err := readTip(data[:tipSize])
	if err != nil {
		return fmt.Errorf("read snapshot: %w", err)
	}
	if g, at := r.HistoryAt(); g != t.generation || at < t.number {
		r.log.Warn("history is behind the snapshot; folding the journal from its beginning",
			"snapshot", t.number, "history", at)
		return nil
	}
	if err := r.machine.Restore(bytes.NewReader(data[tipSize:n])); err != nil {
		return fmt.Errorf("restore snapshot at entry %d: %w", t.number, err)
	}
	r.tip = t
	r.folded.Store(t.number)
	r.term.Store(t.term)
	return nil
}
