package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
	"time"

	"tillstream/deploy/daemon"
	"tillstream/edge"
	"tillstream/edge/api"
	"tillstream/kv/record"
)

// A till's node in a process of its own, as at a till, and beside it a bare HTTP server: what the node and
// its baseline cost is measured from outside, with nobody else's memory to collect.

// What a till's process is asked, a line each; "profile PATH" begins profiles, whose names begin so.
const (
	askDoors   = "doors"
	askMemory  = "memory"
	askProfile = "profile "
	askStop    = "stop" // the profiles
)

// doors is what it says: where it answers, or what it has allocated so far.
type doors struct {
	Error       string `json:"error,omitempty"`
	Node        string `json:"node"` // URLs
	Echo        string `json:"echo"`
	Allocations uint64 `json:"allocations"`
	Allocated   uint64 `json:"allocated"` // bytes
	Collections uint32 `json:"collections"`
}

// served is the process itself.
type served struct {
	doors   doors
	name    string   // of the profiles
	profile *os.File // of the CPU, under way
}

// serveTill runs a till's node and an echo, and answers lines until there are no more.
func serveTill(ctx context.Context, config string, in io.Reader, out io.Writer, log *slog.Logger) error {
	cfg, err := edge.ReadConfig(config)
	if err != nil {
		return err
	}
	daemon.CollectLess()
	n, err := edge.Open(cfg, "bench", log)
	if err != nil {
		return err
	}
	supply(n)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return errors.Join(fmt.Errorf("open the bare server: %w", err), n.Close())
	}
	bare := &http.Server{ReadHeaderTimeout: 2 * time.Second, ReadTimeout: 10 * time.Second, Handler: echo()}
	ctx, cancel := context.WithCancel(ctx)
	ran := make(chan error, 1)
	var wg sync.WaitGroup
	wg.Go(func() { ran <- n.Run(ctx) })
	wg.Go(func() { _ = bare.Serve(l) }) // until it is closed
	s := served{doors: doors{Node: n.URL(), Echo: "http://" + l.Addr().String()}}
	encoder := json.NewEncoder(out)
	for lines := bufio.NewScanner(in); lines.Scan() && err == nil; {
		err = encoder.Encode(s.answer(lines.Text()))
	}
	cancel()
	err = errors.Join(err, bare.Close())
	wg.Wait()
	return errors.Join(err, <-ran, n.Close())
}

// answer answers one line.
func (s *served) answer(line string) (d doors) {
	d = s.doors
	var err error
	switch name, profile := strings.CutPrefix(line, askProfile); {
	case profile:
		s.name = name
		if s.profile, err = os.Create(name + ".cpu.pprof"); err == nil {
			err = pprof.StartCPUProfile(s.profile)
		}
	case line == askStop:
		err = s.keep()
	case line == askMemory:
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		d.Allocations, d.Allocated, d.Collections = m.Mallocs, m.TotalAlloc, m.NumGC
	}
	if err != nil {
		d.Error = err.Error()
	}
	return d
}

// keep ends the profile; that of allocations counts since the process began.
func (s *served) keep() error {
	pprof.StopCPUProfile()
	if err := s.profile.Close(); err != nil {
		return err
	}
	f, err := os.Create(s.name + ".allocs.pprof")
	if err != nil {
		return err
	}
	return errors.Join(pprof.Lookup("allocs").WriteTo(f, 0), f.Close())
}

// askTill asks a till's process.
func (p *process) askTill(line string) (d doors, err error) {
	if err = p.say(line, &d); err == nil && d.Error != "" {
		err = fmt.Errorf("node %s: %s", p.name, d.Error)
	}
	return d, err
}

// echo reads what comes and answers as many bytes as the path says, from one array: the least that a server
// of net/http can do.
func echo() http.HandlerFunc {
	bytes := make([]byte, record.MaxBody)
	return func(w http.ResponseWriter, r *http.Request) {
		n, err := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/"))
		if err == nil {
			_, err = io.Copy(io.Discard, r.Body)
		}
		if err != nil || n < 0 || n > len(bytes) {
			http.Error(w, "want a size and a body", http.StatusBadRequest)
			return
		}
		h := w.Header()
		h.Set("Content-Type", "application/json")
		h.Set("Content-Length", strconv.Itoa(n))
		h.Set("Cache-Control", "no-store")
		_, _ = w.Write(bytes[:n]) // the asker notices
	}
}

// supply tells a node of every shopper's segments, and of coupons, which no module of the centre brings yet.
func supply(n *edge.Node) {
	b := newShelves().basket(0)
	pools := make(map[string]string, len(b.Coupons))
	for i := range b.Coupons {
		pools[b.Coupons[i].Code] = b.Coupons[i].Pool
	}
	n.Supply(func(f *api.Facts) {
		f.Shopper = func(record.AccountID) (api.ShopperFacts, bool) {
			return api.ShopperFacts{Segments: b.Shopper.Segments, Tier: b.Shopper.Tier}, true
		}
		f.Coupon = func(code string, _ record.AccountID) (api.CouponFacts, bool) {
			pool, ok := pools[code]
			return api.CouponFacts{State: "usable", Pool: pool}, ok
		}
	})
}
