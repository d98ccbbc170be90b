package osg_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"tillstream/central/flow/flowtest"
	"tillstream/kv"
	"tillstream/kv/record"
	"tillstream/subjects"
	"tillstream/subjects/event"
	"tillstream/subjects/service"
)

func TestMessageComesToTheShoppersTill(t *testing.T) {
	t.Parallel()
	w := flowtest.Open(t)
	start(t, w)
	s := open(t, w, "0042")
	of := flowtest.MustAttempt(1, "STAMPS", "2011-W48")
	e, m := message(w, of, 1)
	settled(t, w, e, m, event.OSGNotOnSite)
	s.comes(of.Account, "t1")
	for range 3 { // asked again with the same id
		settled(t, w, e, m, event.OSGDelivered)
	}
	if got := s.all("t1"); !slices.Equal(got, []string{e.ID}) {
		t.Errorf("shown %v, want it once", got)
	}
	e2, m2 := message(w, of, 2)
	s.goes(of.Account, "t1")
	settled(t, w, e2, m2, event.OSGNotOnSite)
	e3, m3 := message(w, of, 3)
	s.comes(of.Account, "t1")
	m3.ExpiresAt = w.Now().Add(-time.Second)
	settled(t, w, e3, m3, event.OSGNotOnSite)
}

// A till that says that a shopper is there who has gone is asked, and the next place after it: the newest first.
func TestSeveralPlacesShowOnce(t *testing.T) {
	t.Parallel()
	w := flowtest.Open(t)
	start(t, w)
	a, b := open(t, w, "0042"), open(t, w, "0043")
	of := flowtest.MustAttempt(1, "STAMPS", "2011-W48")
	a.comes(of.Account, "t1")
	b.comes(of.Account, "t1")
	e, m := message(w, of, 1)
	settled(t, w, e, m, event.OSGDelivered)
	if len(a.all("t1")) != 0 || len(b.all("t1")) != 1 {
		t.Errorf("shown at %v and %v, want at the newest place only", a.all("t1"), b.all("t1"))
	}
	b.set(func() { delete(b.here, "t1") }) // and OSG does not know
	e, m = message(w, of, 2)
	settled(t, w, e, m, event.OSGDelivered)
	if got := a.all("t1"); !slices.Equal(got, []string{e.ID}) {
		t.Errorf("the other place shows %v", got)
	}
}

// Many deliver one message at once, on several instances, while the shopper is at several tills that say no and yes by
// turns: one shows it.
func TestDeliverersAtOnceShowOnce(t *testing.T) {
	t.Parallel()
	w := flowtest.Open(t)
	start(t, w)
	start(t, w)
	s := open(t, w, "0042")
	for n := range 20 {
		of := flowtest.MustAttempt(uint16(n), "STAMPS", "2011-W48")
		tills := []string{fmt.Sprintf("a%d", n), fmt.Sprintf("b%d", n), fmt.Sprintf("c%d", n)}
		for _, till := range tills {
			s.comes(of.Account, till)
		}
		s.set(func() { delete(s.here, tills[2]) }) // the newest says no
		e, m := message(w, of, n)
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				conn, _ := w.Connect()
				eventually(t, "an answer", func(context.Context) error {
					if got := deliver(w, conn, e, m); got != event.OSGDelivered {
						return fmt.Errorf("status %q", got)
					}
					return nil
				})
			})
		}
		wg.Wait()
		if all := slices.Concat(s.all(tills[0]), s.all(tills[1]), s.all(tills[2])); len(all) != 1 {
			t.Fatalf("message %d was shown %d times", n, len(all))
		}
	}
}

// A screen shows the message, and its answer is lost: nobody else may show it, until it says what it did.
func TestSilentScreenIsNeitherYesNorNo(t *testing.T) {
	t.Parallel()
	w := flowtest.Open(t)
	start(t, w)
	a, b := open(t, w, "0042"), open(t, w, "0043")
	of := flowtest.MustAttempt(1, "STAMPS", "2011-W48")
	b.comes(of.Account, "t1")
	a.comes(of.Account, "t1")
	a.set(func() { a.silent = func(*record.Screen) bool { return true } })
	e, m := message(w, of, 1)
	if got := deliver(w, w.Conn, e, m); got != "" {
		t.Errorf("a silent screen: got %s", got)
	}
	a.goes(of.Account, "t1") // only the other place is left
	if got := deliver(w, w.Conn, e, m); got != "" {
		t.Errorf("while nobody knows: got %s", got)
	}
	b.goes(of.Account, "t1") // it may wait in the queue
	settled(t, w, e, m, event.OSGNotOnSite)
	b.comes(of.Account, "t1")
	a.set(func() { a.silent = nil })
	settled(t, w, e, m, event.OSGDelivered)
	if len(a.all("t1")) != 1 || len(b.all("t1")) != 0 {
		t.Errorf("shown at %v and %v, want once", a.all("t1"), b.all("t1"))
	}
}

// OSG dies after a screen has the message and before it has said so; another one settles it.
func TestCrashAfterTheScreen(t *testing.T) {
	t.Parallel()
	w := flowtest.Open(t)
	_, stop := start(t, w)
	s := open(t, w, "0042")
	of := flowtest.MustAttempt(1, "STAMPS", "2011-W48")
	s.comes(of.Account, "t1")
	died := make(chan struct{})
	s.set(func() {
		s.silent = func(*record.Screen) bool {
			select {
			case <-died:
				return false
			default:
			}
			close(died)
			go stop() // which waits for the question under way
			return true
		}
	})
	e, m := message(w, of, 1)
	if got := deliver(w, w.Conn, e, m); got != "" {
		t.Errorf("the dead answer: %s", got)
	}
	<-died
	stop()
	start(t, w)
	settled(t, w, e, m, event.OSGDelivered)
	if got := s.all("t1"); len(got) != 1 {
		t.Errorf("shown %d times", len(got))
	}
}

// A question for a screen is late: meanwhile the screen said no, another showed the message, and the shopper is back.
func TestLateQuestionShowsNothing(t *testing.T) {
	t.Parallel()
	w := flowtest.Open(t)
	start(t, w)
	start(t, w)
	s := open(t, w, "0042")
	of := flowtest.MustAttempt(1, "STAMPS", "2011-W48")
	s.comes(of.Account, "old")
	s.comes(of.Account, "new")
	s.set(func() { delete(s.here, "new") })
	held, release := make(chan struct{}), make(chan struct{})
	var asked atomic.Int32
	s.set(func() {
		s.before = func(*record.Screen) {
			if asked.Add(1) == 1 {
				close(held)
				<-release
			}
		}
	})
	e, m := message(w, of, 1)
	var wg sync.WaitGroup
	wg.Go(func() { deliver(w, w.Conn, e, m) }) // its question hangs before the till
	<-held
	settled(t, w, e, m, event.OSGDelivered) // another's: no at new, yes at old
	s.set(func() { s.here["new"] = of.Account })
	close(release)
	wg.Wait()
	if got := slices.Concat(s.all("new"), s.all("old")); len(got) != 1 {
		t.Errorf("shown %d times", len(got))
	}
}

func TestWhatOSGRefuses(t *testing.T) {
	t.Parallel()
	w := flowtest.Open(t)
	start(t, w)
	of := flowtest.MustAttempt(1, "STAMPS", "2011-W48")
	ask := func(subject string, e *event.Envelope, data []byte) error {
		q := service.Question{Subject: subject, Data: data}
		if e != nil {
			q.Header = e.Headers()
		}
		_, err := service.AskWith(t.Context(), w.Conn, q)
		return err
	}
	for name, spoil := range map[string]func(e *event.Envelope, m *event.OnsiteMessage){
		"another type":      func(e *event.Envelope, _ *event.OnsiteMessage) { e.Type = event.TypeDecided },
		"another brand":     func(e *event.Envelope, _ *event.OnsiteMessage) { e.Brand.Token = subjects.MustToken("other") },
		"another account":   func(_ *event.Envelope, m *event.OnsiteMessage) { m.AccountID[0]++ },
		"an id of no use":   func(e *event.Envelope, _ *event.OnsiteMessage) { e.ID = "a.*.b" },
		"a text for nobody": func(_ *event.Envelope, m *event.OnsiteMessage) { m.Text = strings.Repeat("x", 5000) },
	} {
		e, m := message(w, of, 1)
		spoil(&e, &m)
		data, err := event.Data(m)
		w.Must(err)
		if err := ask(w.Net.OSGDeliver(), &e, data); err == nil || !strings.Contains(err.Error(), "want") && !strings.Contains(err.Error(), "brand") && !strings.Contains(err.Error(), "data is of") {
			t.Errorf("%s: got %v, want a refusal with a reason", name, err)
		}
	}
	here := record.Presence{Account: of.Account, Here: true}
	if err := ask(w.Net.POSPresence(subjects.StoreID{Token: subjects.MustToken("0042")}), nil, here.Append(nil)); err == nil {
		t.Error("a presence at no till is taken")
	}
	here.Till = subjects.TillID{Token: subjects.MustToken("t1")}
	if err := ask(w.Net.POSPresence(subjects.Headquarters), nil, here.Append(nil)); err == nil {
		t.Error("a presence at headquarters' till is taken: its devices are the app's")
	}
}

// Presence fades, and so it does in every instance's copy; an older word of a till changes nothing.
func TestPresenceFades(t *testing.T) {
	t.Parallel()
	w := flowtest.Open(t)
	w.PutSettings("presence_seconds: 60")
	start(t, w)
	s := open(t, w, "0042")
	of := flowtest.MustAttempt(1, "STAMPS", "2011-W48")
	s.comes(of.Account, "t1")
	late := record.Presence{Till: subjects.TillID{Token: subjects.MustToken("t1")}, Account: of.Account, At: time.Now().Add(-time.Minute).UnixMilli()}
	if _, err := service.Ask(t.Context(), w.Conn, w.Net.POSPresence(s.id), late.Append(nil)); err != nil {
		t.Fatal(err)
	}
	e, m := message(w, of, 1)
	settled(t, w, e, m, event.OSGDelivered)
	w.SetNow(time.Now().Add(61 * time.Second))
	e, m = message(w, of, 2)
	settled(t, w, e, m, event.OSGNotOnSite)
	bucket, err := kv.Open(t.Context(), w.JS, kv.Onsite(w.Net.Brand))
	w.Must(err)
	keys, err := bucket.Keys(t.Context(), "at."+of.Account.String()+".*.*")
	w.Must(err)
	if len(keys) != 1 {
		t.Errorf("presence is under %v", keys)
	}
}

// A shopper comes when somebody has just heard that they are not there: MSQ, which had nothing for them yet, is told of
// them again, whichever instance heard their till.
func TestWhoWasMissedIsSaidAgain(t *testing.T) {
	t.Parallel()
	w := flowtest.Open(t)
	start(t, w)
	start(t, w)
	s := open(t, w, "0042")
	words := make(chan record.AccountID, 64)
	_, err := w.Conn.Subscribe(w.Net.OSGArrived(), func(m *nats.Msg) { words <- record.AccountID(m.Data) })
	w.Must(err)
	missed, other := flowtest.MustAttempt(1, "STAMPS", "2011-W48"), flowtest.MustAttempt(2, "STAMPS", "2011-W48")
	e, m := message(w, missed, 1)
	settled(t, w, e, m, event.OSGNotOnSite)
	s.comes(other.Account, "t1")
	s.comes(missed.Account, "t2")
	for _, want := range []record.AccountID{other.Account, missed.Account, missed.Account} {
		select {
		case got := <-words:
			if got != want {
				t.Errorf("a word of %s, want %s", got, want)
			}
		case <-time.After(5 * time.Second):
			t.Fatalf("no word of %s", want)
		}
	}
}
