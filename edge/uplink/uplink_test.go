package uplink_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"tillstream/edge/journal"
	"tillstream/edge/uplink"
	"tillstream/kv/record"
)

// lift runs an uplink of a till's journal to a hop, over a link that is up.
func lift(t *testing.T, nc *nats.Conn, j *journal.Journal, l *link) (u *uplink.Uplink, stop func()) {
	t.Helper()
	u = uplink.New(uplink.Config{Conn: nc, Subject: upward, Journal: j, Link: l.get, Log: logger(t)})
	return u, run(t, u.Run)
}

// A node that starts asks what upstream holds, and sends the rest: a restart does not send a journal
// again.
func TestAsksBeforeItSends(t *testing.T) {
	t.Parallel()
	ns := startServer(t)
	nc, dir, up := connect(t, ns), t.TempDir(), storeJournal(t)
	serve(t, connect(t, ns), up)
	h := stand(t, ns, lane1.Ingest())
	l := &link{id: 1, up: true}

	j := openJournal(t, dir, lane1.Till)
	sold := sell(t, j, 20)
	_, stop := lift(t, nc, j, l)
	confirmed(t, j, 0)
	sold = append(sold, sell(t, j, 5)...)
	confirmed(t, j, 0)
	stop()
	wantHeld(t, up, sold)
	if asks := h.asked(); len(asks) == 0 || len(asks[0].Ask) != 1 {
		t.Errorf("got questions %v, want one for the chain's tip first", asks)
	}
	path := filepath.Join(dir, "journal.db")
	image, err := os.ReadFile(path) // as a crash leaves it: an orderly end writes what is confirmed
	if err != nil {
		t.Fatal(err)
	}
	closeJournal(t, j)
	if err := os.WriteFile(path, image, 0o600); err != nil {
		t.Fatal(err)
	}
	h.forget()

	j = openJournal(t, dir, lane1.Till)
	if n, _ := j.Unconfirmed(); n == 0 {
		t.Fatal("the file knows that all is confirmed: this test shows nothing")
	}
	_, stop = lift(t, nc, j, l)
	confirmed(t, j, 0)
	if packs, _ := h.seen(); len(packs) > 0 {
		t.Errorf("%d packs of records that upstream holds were sent again", len(packs))
	}
	sold = append(sold, sell(t, j, 1)...)
	confirmed(t, j, 0)
	stop()
	packs, _ := h.seen()
	for _, p := range packs {
		for _, r := range p.Runs {
			if r.First != 1 || r.Last > 2 { // of the new chain, its start and its one receipt
				t.Errorf("seq %d to %d of chain %s were sent again", r.First, r.Last, r.Chain)
			}
		}
	}
	wantHeld(t, up, sold)
}

// An upstream that has lost its disk says a lower number than before, and gets all of it again.
func TestLowerMark(t *testing.T) {
	t.Parallel()
	ns := startServer(t)
	lost, up := storeJournal(t), storeJournal(t)
	stopLost := serve(t, connect(t, ns), lost)
	h := stand(t, ns, lane1.Ingest())
	j := openJournal(t, t.TempDir(), lane1.Till)
	lift(t, connect(t, ns), j, &link{id: 1, up: true})
	sold := sell(t, j, 30)
	confirmed(t, j, 0)
	wantHeld(t, lost, sold)

	stopLost()
	h.forget()
	serve(t, connect(t, ns), up)
	sold = append(sold, sell(t, j, 1)...)
	await(t, "the whole chain", func() bool { return len(held(t, up)) == len(sold) })
	confirmed(t, j, 0)
	wantHeld(t, up, sold)
}

// An answer that is lost costs a repeat: the same pack, of which upstream keeps nothing twice.
func TestAnswerLost(t *testing.T) {
	t.Parallel()
	ns := startServer(t)
	up := storeJournal(t)
	serve(t, connect(t, ns), up)
	h := stand(t, ns, lane1.Ingest())
	l := &link{id: 1, up: true}
	h.on(func(p *record.Pack, _ *nats.Msg) (pass, answer bool) { return true, len(p.Runs) == 0 })
	j := openJournal(t, t.TempDir(), lane1.Till)
	sold := sell(t, j, 10)
	_, stop := lift(t, connect(t, ns), j, l)
	await(t, "the pack", func() bool { return len(held(t, up)) == 10 })
	if n, _ := j.Unconfirmed(); n != 11 {
		t.Errorf("%d records are unconfirmed, want all 11: no answer has come", n)
	}
	// A new session would learn from its question that all is held: this one must not ask.
	h.on(func(p *record.Pack, m *nats.Msg) (pass, answer bool) {
		if len(p.Runs) == 0 {
			if err := m.Respond(record.AppendMarks(nil, nil)); err != nil {
				t.Error(err)
			}
			return false, false
		}
		return true, true
	})
	l.set(2, true)
	confirmed(t, j, 0)
	stop()
	packs, _ := h.seen()
	if len(packs) < 2 || !bytes.Equal(packs[0].Append(nil), packs[1].Append(nil)) {
		t.Errorf("got %d packs, want the same twice", len(packs))
	}
	wantHeld(t, up, sold)
}

// A question for tips that was lost, because it came before anybody served upstream, holds up nothing for as
// long as a pack may take.
func TestQuestionLost(t *testing.T) {
	t.Parallel()
	ns := startServer(t)
	up := storeJournal(t)
	serve(t, connect(t, ns), up)
	h := stand(t, ns, lane1.Ingest())
	lost := 0
	h.on(func(*record.Pack, *nats.Msg) (pass, answer bool) { lost++; return lost > 1, lost > 1 })
	j := openJournal(t, t.TempDir(), lane1.Till)
	sold := sell(t, j, 3)
	l := &link{id: 1, up: true}
	u := uplink.New(uplink.Config{Conn: connect(t, ns), Subject: upward, Journal: j, Link: l.get, Wait: time.Hour, Log: logger(t)})
	stop := run(t, u.Run)
	confirmed(t, j, 0)
	stop()
	wantHeld(t, up, sold)
}

// A chain of which upstream holds another branch is not sent, and the till's next receipts rise in another.
func TestForkedChain(t *testing.T) {
	t.Parallel()
	ns := startServer(t)
	up := storeJournal(t)
	serve(t, connect(t, ns), up)
	h := stand(t, ns, lane1.Ingest())
	l := &link{id: 1, up: true}
	j := openJournal(t, t.TempDir(), lane1.Till)
	lost := sell(t, j, 2)
	forked := j.Chains()[0]
	other := chainOf(shop, lane1.Till, 1)
	for start, err := range j.After(forked.ID, 0) { // a clone has sent this start with another receipt
		if err != nil {
			t.Fatal(err)
		}
		other[0] = start
		break
	}
	if _, err := up.Accept(t.Context(), []record.Run{record.PackRun(chained(forked.ID, other))}); err != nil {
		t.Fatal(err)
	}

	lift(t, connect(t, ns), j, l)
	await(t, "the refusal", func() bool { return j.Chains()[0].Refused == record.StatusFork })
	risen := func(n int) {
		t.Helper()
		await(t, "the other chain", func() bool { return len(held(t, up)) == 1+n })
	}
	sold := sell(t, j, 3)
	risen(3)
	l.set(2, true) // also not in the next session
	sold = append(sold, sell(t, j, 3)...)
	risen(6)
	found := held(t, up)
	for _, body := range sold {
		if found[body] != 1 {
			t.Errorf("%q is held %d times", body, found[body])
		}
	}
	for _, body := range lost {
		if found[body] != 0 {
			t.Errorf("%q is held in a chain that has forked", body)
		}
	}
	if n := sent(h, forked.ID); n != 0 { // the tip that upstream named was another's
		t.Errorf("the forked chain was sent %d times", n)
	}
}

// sent is how many packs had runs of a chain.
func sent(h *hop, id record.ChainID) (n int) {
	packs, _ := h.seen()
	for _, p := range packs {
		for _, r := range p.Runs {
			if r.Chain == id {
				n++
				break
			}
		}
	}
	return n
}

// A disk that was another till's: the store refuses that till's chain, and takes this one's.
func TestRefusedChain(t *testing.T) {
	t.Parallel()
	ns := startServer(t)
	dir, up := t.TempDir(), storeJournal(t)
	serve(t, connect(t, ns), up)
	h := stand(t, ns, lane1.Ingest())
	j := openJournal(t, dir, lane2.Till)
	sell(t, j, 4)
	foreign := j.Chains()[0].ID
	closeJournal(t, j)

	j = openJournal(t, dir, lane1.Till)
	sold := sell(t, j, 4)
	l := &link{id: 1, up: true}
	lift(t, connect(t, ns), j, l)
	confirmed(t, j, 5) // the other till's: they lie on this disk only
	l.set(2, true)
	sold = append(sold, sell(t, j, 4)...)
	confirmed(t, j, 5)
	wantHeld(t, up, sold)
	if got := j.Chains()[0].Refused; got != record.StatusRefused {
		t.Errorf("the other till's chain is %v, want refused", got)
	}
	if n := sent(h, foreign); n != 1 {
		t.Errorf("the refused chain was sent %d times, want once", n)
	}
}
