package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"tillstream/kv/record"
	"tillstream/subjects"
)

// Headers over NATS, beside those of HTTP.
const (
	HeaderStatus  = "Pos-Status"  // the HTTP status
	HeaderProblem = "Pos-Problem" // the problem's type, if it is one

	HeaderID = "Pos-Id" // of a question: what is in the path over HTTP
)

// serviceVersion is the version that the micro service announces: the contract's, not the program's.
const serviceVersion = "1.2.0"

// atOnce is how many questions of one kind are answered at a time over NATS; more wait in the
// subscription. The journal commits those that wait together.
const atOnce = 64

// natsDoor is the micro service of a running API. A nil *natsDoor is an API without one.
type natsDoor struct {
	api     *API
	base    context.Context // of Run, which owns the door
	service micro.Service

	mu      sync.Mutex
	closed  bool // under mu: no new goroutines
	running sync.WaitGroup
}

// openDoor announces the service. Each question runs in a goroutine of its own, which stop waits for.
func (a *API) openDoor(base context.Context) (*natsDoor, error) {
	service, err := micro.AddService(a.cfg.Conn, micro.Config{
		Name: subjects.ServicePOS, Version: serviceVersion, Description: "what a POS asks its node",
	})
	if err != nil {
		return nil, fmt.Errorf("announce the POS service: %w", err)
	}
	d := &natsDoor{api: a, base: base, service: service}
	for _, o := range operations(a, nil) {
		if o.subject == "" {
			continue
		}
		slots := make(chan struct{}, atOnce)
		handle := func(r micro.Request) {
			if !mayHear(r.Reply()) {
				d.dropped(o.id)
				return
			}
			slots <- struct{}{} // freed by goroutines that all end within commitWait
			if !d.spawn(func() { d.handle(&o, r); <-slots }) {
				<-slots
				d.problem(o.id, caller{}, r, errStopping)
			}
		}
		if err := service.AddEndpoint(o.id, micro.HandlerFunc(handle), micro.WithEndpointSubject(o.subject)); err != nil {
			return nil, errors.Join(fmt.Errorf("serve %s: %w", o.subject, err), service.Stop())
		}
	}
	return d, nil
}

// mayHear reports whether an answer may go where the asker wants it. The node may publish where a POS may
// not, on the lane of its till above all, and would for a POS that names such a subject: so an answer goes to
// a POS's inbox, or to one of the node's own, which nobody can guess.
func mayHear(reply string) bool {
	return strings.HasPrefix(reply, subjects.POSInbox+".") || strings.HasPrefix(reply, nats.InboxPrefix)
}

// dropped notes a question that nobody can be answered: nothing of it is kept.
func (d *natsDoor) dropped(name string) {
	d.api.meters.refused(name, "reply-elsewhere")
	d.api.cfg.Log.Debug("a question of the POS is dropped: its answer would go to another's subject", "operation", name)
}

func (d *natsDoor) spawn(f func()) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return false
	}
	d.running.Go(f)
	return true
}

func (d *natsDoor) handle(o *operation, r micro.Request) {
	who, err := d.api.callers.who(r.Headers().Get(headerAuth))
	if err != nil {
		d.problem(o.id, who, r, err)
		return
	}
	q, err := takeMessage(o, r)
	if err != nil {
		d.problem(o.id, who, r, err)
		return
	}
	q.caller = who
	ans, err := d.api.reply(d.base, o, q)
	if err != nil {
		d.problem(o.id, who, r, err)
		return
	}
	defer d.api.sheets.give(ans.sheet)
	h := nats.Header{HeaderStatus: {strconv.Itoa(ans.status)}}
	if who.training {
		h.Set(headerTraining, "true")
	}
	if ans.replayed {
		h.Set(HeaderReplayed, "true")
	}
	if ans.etag != "" {
		h.Set(headerETag, ans.etag)
	}
	d.respond(r, h, ans.body)
}

func (d *natsDoor) problem(op string, who caller, r micro.Request, err error) {
	p := d.api.refused(op, who, err)
	status := strconv.Itoa(p.Status)
	d.respond(r, nats.Header{
		HeaderStatus: {status}, HeaderProblem: {p.Type},
		micro.ErrorCodeHeader: {status}, micro.ErrorHeader: {p.Title},
	}, p)
}

// respond sends an answer beside micro's own Respond, which must not be called once the endpoint's
// handler has returned. So micro's statistics count questions, and the meters count problems.
func (d *natsDoor) respond(r micro.Request, h nats.Header, body any) {
	d.sent(d.api.cfg.Conn.PublishMsg(&nats.Msg{Subject: r.Reply(), Header: h, Data: mustEncode(body)}))
}

// sent notes an answer that could not be sent: the POS asks again by rid.
func (d *natsDoor) sent(err error) {
	if err != nil {
		d.api.cfg.Log.Debug("an answer to the POS is not sent", "err", err)
	}
}

// stop takes no more questions; those being answered go on.
func (d *natsDoor) stop() error {
	if d == nil {
		return nil
	}
	if err := d.service.Stop(); err != nil && !errors.Is(err, nats.ErrConnectionClosed) {
		return fmt.Errorf("stop the POS service: %w", err)
	}
	return nil
}

// flush waits for the answers to leave.
func (d *natsDoor) flush(ctx context.Context) {
	if d == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
	defer cancel()
	d.sent(d.api.cfg.Conn.FlushWithContext(ctx))
}

// crash leaves without a word.
func (d *natsDoor) crash() {
	if err := d.stop(); err != nil {
		d.api.cfg.Log.Debug("a crash left the POS service behind", "err", err)
	}
}

// wait lets no new questions in and waits for those being answered.
func (d *natsDoor) wait() {
	if d == nil {
		return
	}
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	d.running.Wait()
}

// takeMessage takes the question out of a message. What is in the path over HTTP is in HeaderID here,
// or, where there is no other body, the member rid or id of a JSON object.
func takeMessage(o *operation, r micro.Request) (q question, err error) {
	if len(r.Data()) > record.MaxBody {
		return q, errTooLarge
	}
	h := r.Headers()
	q = question{id: h.Get(HeaderID), key: h.Get(HeaderKey), match: h.Get(headerMatch)}
	if o.body {
		q.body = r.Data()
		return q, nil
	}
	if len(r.Data()) > 0 {
		var named struct {
			RID string `json:"rid"`
			ID  string `json:"id"`
		}
		if err := decode(r.Data(), &named); err != nil {
			return q, err
		}
		q.id = cmp.Or(named.RID, named.ID, q.id)
	}
	return q, nil
}
