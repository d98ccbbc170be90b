package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tillstream/central/flow"
	"tillstream/central/hub"
	"tillstream/central/streams"
	"tillstream/kv"
)

// A node that holds the flow's buckets, in a process of its own: what a million records weigh is seen from outside, and
// a restart is one. It is alone, so it has one of the copies that a centre of three nodes has three of.

// bucketAsk is a line that its process is sent.
type bucketAsk struct {
	Tim   int `json:"tim,omitempty"`   // so many states of attempts are put
	Wait  int `json:"wait,omitempty"`  // so many shoppers get messages that wait
	Drain int `json:"drain,omitempty"` // so many shoppers come, one after the other
	From  int `json:"from,omitempty"`  // the first of them
}

// bucketSays is what it answers to each.
type bucketSays struct {
	Error string    `json:"error,omitempty"`
	RSS   float64   `json:"rss"`  // MB of its own memory, after a collection
	Took  []float64 `json:"took"` // ms, of each drain
}

type bucketNode struct {
	hub  *hub.Hub
	flow *flowRun
	log  *slog.Logger
	stop func() error // of the components, once they run; nil before
}

// obeyBuckets runs the node on a directory and answers lines until there are no more.
func obeyBuckets(ctx context.Context, dir string, in io.Reader, out io.Writer, log *slog.Logger) error {
	n, err := openBuckets(ctx, dir, log)
	if err != nil {
		return err
	}
	encoder := json.NewEncoder(out)
	for lines := bufio.NewScanner(in); err == nil && lines.Scan(); {
		var ask bucketAsk
		says := bucketSays{}
		if err := json.Unmarshal(lines.Bytes(), &ask); err != nil {
			says.Error = err.Error()
		} else if says, err = n.do(ctx, ask); err != nil {
			says.Error = err.Error()
		}
		err = encoder.Encode(says)
	}
	return errors.Join(err, n.close())
}

// openBuckets is there when the buckets answer.
func openBuckets(ctx context.Context, dir string, log *slog.Logger) (*bucketNode, error) {
	net := benchNet()
	h, err := hub.Open(hub.Config{Node: nodeName(0), Brands: []hub.Brand{{Net: net}}, DataDir: dir, Log: log})
	if err != nil {
		return nil, err
	}
	n := &bucketNode{hub: h, flow: &flowRun{net: net}, log: log}
	if err := n.open(ctx); err != nil {
		return nil, errors.Join(err, h.Close())
	}
	return n, nil
}

func (n *bucketNode) open(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, readyIn)
	defer cancel()
	if err := n.hub.Ready(ctx); err != nil {
		return err
	}
	if n.flow.conn, err = n.hub.Connect(n.flow.net.Brand, "bench"); err != nil {
		return err
	}
	if n.flow.js, err = jetstream.New(n.flow.conn); err != nil {
		return err
	}
	if err := n.flow.prepare(ctx, streams.WantFlow(n.flow.net, 1)); err != nil {
		return err
	}
	for _, b := range []kv.Bucket{kv.Attempts(n.flow.net.Brand), kv.Onsite(n.flow.net.Brand)} {
		s, err := kv.Open(ctx, n.flow.js, b)
		if err != nil {
			return err
		}
		if _, err := s.Get(ctx, "tim.none"); !errors.Is(err, kv.ErrNone) {
			return fmt.Errorf("bucket %s answers %w", b.Name, err)
		}
	}
	return nil
}

func (n *bucketNode) do(ctx context.Context, ask bucketAsk) (says bucketSays, err error) {
	switch {
	case ask.Tim > 0:
		err = n.fillAttempts(ctx, ask.Tim)
	case ask.Wait > 0:
		err = n.fillQueue(ctx, ask.Wait)
	case ask.Drain > 0:
		says.Took, err = n.drains(ctx, ask.From, ask.Drain)
	}
	if err != nil {
		return says, err
	}
	debug.FreeOSMemory()
	says.RSS, err = rssAnon(os.Getpid())
	return says, err
}

func (n *bucketNode) close() error {
	var err error
	if n.stop != nil {
		err = n.stop()
	}
	n.flow.conn.Close()
	return errors.Join(err, n.hub.Close())
}

// fill puts records that are not there, as kv.Store.PutFor does, many under way.
func (n *bucketNode) fill(ctx context.Context, to kv.Bucket, stay time.Duration, count int, record func(i int) (key string, value []byte)) error {
	prefix := strings.TrimSuffix(to.Subjects(), ">")
	const pack = 20_000
	for from := 0; from < count; from += pack {
		msgs := make([]*nats.Msg, min(pack, count-from))
		for i := range msgs {
			key, value := record(from + i)
			msgs[i] = &nats.Msg{Subject: prefix + key, Data: value, Header: nats.Header{
				jetstream.MsgTTLHeader: {stay.String()}, jetstream.ExpectedLastSubjSeqHeader: {"0"},
			}}
		}
		if _, err := publish(ctx, n.flow.conn, msgs); err != nil {
			return fmt.Errorf("fill bucket %s: %w", to.Name, err)
		}
	}
	return nil
}

// start runs the components, once.
func (n *bucketNode) start(ctx context.Context) error {
	if n.stop != nil {
		return nil
	}
	n.flow.docs = flow.NewDocuments(n.flow.net, n.flow.js, n.log)
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { _ = n.flow.docs.Run(ctx) }) // gives nil always
	err := n.flow.document(ctx)
	stop := func() error { return nil }
	if err == nil {
		stop = n.flow.run(ctx, n.log, 0)
	}
	n.stop = func() error { defer wg.Wait(); defer cancel(); return stop() }
	return err
}
