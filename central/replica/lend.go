package replica

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/nats-io/nats.go"

	"tillstream/kv/record"
	"tillstream/subjects"
	"tillstream/subjects/service"
)

// A node without files asks another for its snapshot and history. A question is a version and a kind, and
// for a piece: the entry of the snapshot, which file, where.
const (
	lendVersion = 1
	lendOffer   = 1 // what snapshot there is
	lendPiece   = 2 // bytes of a file

	fileSnapshot = 1
	fileHistory  = 2

	pieceSize = 512 << 10
)

// offer is what a node has to give.
type offer struct {
	Snapshot
	size uint64 // bytes of the snapshot's file
}

func (o *offer) append(b []byte) []byte {
	return record.AppendU64(o.Snapshot.append(append(b, lendVersion)), o.size)
}

func readOffer(data []byte) (o offer, err error) {
	r := record.Reader{B: data}
	if r.U8() != lendVersion && r.Err == nil {
		return o, record.ErrFormat
	}
	if err := o.read(r.Bytes(snapshotFixed)); err != nil {
		return o, err
	}
	o.size = r.U64()
	return o, r.End()
}

// lender answers the questions. A snapshot that was offered is kept open: the next one takes its name, and
// whoever fetches it goes on with this one.
type lender struct {
	r *Replica

	mu    sync.Mutex
	given []given // guarded by mu: the last few
}

type given struct {
	entry uint64
	file  *os.File
}

const mostGiven = 3

// lend serves until ctx ends.
func (r *Replica) lend(ctx context.Context) error {
	l := &lender{r: r}
	err := service.New(service.Config{
		Conn: r.cfg.Conn, Name: subjects.ServiceReplica, Endpoint: "files", Subject: r.cfg.Net.Files(r.cfg.Node),
		Description: "snapshot and history of node " + r.cfg.Node.String(), AtOnce: 2, Answer: l.answer, Log: r.log,
	}).Run(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, g := range l.given {
		err = errors.Join(err, g.file.Close())
	}
	return err
}

func (l *lender) answer(ctx context.Context, q service.Question) (a service.Answer, err error) {
	r := record.Reader{B: q.Data}
	v, kind := r.U8(), r.U8()
	switch {
	case r.Err != nil || v != lendVersion:
		return a, &service.Refusal{Err: record.ErrFormat}
	case kind == lendOffer:
		a.Data, err = l.offer(ctx)
		return a, err
	}
	entry, file, at := r.U64(), r.U8(), r.U64()
	if r.End() != nil {
		return a, &service.Refusal{Err: record.ErrFormat}
	}
	a.Data, err = l.piece(entry, file, at)
	if errors.Is(err, os.ErrNotExist) {
		err = &service.Refusal{Err: err}
	}
	return a, err
}

// offer gives the newest snapshot, making one if there is none.
func (l *lender) offer(ctx context.Context) ([]byte, error) {
	if !l.r.saved.Load() {
		if err := l.r.Save(ctx); err != nil {
			return nil, err
		}
	}
	f, err := os.Open(filepath.Join(l.r.cfg.Dir, SnapshotName))
	if err != nil {
		return nil, fmt.Errorf("offer a snapshot: %w", err)
	}
	o, err := offered(f)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, g := range l.given {
		if g.entry == o.Entry {
			return o.append(nil), f.Close()
		}
	}
	l.given = append(l.given, given{o.Entry, f})
	if len(l.given) > mostGiven {
		err = l.given[0].file.Close()
		l.given = l.given[1:]
	}
	return o.append(nil), err
}

func offered(f *os.File) (o offer, err error) {
	b := make([]byte, len(snapshotHead)+snapshotFixed)
	info, err := f.Stat()
	if err == nil {
		_, err = f.ReadAt(b, 0)
	}
	if err == nil {
		o.size = uint64(info.Size())
		err = o.read(b[len(snapshotHead):])
	}
	if err != nil {
		return o, fmt.Errorf("offer a snapshot: %w", err)
	}
	return o, nil
}

// piece reads a piece of one of the two files; none at its end.
func (l *lender) piece(entry uint64, file byte, at uint64) ([]byte, error) {
	b := make([]byte, pieceSize)
	var n int
	var err error
	switch file {
	case fileSnapshot:
		l.mu.Lock()
		defer l.mu.Unlock()
		for _, g := range l.given {
			if g.entry == entry {
				n, err = g.file.ReadAt(b, int64(at))
				return b[:n], piece(err)
			}
		}
		return nil, fmt.Errorf("snapshot of entry %d: %w", entry, os.ErrNotExist)
	case fileHistory:
		f, err := os.Open(filepath.Join(l.r.cfg.Dir, HistoryName))
		if err != nil {
			return nil, fmt.Errorf("lend history: %w", err)
		}
		n, err = f.ReadAt(b, int64(at))
		return b[:n], errors.Join(piece(err), f.Close())
	}
	return nil, fmt.Errorf("file %d: %w", file, os.ErrNotExist)
}

func piece(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// askPiece asks a node for a piece.
func askPiece(ctx context.Context, conn *nats.Conn, subject string, entry uint64, file byte, at uint64) ([]byte, error) {
	q := record.AppendU64([]byte{lendVersion, lendPiece}, entry)
	q = record.AppendU64(append(q, file), at)
	a, err := service.Ask(ctx, conn, subject, q)
	return a.Data, err
}
