package trial_test

import (
	"sync"
	"testing"

	"github.com/nats-io/nats.go"

	"tillstream/kv/record"
)

// line is the link of a hop: it carries packs and pulls upward while it is up, and loses answers.
type line struct {
	t  *testing.T
	nc *nats.Conn

	mu    sync.Mutex
	id    uint64
	up    bool
	runs  map[span]int // how often each run has gone up
	lost  int          // answers
	packs int          // that went up
}

// span names a run.
type span struct {
	chain record.ChainID
	first uint64
}

// stand makes a line that is down, between two pairs of subjects: an uplink sends to from+".ingest", a
// follower pulls at from+".feed". Its connection is its own, for it waits for the answers.
func stand(t *testing.T, nc *nats.Conn, from, ingest, feed string) *line {
	t.Helper()
	l := &line{t: t, nc: nc, runs: map[span]int{}}
	for subject, carry := range map[string]nats.MsgHandler{
		from + ".ingest": func(m *nats.Msg) { l.pack(m, ingest) },
		from + ".feed":   func(m *nats.Msg) { l.forward(m, feed, true) },
	} {
		_, err := nc.Subscribe(subject, carry)
		must(t, err)
	}
	must(t, nc.Flush())
	return l
}

// link is what an uplink asks before it sends.
func (l *line) link() (id uint64, up bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.id, l.up
}

func (l *line) heal() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.id, l.up = l.id+1, true
}

// pack carries a pack up. Its answer is lost as long as there is a run in it whose answer was not lost
// before, so every run goes up twice at least. Questions for tips are answered with nothing: an uplink
// that learned there what has arrived would not send it again.
func (l *line) pack(m *nats.Msg, to string) {
	if _, up := l.link(); !up {
		return
	}
	p, err := record.ReadPack(m.Data)
	if err != nil {
		l.t.Error(err)
		return
	}
	if len(p.Runs) == 0 {
		if err := m.Respond(record.AppendMarks(nil, nil)); err != nil {
			l.t.Error(err)
		}
		return
	}
	l.mu.Lock()
	l.packs++
	fresh := false
	for _, r := range p.Runs {
		s := span{r.Chain, r.First}
		fresh = fresh || l.runs[s] == 0
		l.runs[s]++
	}
	if fresh {
		l.lost++
	}
	l.mu.Unlock()
	l.forward(m, to, !fresh)
}

func (l *line) forward(m *nats.Msg, to string, answer bool) {
	if _, up := l.link(); !up {
		return
	}
	got, err := l.nc.RequestWithContext(l.t.Context(), to, m.Data)
	if err != nil {
		l.t.Logf("no answer from %s: %v", to, err)
		return
	}
	if !answer {
		return
	}
	if err := m.RespondMsg(&nats.Msg{Header: got.Header, Data: got.Data}); err != nil {
		l.t.Error(err)
	}
}

// check wants nearly every run to have gone up again. The mark in an answer may also confirm the last
// runs of a pack whose own answer was lost, so not every one has to.
func (l *line) check(what string) {
	l.t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	again := 0
	for _, n := range l.runs {
		if n > 1 {
			again++
		}
	}
	l.t.Logf("%s: %d runs in %d packs, %d answers lost, %d runs sent again", what, len(l.runs), l.packs, l.lost, again)
	if again < len(l.runs)*9/10 {
		l.t.Errorf("%s: %d of %d runs were sent again: this test shows nothing", what, again, len(l.runs))
	}
}
