package api

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"tillstream/kv/record"
)

const (
	maxMessages = 256              // kept for those who come late
	heartbeat   = 15 * time.Second // between signs of life on a stream
	streamWrite = 5 * time.Second  // for a reader to take what is sent
	maxRefused  = 4096             // messages that were not shown, and are remembered by their tries
)

// board holds the messages of this till until they expire. They are in memory only: who sends one and
// does not hear that it was shown keeps it. Whoever holds its mutex may take the site's; never the other way round.
type board struct {
	now  func() time.Time
	site *site

	mu      sync.Mutex
	posted  []*posted         // oldest first
	refused map[string]uint64 // by id: the last try at which a message was not shown
	readers int               // POS that read the stream
	more    chan struct{}     // closed at the next change, and made anew
	closed  bool
}

// posted is a message on the board.
type posted struct {
	Message
	account record.AccountID // only they may see it; zero: whoever is at the till
	sent    chan struct{}    // closed when a POS has taken it
	taking  int              // POS that are being given it
	shown   bool
}

func newBoard(now func() time.Time, s *site) *board {
	return &board{now: now, site: s, refused: map[string]uint64{}, more: make(chan struct{})}
}

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
	if b.find(m.ID) == nil {
		b.put(&posted{Message: m})
	}
}

// put puts a message on the board. The mutex is held.
func (b *board) put(p *posted) {
	if len(b.posted) == maxMessages {
		b.posted = b.posted[1:]
	}
	p.sent = make(chan struct{})
	b.posted = append(b.posted, p)
	b.wake()
}

// offer puts a shopper's message on the board; nil: it is not shown. One that is there is not put twice.
func (b *board) offer(m *record.Screen) *posted {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.drop()
	if p := b.find(m.ID); p != nil {
		return p
	}
	if b.site.shopper() != m.Account || b.readers == 0 || b.refused[m.ID] >= m.Try || m.Expires <= b.now().UnixMilli() {
		b.refuse(m.ID, m.Try)
		return nil
	}
	style := "toast"
	if m.Full {
		style = "full_screen"
	}
	p := &posted{account: m.Account, Message: Message{
		ID: m.ID, Surface: "shopper_display", Style: style, Title: m.Title, Text: m.Text, Code: m.Code, Language: m.Language,
		ExpiresAt: time.UnixMilli(m.Expires).UTC(),
	}}
	b.put(p)
	return p
}

// refuse remembers that a message was not shown at a try. The mutex is held.
func (b *board) refuse(id string, try uint64) {
	if len(b.refused) >= maxRefused {
		clear(b.refused) // what is so old is not asked for any more
	}
	b.refused[id] = max(b.refused[id], try)
}

// withdraw takes a message off the board that no POS has taken, and reports whether one has after all. One that a
// POS is just being given stays: nobody can say yet.
func (b *board) withdraw(p *posted, try uint64) (sent bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case <-p.sent:
		return true, nil
	default:
	}
	if p.taking > 0 {
		return false, errTaking
	}
	b.posted = slices.DeleteFunc(b.posted, func(q *posted) bool { return q == p })
	b.refuse(p.ID, try)
	return false, nil
}

// read notes one reader more, or one less.
func (b *board) read(more int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.readers += more
}

// wrote notes whether a POS has taken what after gave for it.
func (b *board) wrote(all []*posted, taken bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range all {
		p.taking--
		select {
		case <-p.sent: // another POS, before
		default:
			if taken {
				close(p.sent)
			}
		}
	}
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

// after gives the messages behind the one called last, all when there is no such, and what to wait for. What is for
// a shopper who is not there any more is not among them. wrote has to follow.
func (b *board) after(last string) (next []*posted, more <-chan struct{}, open bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.drop()
	from := 0
	for i, p := range b.posted {
		if p.ID == last {
			from = i + 1
		}
	}
	here := b.site.shopper()
	for _, p := range b.posted[from:] {
		if !p.shown && (p.account.IsZero() || p.account == here) {
			p.taking++
			next = append(next, p)
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
	a.board.read(1)
	defer a.board.read(-1)
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	text := ": welcome\n\n"
	for {
		next, more, open := a.board.after(last)
		for _, m := range next {
			last = m.ID
			text += fmt.Sprintf("id: %s\ndata: %s\n\n", m.ID, mustEncode(m.Message))
		}
		if text != "" {
			_ = out.SetWriteDeadline(time.Now().Add(streamWrite))
			_, err := w.Write([]byte(text))
			taken := err == nil && out.Flush() == nil
			a.board.wrote(next, taken)
			if !taken {
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
