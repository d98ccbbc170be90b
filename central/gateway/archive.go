package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"tillstream/central/archive"
	"tillstream/central/replica"
	"tillstream/kv/record"
)

// errNoArchive means that this node has no archive.
var errNoArchive = errors.New("this node keeps no archive: its setting archive is empty")

const (
	journalBytes = 4 << 20 // of one answer, after which it ends with an entry
	journalWait  = 30 * time.Second
	closeWait    = 10 * time.Minute // for an archive that has to come level first
)

// journal answers GET /v1/journal?after=N: the entries behind N, byte for byte, in the form of an
// archive's segment, as many as fit one answer. None: there are no more yet.
func (a *Admin) journal(w http.ResponseWriter, r *http.Request) {
	b, err := a.entries(r)
	if err != nil {
		refuse(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	if _, err := w.Write(b); err != nil {
		return // the caller has gone
	}
}

func (a *Admin) entries(r *http.Request) ([]byte, error) {
	after, err := strconv.ParseUint(r.FormValue("after"), 10, 63)
	if err != nil {
		return nil, fmt.Errorf("%w: after: want the number of an entry", errRequest)
	}
	ctx, cancel := context.WithTimeout(r.Context(), journalWait)
	defer cancel()
	src, err := replica.OpenSourceAt(ctx, a.cfg.JS, a.cfg.Net, after)
	if err != nil {
		return nil, err
	}
	b := archive.Head()
	for len(b) < journalBytes {
		data, _, err := src.Next(ctx)
		if errors.Is(err, replica.ErrBehind) {
			break
		}
		if err != nil {
			return nil, err
		}
		b = archive.AppendFrame(b, data)
	}
	return b, nil
}

// Closed is the answer to POST /v1/archive/close: the checkpoint that covers all that the node had folded
// when it was asked.
type Closed struct {
	Node   string    `json:"node"`
	First  uint64    `json:"first"`
	Last   uint64    `json:"last"`
	Bytes  int64     `json:"bytes"`
	Digest string    `json:"digest,omitempty"`
	Time   time.Time `json:"time"`
}

func (a *Admin) closeSegment(r *http.Request) (Closed, error) {
	if a.cfg.Archive == nil {
		return Closed{}, errNoArchive
	}
	ctx, cancel := context.WithTimeout(r.Context(), closeWait)
	defer cancel()
	c, err := a.cfg.Archive.Close(ctx)
	if err != nil {
		return Closed{}, err
	}
	out := Closed{
		Node: a.cfg.Replica.Status().Node.String(), First: c.First, Last: c.Last, Bytes: c.Bytes, Time: c.Time,
	}
	if c.Digest != (record.Hash{}) {
		out.Digest = c.Digest.String()
	}
	return out, nil
}
