package fleet

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"tillstream/kv/record"
)

// POS is a POS terminal's connection to its till: plain HTTP/1.1, kept alive, one question at a time. It
// does what a till's answers need and no more, so that driving a fleet at full speed costs less than
// half of what net/http's client costs. One goroutine owns it, and all of its calls have one context.
type POS struct {
	till string // host:port
	conn net.Conn
	in   *bufio.Reader
	stop func() bool // of the watch over the context
	out  []byte      // the question
	body []byte      // of the answer
}

// posWait bounds one question.
const posWait = 10 * time.Second

// errNoAnswer means that the connection was gone before a byte of an answer: a till closes one that
// has been idle.
var errNoAnswer = errors.New("the till hung up")

// NewPOS makes a POS of the till at a URL. It connects with its first question.
func NewPOS(url string) *POS {
	return &POS{till: strings.TrimPrefix(url, "http://")}
}

// Close hangs up.
func (p *POS) Close() error {
	if p.conn == nil {
		return nil
	}
	p.stop()
	err := p.conn.Close()
	p.conn, p.in = nil, nil
	if errors.Is(err, net.ErrClosed) {
		return nil // its context has ended
	}
	return err
}

// Post gives the till a receipt or a return, as the function of this name does. The answer's body is
// valid until the next question.
func (p *POS) Post(ctx context.Context, isReturn bool, rid record.RID, body []byte) (Answer, error) {
	p.out = p.AppendQuestion(p.out[:0], isReturn, rid, body)
	a, err := p.Ask(ctx, p.out)
	if err != nil {
		return a, fmt.Errorf("post receipt %s: %w", rid, err)
	}
	return a, nil
}

// Quote asks what a basket costs.
func (p *POS) Quote(ctx context.Context, basket []byte) (Answer, error) {
	p.out = p.append(p.out[:0], "POST /v1/quotes", "", basket)
	a, err := p.Ask(ctx, p.out)
	if err != nil {
		return a, fmt.Errorf("quote: %w", err)
	}
	return a, nil
}

// Find asks what became of a receipt.
func (p *POS) Find(ctx context.Context, rid record.RID) (Answer, error) {
	p.out = p.append(p.out[:0], "GET /v1/receipts/"+rid.String(), "", nil)
	a, err := p.Ask(ctx, p.out)
	if err != nil {
		return a, fmt.Errorf("find receipt %s: %w", rid, err)
	}
	return a, nil
}

// AppendQuestion appends the bytes of a receipt's or a return's request to b.
func (p *POS) AppendQuestion(b []byte, isReturn bool, rid record.RID, body []byte) []byte {
	what := "POST /v1/receipts"
	if isReturn {
		what = "POST /v1/returns"
	}
	return p.append(b, what, rid.String(), body)
}

// append appends a request: method and path, and the idempotency key if it has one.
func (p *POS) append(b []byte, what, key string, body []byte) []byte {
	b = append(append(b, what...), " HTTP/1.1\r\nHost: "...)
	b = append(append(b, p.till...), "\r\nAuthorization: Bearer "...)
	b = append(append(b, Token()...), "\r\nContent-Type: application/json\r\n"...)
	if key != "" {
		b = append(append(append(b, "Idempotency-Key: "...), key...), "\r\n"...)
	}
	b = strconv.AppendInt(append(b, "Content-Length: "...), int64(len(body)), 10)
	return append(append(b, "\r\n\r\n"...), body...)
}

// Ask sends a request's bytes and reads the answer, whose body is valid until the next question. The
// request is sent once more if the connection turns out to have been closed while it was idle, so it
// must be one that may come twice.
func (p *POS) Ask(ctx context.Context, request []byte) (Answer, error) {
	idle := p.conn != nil
	a, err := p.try(ctx, request)
	if errors.Is(err, errNoAnswer) && idle && ctx.Err() == nil {
		a, err = p.try(ctx, request)
	}
	return a, err
}

func (p *POS) try(ctx context.Context, request []byte) (Answer, error) {
	if err := p.dial(ctx); err != nil {
		return Answer{}, err
	}
	a, last, err := p.exchange(request)
	if err != nil || last {
		err = errors.Join(err, p.Close())
	}
	return a, err
}

func (p *POS) dial(ctx context.Context) error {
	if p.conn != nil {
		return ctx.Err()
	}
	conn, err := (&net.Dialer{Timeout: posWait}).DialContext(ctx, "tcp", p.till)
	if err != nil {
		return err
	}
	p.conn, p.in = conn, bufio.NewReader(conn)
	p.stop = context.AfterFunc(ctx, func() { _ = conn.Close() }) // wakes whoever reads; it was only kept alive
	return nil
}

// exchange writes the request and reads its answer. last says that the till closes the connection.
func (p *POS) exchange(request []byte) (a Answer, last bool, err error) {
	if err := p.conn.SetDeadline(time.Now().Add(posWait)); err != nil {
		return a, false, err
	}
	if _, err := p.conn.Write(request); err != nil {
		return a, false, fmt.Errorf("%w: %w", errNoAnswer, err)
	}
	if _, err := p.in.Peek(1); err != nil {
		return a, false, fmt.Errorf("%w: %w", errNoAnswer, err)
	}
	length := -1
	for first := true; ; first = false {
		line, err := p.in.ReadSlice('\n')
		if err != nil {
			return a, false, fmt.Errorf("read the till's answer: %w", err)
		}
		line = bytes.TrimRight(line, "\r\n")
		if first {
			if a.Status, err = status(line); err != nil {
				return a, false, err
			}
			continue
		}
		if len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		switch value = bytes.TrimSpace(value); {
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.Atoi(string(value)); err != nil {
				return a, false, fmt.Errorf("read the till's answer: %w", err)
			}
		case bytes.EqualFold(name, []byte("Connection")):
			last = bytes.EqualFold(value, []byte("close"))
		}
	}
	if length < 0 || length > record.MaxBody {
		return a, false, fmt.Errorf("read the till's answer: it does not say how long it is, or %d bytes", length)
	}
	if cap(p.body) < length {
		p.body = make([]byte, length)
	}
	a.Body = p.body[:length]
	if _, err := io.ReadFull(p.in, a.Body); err != nil {
		return a, false, fmt.Errorf("read the till's answer: %w", err)
	}
	return a, last, nil
}

// status reads "HTTP/1.1 201 Created".
func status(line []byte) (int, error) {
	if len(line) < 12 || !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) {
		return 0, fmt.Errorf("the till answers no HTTP/1.1: %.40q", line)
	}
	return strconv.Atoi(string(line[9:12]))
}
