package relay

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

const (
	chunkSize   = 64 << 10 // bytes read at once on a slow link, and no more than it carries in chunkTime
	chunkTime   = 20 * time.Millisecond
	acceptPause = 5 * time.Millisecond
	chunksOnWay = 256 // chunks that may be under way on a slow link; more block the sender
)

// accept takes connections until Close.
func (r *Relay) accept() {
	for {
		c, err := r.listener.AcceptTCP()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			// The client gave up before our accept, or we are out of file descriptors: not at full speed.
			<-time.After(acceptPause)
			continue
		}
		if r.add(c, near) {
			r.wg.Go(func() { r.carry(c) })
		}
	}
}

// carry owns one pair: it dials the target, pumps both ways and ends both sides.
func (r *Relay) carry(client *net.TCPConn) {
	defer r.drop(client)
	addr, ok := r.await(near)
	if !ok || addr == "" {
		reset(client)
		return
	}
	conn, err := net.DialTimeout("tcp", addr, dialTimeout)
	if err != nil {
		reset(client)
		return // the client sees a reset, as from a host without a listener
	}
	server := conn.(*net.TCPConn) // what dialling "tcp" gives
	if !r.add(server, far) {
		reset(client)
		return
	}
	defer r.drop(server)
	r.mu.Lock()
	pace := r.pace
	r.mu.Unlock()
	var pumps sync.WaitGroup
	pumps.Go(func() { r.pump(server, client, near, pace) })
	pumps.Go(func() { r.pump(client, server, far, pace) })
	pumps.Wait()
}

// pump carries what a side says, src to dst, until src ends. An orderly end is passed on as one;
// anything else resets both, so that the other pump ends too.
func (r *Relay) pump(dst, src *net.TCPConn, of side, pace pace) {
	var err error
	if pace.delay > 0 || pace.rate > 0 {
		err = r.copyLate(dst, src, of, pace)
	} else {
		err = r.copy(dst, src, of)
	}
	if err == nil {
		err = dst.CloseWrite()
	}
	if err != nil {
		reset(src)
		reset(dst)
	}
}

// copy is the fast way: the kernel moves the bytes. A deadline in the past means silence: it waits for
// the link and goes on where it stopped; nothing is lost, for what was taken from src is in dst.
func (r *Relay) copy(dst, src *net.TCPConn, of side) error {
	for {
		if _, ok := r.await(of); !ok {
			return net.ErrClosed
		}
		_, err := io.Copy(dst, src)
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
	}
}

// pace is how slow a line is. Zero: as fast as it goes.
type pace struct {
	delay time.Duration
	rate  int // bytes a second; zero: no bound
}

// takes is how long the line is busy with so many bytes.
func (p pace) takes(bytes int) time.Duration {
	if p.rate == 0 {
		return 0
	}
	return time.Duration(bytes) * time.Second / time.Duration(p.rate)
}

// chunk is how many bytes are read at once.
func (p pace) chunk() int {
	if p.rate == 0 {
		return chunkSize
	}
	return min(chunkSize, max(1, p.rate*int(chunkTime)/int(time.Second)))
}

type chunk struct {
	due   time.Time
	bytes []byte
}

// copyLate delivers what it reads after the delay, and no faster than the line is.
func (r *Relay) copyLate(dst, src *net.TCPConn, of side, pace pace) error {
	way := make(chan chunk, chunksOnWay)
	var writer sync.WaitGroup
	writer.Go(func() { deliver(dst, src, way) })
	defer writer.Wait()
	defer close(way)
	buf := make([]byte, pace.chunk())
	var free time.Time // when the line is through with what came before
	for {
		if _, ok := r.await(of); !ok {
			return net.ErrClosed
		}
		n, err := src.Read(buf)
		if n > 0 {
			if now := time.Now(); now.After(free) {
				free = now
			}
			free = free.Add(pace.takes(n))
			way <- chunk{free.Add(pace.delay), append([]byte(nil), buf[:n]...)}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
	}
}

// deliver writes each chunk when it is due. After a write that went wrong it resets both sides and
// only empties the way, so that the reader can end.
func deliver(dst, src *net.TCPConn, way <-chan chunk) {
	broken := false
	for c := range way {
		if broken {
			continue
		}
		<-time.After(time.Until(c.due))
		if _, err := dst.Write(c.bytes); err != nil {
			broken = true
			reset(src)
			reset(dst)
		}
	}
}
