package bench

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tillstream/central/hub"
	"tillstream/central/streams"
	"tillstream/subjects"
)

// bare is the baseline's cluster: three servers as a centre has them, fsync always, with a stream like the
// journal's and nothing else. Its clients sit at the node that leads the stream, in process.
type bare struct {
	net    subjects.Net
	hubs   []*hub.Hub
	conn   *nats.Conn // to the stream's leader
	js     jetstream.JetStream
	bucket string // prefix of the subjects of the accounts' stream; empty: not made yet
}

const (
	window    = 1024 // publishes under way
	bareNodes = 3
	readyIn   = time.Minute
	ackWithin = 30 * time.Second
)

// cluster gives the bare cluster, started when it is first asked for.
func (b *bench) cluster(ctx context.Context) (*bare, error) {
	if b.bare != nil {
		return b.bare, nil
	}
	dir, err := b.place.onDisk("bare")
	if err != nil {
		return nil, err
	}
	c := &bare{net: benchNet()}
	if err := c.open(ctx, dir, b); err != nil {
		return nil, errors.Join(fmt.Errorf("start the bare cluster: %w", err), c.close())
	}
	b.bare = c
	return c, nil
}

// benchNet is the brand that is measured.
func benchNet() subjects.Net {
	return subjects.Net{
		DC: subjects.MustToken("dc1"), Env: subjects.MustToken("bench"),
		Brand: subjects.BrandID{Token: subjects.MustToken("acme")},
	}
}

func nodeName(i int) subjects.NodeID {
	return subjects.NodeID{Token: subjects.MustToken(fmt.Sprintf("c%d", i+1))}
}

func (c *bare) open(ctx context.Context, dir string, b *bench) error {
	ctx, cancel := context.WithTimeout(ctx, readyIn)
	defer cancel()
	routes, err := freeAddresses(bareNodes)
	if err != nil {
		return err
	}
	clusterSecret := rand.Text()
	for i := range bareNodes {
		h, err := hub.Open(hub.Config{
			Node: nodeName(i), ClusterName: "bare", Brands: []hub.Brand{{Net: c.net}},
			ClusterListen: routes[i], Routes: routes, ClusterSecret: clusterSecret,
			DataDir: filepath.Join(dir, nodeName(i).String()), Log: b.log,
		})
		if err != nil {
			return err
		}
		c.hubs = append(c.hubs, h)
	}
	for _, h := range c.hubs {
		if err := h.Ready(ctx); err != nil {
			return err
		}
	}
	return c.lead(ctx, streams.Want(c.net, bareNodes)[0])
}

// lead makes a stream and connects to the node that leads it.
func (c *bare) lead(ctx context.Context, want jetstream.StreamConfig) (err error) {
	c.conn, c.js, err = c.at(ctx, want)
	return err
}

// at makes a stream and gives a connection to the node that leads it.
func (c *bare) at(ctx context.Context, want jetstream.StreamConfig) (*nats.Conn, jetstream.JetStream, error) {
	leader, err := c.make(ctx, c.hubs[0], want)
	if err != nil {
		return nil, nil, err
	}
	for i, h := range c.hubs {
		if nodeName(i).String() != leader {
			continue
		}
		conn, err := h.Connect(c.net.Brand, "publisher")
		if err != nil {
			return nil, nil, err
		}
		js, err := jetstream.New(conn)
		return conn, js, err
	}
	return nil, nil, fmt.Errorf("stream %s is led by %q, which is none of ours", want.Name, leader)
}

// make makes a stream and gives the node that leads it. A cluster that has just started refuses for a
// moment.
func (c *bare) make(ctx context.Context, at *hub.Hub, want jetstream.StreamConfig) (leader string, err error) {
	conn, err := at.Connect(c.net.Brand, "maker")
	if err != nil {
		return "", err
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		return "", err
	}
	for {
		try, cancel := context.WithTimeout(ctx, 2*time.Second)
		s, err := js.CreateOrUpdateStream(try, want)
		cancel()
		if err == nil && s.CachedInfo().Cluster != nil && s.CachedInfo().Cluster.Leader != "" {
			return s.CachedInfo().Cluster.Leader, nil
		}
		if !sleep(ctx, 50*time.Millisecond) {
			return "", fmt.Errorf("make stream %s: %w: %w", want.Name, context.Cause(ctx), err)
		}
	}
}

func (c *bare) close() error {
	if c.conn != nil {
		c.conn.Close()
	}
	var errs []error
	for _, h := range c.hubs {
		errs = append(errs, h.Close())
	}
	return errors.Join(errs...)
}

// publish sends the bodies to the journal's stream, and gives bodies a second until the last is acknowledged.
func (c *bare) publish(ctx context.Context, bodies [][]byte) (float64, error) {
	msgs := make([]*nats.Msg, len(bodies))
	for i, body := range bodies {
		msgs[i] = &nats.Msg{Subject: c.net.Journal(), Data: body}
	}
	return publish(ctx, c.conn, msgs)
}

// Accounts of the compare-and-set baseline, and who changes them at once.
const (
	casWorkers = 64
	accounts   = 100_000
)

// swap changes accounts by compare-and-set for so long, and gives changes a second: one subject per
// account in an R3 stream, the last sequence expected. Each worker has accounts of its own and remembers
// their sequences, so that it neither reads before it writes nor ever loses.
func (c *bare) swap(ctx context.Context, lasts time.Duration, seqs [][]uint64, data []byte) (float64, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var changed atomic.Int64
	began := time.Now()
	var wg sync.WaitGroup
	for w := range casWorkers {
		wg.Go(func() {
			for i := 0; time.Since(began) < lasts && ctx.Err() == nil; i++ {
				k := i * 7919 % len(seqs[w])
				ack, err := c.js.Publish(ctx, fmt.Sprintf("%s.%d", c.bucket, w*len(seqs[w])+k), data,
					jetstream.WithExpectLastSequencePerSubject(seqs[w][k]))
				if err != nil {
					cancel(fmt.Errorf("compare and set: %w", err))
					return
				}
				seqs[w][k] = ack.Sequence
				changed.Add(1)
			}
		})
	}
	wg.Wait()
	return rate(int(changed.Load()), time.Since(began)), context.Cause(ctx)
}

// openAccounts makes the stream of the compare-and-set baseline.
func (c *bare) openAccounts(ctx context.Context) error {
	if c.bucket != "" {
		return nil
	}
	want := streams.Want(c.net, bareNodes)[0]
	want.Name, want.Description = "accounts", "one subject per account"
	c.bucket = "bench.account"
	want.Subjects = []string{c.bucket + ".*"}
	want.MaxMsgsPerSubject, want.DenyDelete, want.DenyPurge = 1, false, false
	want.Discard = jetstream.DiscardOld
	c.conn.Close() // its node may not lead this one
	return c.lead(ctx, want)
}
