package replica

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-io/nats.go"

	"tillstream/kv/record"
	"tillstream/subjects"
	"tillstream/subjects/service"
)

const (
	// worthFetching is the length of a journal, in entries, from which on its fold takes longer than asking.
	worthFetching = 256
	listenFor     = 3 * time.Second // for the heartbeats of those who may have something; less when all are heard
	fetchTries    = 3
	offerWait     = time.Minute     // a node may have to write its first snapshot
	pieceWait     = 5 * time.Second // a node that has died does not answer
)

// errOther means that what a peer gives is not of this journal, or not what it said.
var errOther = errors.New("a peer's files do not fit")

// fetch fills a node that has nothing from another's snapshot and history, checked by their hashes and held
// to the journal. Without that, or if no peer can give any, the journal is folded from its first entry.
func (r *Replica) fetch(ctx context.Context) {
	for _, name := range []string{HistoryName, SnapshotName} { // of a start that died meanwhile
		if err := discard(filepath.Join(r.cfg.Dir, name+".peer")); err != nil {
			r.log.Warn("removes what was fetched by halves", "err", err)
		}
	}
	if r.tip.number > 0 {
		return
	}
	// While the stream does not answer nothing can be folded either.
	last, err := answered(ctx, r.js, r.cfg.Net)
	if err != nil || last.Number < r.worth {
		return // none yet, or the fold is quicker
	}
	for range fetchTries {
		from := r.offers(ctx)
		for _, o := range from {
			err := r.take(ctx, o)
			if err == nil {
				r.log.Info("has a peer's snapshot and history", "peer", o.node, "entry", o.Entry, "bytes", o.size+o.History)
				return
			}
			r.log.Warn("a peer's files cannot be used", "peer", o.node, "entry", o.Entry, "err", err)
		}
		if ctx.Err() != nil || len(from) == 0 {
			break
		}
	}
	r.log.Info("no peer has a snapshot for this node; folds the journal from its first entry", "entries", last.Number)
}

type offerOf struct {
	offer
	node subjects.NodeID
}

// offers asks the nodes that are alive what they have, and gives the newest first.
func (r *Replica) offers(ctx context.Context) (all []offerOf) {
	for _, node := range r.alive(ctx) {
		ask, cancel := context.WithTimeout(ctx, offerWait)
		a, err := service.Ask(ask, r.cfg.Conn, r.cfg.Net.Files(node), []byte{lendVersion, lendOffer})
		cancel()
		var o offer
		if err == nil {
			o, err = readOffer(a.Data)
		}
		if err != nil {
			r.log.Debug("a peer offers no snapshot", "peer", node, "err", err)
			continue
		}
		i := 0
		for i < len(all) && all[i].Entry >= o.Entry {
			i++
		}
		all = append(all[:i], append([]offerOf{{o, node}}, all[i:]...)...)
	}
	return all
}

// alive listens for a moment who is there. This node says nothing meanwhile.
func (r *Replica) alive(ctx context.Context) (nodes []subjects.NodeID) {
	heard := make(chan *nats.Msg, 64)
	sub, err := r.cfg.Beats.ChanSubscribe(r.cfg.Net.AnyHeartbeat(), heard)
	if err != nil {
		return nil
	}
	defer sub.Unsubscribe() //nolint:errcheck // the connection may be gone, and the subscription with it
	ctx, cancel := context.WithTimeout(ctx, listenFor)
	defer cancel()
	seen := map[subjects.NodeID]bool{r.cfg.Node: true}
	for r.cfg.Nodes == 0 || len(seen) < r.cfg.Nodes {
		select {
		case m := <-heard:
			if b, err := readBeat(m.Data); err == nil && !seen[b.node] {
				seen[b.node] = true
				nodes = append(nodes, b.node)
			}
		case <-ctx.Done():
			return nodes
		}
	}
	return nodes
}

// take fetches what was offered and makes it this node's own. After an error nothing has changed but for
// files that the next start does not look at.
func (r *Replica) take(ctx context.Context, o offerOf) error {
	t := o.tip()
	there, err := holds(ctx, r.js, r.cfg.Net, &t)
	if err == nil && !there {
		err = fmt.Errorf("%w: its entry %d is not in the journal", errOther, o.Entry)
	}
	if err != nil {
		return err
	}
	history := filepath.Join(r.cfg.Dir, HistoryName)
	snapshot := filepath.Join(r.cfg.Dir, SnapshotName)
	sum, err := r.download(ctx, o, fileHistory, o.History, history+".peer")
	if err == nil && record.Hash(sum.Sum(nil)) != o.Sum {
		err = fmt.Errorf("%w: another SHA-256 than its snapshot says of history", errOther)
	}
	if err == nil {
		_, err = r.download(ctx, o, fileSnapshot, o.size, snapshot+".peer")
	}
	if err == nil {
		err = r.adopt(o, sum, history, snapshot)
	}
	if err != nil {
		return errors.Join(err, discard(history+".peer"), discard(snapshot+".peer")) // a full disk needs the room
	}
	return nil
}

func discard(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// download writes a peer's file, piece by piece, and gives its SHA-256.
func (r *Replica) download(ctx context.Context, o offerOf, file byte, size uint64, path string) (sum hash.Hash, err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("fetch a peer's file: %w", err)
	}
	sum = sha256.New()
	out := io.MultiWriter(f, sum)
	for at := uint64(0); at < size && err == nil; {
		ask, cancel := context.WithTimeout(ctx, pieceWait)
		var b []byte
		b, err = askPiece(ask, r.cfg.Conn, r.cfg.Net.Files(o.node), o.Entry, file, at)
		cancel()
		if err == nil && len(b) == 0 {
			err = fmt.Errorf("%w: it ends at %d bytes, want %d", errOther, at, size)
		}
		if err == nil {
			b = b[:min(uint64(len(b)), size-at)] // history has grown meanwhile
			at += uint64(len(b))
			_, err = out.Write(b)
		}
	}
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return nil, fmt.Errorf("fetch a peer's file: %w", err)
	}
	return sum, nil
}

// adopt puts the fetched files in their places and reads the state. The snapshot comes last: without one a
// start folds anew, whatever lies beside it.
func (r *Replica) adopt(o offerOf, sum hash.Hash, history, snapshot string) error {
	s, err := ReadSnapshot(snapshot+".peer", nil)
	if err == nil && s != o.Snapshot {
		err = fmt.Errorf("%w: it gave another snapshot than it offered", errOther)
	}
	if err != nil {
		return err
	}
	if err := os.Rename(history+".peer", history); err != nil {
		return fmt.Errorf("take over history: %w", err)
	}
	fresh, err := openHistory(history, o.History, sum)
	if err != nil {
		return err
	}
	r.history.become(fresh)
	r.mu.Lock()
	_, err = ReadSnapshot(snapshot+".peer", r.machine)
	if err == nil {
		r.tip = o.tip()
	}
	r.mu.Unlock()
	if err == nil {
		err = os.Rename(snapshot+".peer", snapshot)
	}
	if err == nil {
		err = syncDir(r.cfg.Dir)
	}
	if err != nil {
		return errors.Join(err, r.forget())
	}
	// From here on a start goes on behind the peer's entry.
	r.saved.Store(true)
	r.folded.Store(o.Entry)
	r.term.Store(o.Term)
	return nil
}
