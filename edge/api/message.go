package api

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"
)

const (
	maxMessages = 256              // kept for those who come late
	heartbeat   = 15 * time.Second // between signs of life on a stream
	streamWrite = 5 * time.Second  // for a reader to take what is sent
)

// board holds the messages of this till until they expire. They are in memory only: who sends one and
// does not hear that it was shown keeps it.
type board struct {
	now func() time.Time

	mu     sync.Mutex
	posted []*posted     // oldest first
	more   chan struct{} // closed at the next change, and made anew
	closed bool
}

// posted is a message on the board.
type posted struct {
	Message
	shown bool
}

func newBoard(now func() time.Time) *board { return &board{now: now, more: make(chan struct{})} }

// Show gives a message to whoever reads this till's messages, now or until it expires.
func (a *API) Show(m Message) { a.board.post(m) }

// Shown reports whether a message of Show has been marked as shown.
func (a *API) Shown(id string) bool {
	a.board.mu.Lock()
	defer a.board.mu.Unlock()
	p := a.board.find(id)
	return p != nil && p.shown
}

func (b *board) post(m Message) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.drop()
	if b.find(m.ID) != nil {
		return
	}
	if len(b.posted) == maxMessages {
		b.posted = b.posted[1:]
	}
	b.posted = append(b.posted, &posted{Message: m})
	b.wake()
}

// drop lets go of what has expired. The mutex is held.
func (b *board) drop() {
	now, kept := b.now(), b.posted[:0]
	for _, p := range b.posted {
		if p.ExpiresAt.After(now) {
			kept = append(kept, p)
		}
	}
	clear(b.posted[len(kept):])
	b.posted = kept
}

func (b *board) find(id string) *posted {
	for _, p := range b.posted {
		if p.ID == id {
			return p
		}
	}
	return nil
}

func (b *board) wake() {
	close(b.more)
	b.more = make(chan struct{})
}

// close ends every stream.
func (b *board) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closed {
		b.closed = true
		b.wake()
	}
}

// after gives the messages behind the one called last, all when there is no such, and what to wait for.
func (b *board) after(last string) (next []Message, more <-chan struct{}, open bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.drop()
	from := 0
	for i, p := range b.posted {
		if p.ID == last {
			from = i + 1
		}
	}
	for _, p := range b.posted[from:] {
		if !p.shown {
			next = append(next, p.Message)
		}
	}
	return next, b.more, !b.closed
}

func (a *API) markShown(_ context.Context, q question) (answer, error) {
	a.board.mu.Lock()
	defer a.board.mu.Unlock()
	p := a.board.find(q.id)
	if p == nil {
		return answer{}, errNoMessage
	}
	if !p.ExpiresAt.After(a.board.now()) {
		return answer{}, errExpired
	}
	p.shown = true
	return answer{status: http.StatusNoContent}, nil
}

// readMessages is the stream of server-sent events.
func (a *API) readMessages(w http.ResponseWriter, r *http.Request) {
	if !a.gate.enter() {
		a.writeProblem(w, "readMessages", caller{}, errStopping)
		return
	}
	defer a.gate.leave()
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	out := http.NewResponseController(w)
	_ = out.SetReadDeadline(time.Time{}) // the request is in; a writer without deadlines is a test's
	last := r.Header.Get("Last-Event-ID")
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	text := ": welcome\n\n"
	for {
		next, more, open := a.board.after(last)
		for _, m := range next {
			last = m.ID
			text += fmt.Sprintf("id: %s\ndata: %s\n\n", m.ID, mustEncode(m))
		}
		if text != "" {
			_ = out.SetWriteDeadline(time.Now().Add(streamWrite))
			if _, err := w.Write([]byte(text)); err != nil || out.Flush() != nil {
				return // the POS has gone, and comes again with the last id
			}
		}
		if text = ""; !open {
			return
		}
		select {
		case <-more:
		case <-beat.C:
			text = ": still here\n\n"
		case <-r.Context().Done():
			return
		}
	}
}
