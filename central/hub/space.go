package hub

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// The marks of a disk. Below the reserve the server is shut, and above twice the reserve it opens again.
// At the fastest that the centre has been measured (15,000 receipts/s, 20 MB/s with the logs of its
// cluster) half a GiB is 25 s of writing: a hundred looks, and room for what an end and a start write. A
// small disk gives an eighth of itself.
const (
	reserve      = 512 << 20 // bytes
	reserveShare = 8
	spaceLook    = 250 * time.Millisecond
	openAgain    = time.Second // between two tries to open; doubled up to openMost
	openMost     = 5 * time.Second
)

// ErrFull means that the disk has less room than is kept in reserve.
var ErrFull = errors.New("the disk is full")

// Space is the room on the disk of JetStream's files, in bytes, and what became of it.
type Space struct {
	Free uint64
	Low  uint64 // below it the server is shut
	High uint64 // from there it opens again
	Shut error  // why the server is shut; nil: it runs
}

// shutting is since when the server is shut.
type shutting struct {
	since time.Time
	next  time.Time     // no try to open before it
	pause time.Duration // after the next try
}

type meters struct {
	free, shut prometheus.Gauge
	ends       prometheus.Counter
}

func newMeters(reg prometheus.Registerer) *meters {
	m := &meters{
		free: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "tillstream_disk_free_bytes", Help: "Room on the disk of JetStream's files."}),
		shut: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "tillstream_hub_shut", Help: "1 while the node's server is closed: its disk is full, or its copy of a journal is being dropped."}),
		ends: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tillstream_hub_shut_total", Help: "Times the node closed its server by itself."}),
	}
	if reg != nil {
		reg.MustRegister(m.free, m.shut, m.ends)
	}
	return m
}

// marks gives when the server is shut and opened again on a disk of so many bytes.
func marks(size uint64) (low, high uint64) {
	low = min(reserve, size/reserveShare)
	return low, 2 * low
}

// Space is what Guard saw last.
func (h *Hub) Space() Space { return *h.space.Load() }

// Full reports why this node should write nothing: its server is shut, or will be at the next look.
func (h *Hub) Full() error {
	switch s := h.Space(); {
	case s.Shut != nil:
		return s.Shut
	case s.Free < s.Low:
		return fmt.Errorf("%w: %d MiB are free", ErrFull, s.Free>>20)
	}
	return nil
}

// see measures the disk.
func (h *Hub) see() Space {
	var s Space
	free, size, err := room(h.cfg.DataDir)
	if err != nil { // what cannot be measured is not guarded
		if !h.blind.Swap(true) {
			h.log.Warn("cannot see how full the disk is", "dir", h.cfg.DataDir, "err", err)
		}
		free, size = math.MaxInt64, 0
	}
	s.Free = free
	s.Low, s.High = marks(size)
	if old := h.space.Load(); old != nil {
		s.Shut = old.Shut
	}
	h.space.Store(&s)
	h.meters.free.Set(float64(free))
	return s
}

// openIfRoom opens the server at a start, or leaves that to Guard while the disk is full.
func (h *Hub) openIfRoom() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if s := h.see(); s.Free < s.Low {
		h.shutFor(fmt.Errorf("%w: %d MiB are free, %d are kept in reserve", ErrFull, s.Free>>20, s.Low>>20))
		return nil
	}
	return h.open()
}

// Guard keeps the server off a full disk until ctx ends. On one that has met the end of its disk JetStream
// hangs, and room does not revive it in the same process. So the server is shut while there is room for
// an orderly end, and opened again when there is room for work. If it meets the end all the same, because
// somebody ate the disk between two looks, it is shut too, and opened again for as long as that fails.
func (h *Hub) Guard(ctx context.Context) error {
	tick := time.NewTicker(spaceLook)
	defer tick.Stop()
	for {
		h.look(time.Now())
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func (h *Hub) look(now time.Time) {
	space := h.see()
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return
	}
	if s := h.server.Load(); s != nil {
		switch {
		case space.Free < space.Low:
			h.shutFor(fmt.Errorf("%w: %d MiB are free, %d are kept in reserve", ErrFull, space.Free>>20, space.Low>>20))
		case h.full.Load() || !s.JetStreamEnabled():
			h.shutFor(fmt.Errorf("%w: JetStream has met its end", ErrFull))
		}
		return
	}
	if space.Free < space.High || now.Before(h.shut.next) {
		return
	}
	h.reopen(now)
}

// shutFor ends the server for a while. Callers hold mu.
func (h *Hub) shutFor(why error) {
	h.log.Error("closes its server: the others go on, and it opens again when there is room", "err", why)
	h.meters.shut.Set(1)
	h.meters.ends.Inc()
	now := time.Now()
	h.shut = shutting{since: now, next: now, pause: openAgain}
	h.why(why)
	h.end()
}

// reopen tries to start the server again. Callers hold mu.
func (h *Hub) reopen(now time.Time) {
	if err := h.open(); err != nil {
		h.log.Warn("cannot open its server yet", "err", err)
		h.shut.next, h.shut.pause = now.Add(h.shut.pause), min(2*h.shut.pause, openMost)
		return
	}
	h.log.Info("has opened its server again", "shut_for", time.Since(h.shut.since).Round(time.Millisecond))
	h.why(nil)
	h.meters.shut.Set(0)
}

// why notes why the server is shut. Callers hold mu, or are Open.
func (h *Hub) why(err error) {
	s := h.Space()
	s.Shut = err
	h.space.Store(&s)
}
