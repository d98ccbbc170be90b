package bench

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"

	"tillstream/deploy/fleet"
	"tillstream/edge"
	"tillstream/subjects"
)

// tillCommit measures a till that is alone: HTTP, JSON, pricing, hash chain, sealing, fsync, answer. The
// baseline is what cannot be had for less: the same bytes put by one fsynced transaction, and a bare HTTP
// server that is sent the same bytes and answers as many as the till.
func (b *bench) tillCommit(ctx context.Context) ([]Result, error) {
	deck, err := b.ordinary()
	if err != nil {
		return nil, err
	}
	dir, err := b.place.onDisk("till")
	if err != nil {
		return nil, err
	}
	t, err := openTill(ctx, dir, b)
	if err != nil {
		return nil, err
	}
	results, err := t.measure(ctx, b, deck)
	return results, errors.Join(err, t.close())
}

// bareTill is a till without a store, and the parts of its baseline.
type bareTill struct {
	cfg    edge.Config
	node   *edge.Node
	db     *bbolt.DB
	echo   *http.Server
	url    string // of echo
	answer atomic.Pointer[[]byte]
	key    uint64 // of the next row in db
	stop   context.CancelFunc
	wg     sync.WaitGroup
}

var bucketBare = []byte("receipts")

func openTill(ctx context.Context, dir string, b *bench) (*bareTill, error) {
	key, err := secret(dir, "card.key", rand.Text()+rand.Text())
	if err != nil {
		return nil, err
	}
	tokens, err := fleet.TokensFile(dir)
	if err != nil {
		return nil, err
	}
	n := benchNet()
	t := &bareTill{cfg: edge.Config{
		DC: n.DC, Env: n.Env, Brand: n.Brand, Data: filepath.Join(dir, "node"), Listen: "127.0.0.1:0", CardKey: key, POSTokens: tokens,
		Store: subjects.StoreID{Token: subjects.MustToken("0001")}, Till: subjects.TillID{Token: subjects.MustToken("01")},
	}}
	ctx, t.stop = context.WithCancel(ctx)
	if t.node, err = edge.Open(t.cfg, "bench", b.log); err != nil {
		return nil, err
	}
	t.wg.Go(func() { _ = t.node.Run(ctx) }) // a node that ends is noticed by whoever asks it
	if err := t.openBaseline(dir); err != nil {
		return nil, errors.Join(err, t.close())
	}
	return t, nil
}

// openBaseline opens a bbolt file with the journal's options, and the echo.
func (t *bareTill) openBaseline(dir string) (err error) {
	t.db, err = bbolt.Open(filepath.Join(dir, "bare.db"), 0o600, &bbolt.Options{FreelistType: bbolt.FreelistMapType, NoStatistics: true})
	if err != nil {
		return fmt.Errorf("open the bare file: %w", err)
	}
	if err := t.db.Update(func(tx *bbolt.Tx) error { _, err := tx.CreateBucket(bucketBare); return err }); err != nil {
		return fmt.Errorf("open the bare file: %w", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("open the bare server: %w", err)
	}
	t.url = "http://" + l.Addr().String()
	t.echo = &http.Server{ReadHeaderTimeout: 2 * time.Second, ReadTimeout: 10 * time.Second, Handler: http.HandlerFunc(t.serve)}
	t.wg.Go(func() { _ = t.echo.Serve(l) }) // until close
	return nil
}

// serve reads what comes and answers with what the till answered last.
func (t *bareTill) serve(w http.ResponseWriter, r *http.Request) {
	body := make([]byte, max(r.ContentLength, 0))
	if _, err := io.ReadFull(r.Body, body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	answer := *t.answer.Load()
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(answer)))
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusCreated)
	_, _ = w.Write(answer) // the asker notices
}

func (t *bareTill) close() error {
	var errs []error
	if t.echo != nil {
		errs = append(errs, t.echo.Close())
	}
	t.stop()
	t.wg.Wait()
	errs = append(errs, t.node.Close())
	if t.db != nil {
		errs = append(errs, t.db.Close())
	}
	return errors.Join(errs...)
}

func (t *bareTill) measure(ctx context.Context, b *bench, deck *deck) ([]Result, error) {
	var results []Result
	for _, callers := range []int{1, 8} {
		got, err := t.rounds(ctx, b, deck, callers)
		results = append(results, got...)
		if err != nil {
			return results, err
		}
	}
	return results, nil
}

// rounds compares at so many callers. Each caller of the baseline has a transaction of its own; how a
// commit under way compares with a lone transaction is a row of its own.
func (t *bareTill) rounds(ctx context.Context, b *bench, deck *deck, callers int) ([]Result, error) {
	n := b.size(500, 50) * callers
	var rates []float64
	var lone pairs
	ours := func(ctx context.Context) (float64, error) {
		took, wall, err := t.ask(ctx, t.node.URL(), t.questions(deck, n), callers)
		rates = append(rates, rate(len(took), wall))
		return micros(mean(took)), err
	}
	base := func(ctx context.Context) (float64, error) {
		q := t.questions(deck, n)
		alone, err := t.put(q.bodies[:n/callers], 1)
		if err != nil {
			return 0, err
		}
		put, err := t.put(q.bodies, callers)
		if err != nil {
			return 0, err
		}
		took, _, err := t.ask(ctx, t.url, q, callers)
		lone = append(lone, pair{base: micros(mean(alone) + mean(took))})
		return micros(mean(put) + mean(took)), err
	}
	if _, _, err := t.ask(ctx, t.node.URL(), t.questions(deck, n), callers); err != nil { // warms up, and gives the echo its answer
		return nil, err
	}
	p, err := b.alternate(ctx, b.rounds, ours, base)
	if err != nil {
		return nil, err
	}
	name := fmt.Sprintf("till_commit_%d", callers)
	results := []Result{p.result(name, "us", "fsynced bbolt Update + HTTP echo, as many callers", ratioAtMost(1.5))}
	if callers > 1 {
		for i := range p {
			lone[i].ours = p[i].ours
		}
		results = append(results, lone.result(name+"_to_lone", "us", "lone bbolt Update + HTTP echo of as many callers", goal{}))
	}
	return append(results, Result{Name: name + "_rate", Value: median(rates), Unit: "receipts/s"}), nil
}

func (t *bareTill) questions(d *deck, n int) *questions {
	q, pos := &questions{}, fleet.NewPOS(t.node.URL())
	for range n {
		r := d.deal()
		q.add(pos, &r, t.cfg.Store, t.cfg.Till)
	}
	return q
}

// ask sends the questions by so many callers at once, and gives how long each answer took. The first answer
// of the till is what the echo says.
func (t *bareTill) ask(ctx context.Context, url string, q *questions, callers int) ([]time.Duration, time.Duration, error) {
	return volley(ctx, url, q.asks, callers, func(a fleet.Answer) error {
		if a.Status != http.StatusCreated {
			return fmt.Errorf("%s answers %d %.200s", url, a.Status, a.Body)
		}
		if t.answer.Load() == nil {
			body := append([]byte(nil), a.Body...)
			t.answer.CompareAndSwap(nil, &body)
		}
		return nil
	})
}

// put keeps each body by a transaction of its own, so many callers at once, and gives how long each took.
func (t *bareTill) put(bodies [][]byte, callers int) ([]time.Duration, error) {
	took := make([]time.Duration, len(bodies))
	errs := make([]error, callers)
	var next atomic.Int64
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			for i := next.Add(1) - 1; int(i) < len(bodies) && errs[c] == nil; i = next.Add(1) - 1 {
				start := time.Now()
				errs[c] = t.db.Update(func(tx *bbolt.Tx) error {
					t.key++ // in the transaction: one at a time
					bucket := tx.Bucket(bucketBare)
					bucket.FillPercent = 0.9
					return bucket.Put(binary.BigEndian.AppendUint64(nil, t.key), bodies[i])
				})
				took[i] = time.Since(start)
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("put in the bare file: %w", err)
	}
	return took, nil
}
