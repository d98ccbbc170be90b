package bcg_test

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"tillstream/central/streams"
	"tillstream/subjects"
	"tillstream/subjects/event"
)

func TestAMessageForAShopperOnSite(t *testing.T) {
	d := open(t)
	e, v := d.decided(1, "2011-W48", event.RewardAwarded)
	e.Receipt = rid(1)
	v.RewardProgress[0].RewardID = "C-123"
	d.publish(e, v)
	got, m := d.message(d.came(d.osg))
	want := event.OnsiteMessage{
		AccountID: v.AccountID, PromoCode: v.PromoCode, AttemptID: v.AttemptID, MessageType: event.MessageRewardAwarded,
		Delivery: event.FullScreen, Language: "en", Title: "Hello", Text: "Well done", Code: "C-123",
		CreatedAt: thursday, ExpiresAt: thursday.Add(7 * 24 * time.Hour),
	}
	if m != want {
		t.Errorf("got message\n%+v, want\n%+v", m, want)
	}
	if got.Stamps[event.BCG] != thursday || got.Stamps[event.FRED] != thursday || got.Receipt != e.Receipt || got.Attempt != e.Attempt {
		t.Errorf("its envelope is %+v", got)
	}
	d.publish(e, v) // the event comes twice: it is one message
	if again, _ := d.message(d.came(d.osg)); again.ID != got.ID {
		t.Errorf("the same event makes messages %s and %s", got.ID, again.ID)
	}
	d.ends("delivered", 2)
	d.none(d.msq, "MSQ")
}

func TestAMessageForAShopperWhoIsNotOnSiteIsQueued(t *testing.T) {
	d := open(t)
	d.says("osg", status("404"))
	d.publish(d.decided(1, "2011-W48", event.RewardAwarded))
	tried, _ := d.message(d.came(d.osg))
	waits, m := d.message(d.came(d.msq))
	d.ends("queued", 1)
	if waits.ID != tried.ID || m.Text != "Well done" {
		t.Errorf("message %s is queued as %s, %+v", tried.ID, waits.ID, m)
	}
}

// Whatever is neither 200 nor 404 says nothing about the message: it must not be queued, nor given up.
func TestWhatSaysNothingIsAskedAgainWithTheSameID(t *testing.T) {
	d := open(t)
	for i, fault := range []func(asked) *nats.Msg{
		silent, // until the time is out
		status("500"), status(""), status("2000"), fails("503"), fails("500"),
	} {
		d.says("osg", fault)
		e, v := d.decided(uint16(i), "2011-W48", event.RewardAwarded)
		d.publish(e, v)
		first, _ := d.message(d.came(d.osg))
		if i%2 == 0 {
			d.says("osg", status("200"))
		} else {
			d.says("msq", fault) // nor does it of the queue
			d.says("osg", status("404"))
			put, _ := d.message(d.came(d.msq))
			if put.ID != first.ID {
				t.Errorf("queued as %s, was %s", put.ID, first.ID)
			}
			d.says("msq", func(asked) *nats.Msg { return &nats.Msg{} })
		}
		if second, _ := d.message(d.came(d.osg)); second.ID != first.ID {
			t.Errorf("asked again with id %s, was %s", second.ID, first.ID)
		}
		d.ends("delivered", float64(i/2+1))
		d.ends("queued", float64((i+1)/2))
		for range len(d.osg) + len(d.msq) { // more of the same
			select {
			case <-d.osg:
			case <-d.msq:
			}
		}
	}
	d.ExpectNone(d.Net.DeadLetters(subjects.BCG))
}

func TestNoWordsYet(t *testing.T) {
	d := open(t)
	d.says("csl", fails("503"))
	d.publish(d.decided(1, "2011-W48", event.RewardAwarded))
	d.came(d.csl)
	d.came(d.csl)
	d.none(d.osg, "OSG")
	d.says("csl", content("At last"))
	if _, m := d.message(d.came(d.osg)); m.Text != "At last" {
		t.Errorf("got %+v", m)
	}
}

// Dropped, as documented, and counted.
func TestExpiredMessagesAndThoseWithoutAPreferenceAreDropped(t *testing.T) {
	d := open(t)
	week, spent := thursday.Add(-168*time.Hour), thursday.Add(time.Hour)
	for i, c := range []struct {
		occurred, expires time.Time
		delivery          event.Delivery
		want              string
	}{
		{week, time.Time{}, event.Toast, "expired"},
		{week.Add(time.Microsecond), time.Time{}, event.Toast, "delivered"},
		{thursday, thursday, event.Toast, "expired"},
		{thursday, spent, event.Toast, "delivered"},
		{thursday, spent, event.NoDelivery, "no_preference"},
		{week, time.Time{}, event.NoDelivery, "no_preference"},
	} {
		before := d.counted(c.want)
		e, v := d.decided(uint16(i), "2011-W48", event.Unqualified)
		v.OccurredAt, v.RewardProgress[0].ExpirationDate, v.Delivery = c.occurred, c.expires, c.delivery
		d.publish(e, v)
		d.ends(c.want, before+1)
		if c.want != "delivered" {
			d.none(d.osg, "OSG")
			d.none(d.csl, "CSL")
			continue
		}
		d.came(d.csl)
		if _, m := d.message(d.came(d.osg)); !c.expires.IsZero() && !m.ExpiresAt.Equal(c.expires) {
			t.Errorf("case %d: it expires at %v, want the reward's %v", i, m.ExpiresAt, c.expires)
		}
	}
	d.none(d.msq, "MSQ")
	d.ExpectNone(d.Net.DeadLetters(subjects.BCG))
}

// A shopper's messages come in their order, and do not wait for another's.
func TestMessagesOfOneShopperAreInOrder(t *testing.T) {
	d := open(t)
	e1, v1 := d.decided(1, "2011-W48", event.RewardAwarded)
	e2, v2 := d.decided(1, "2011-W47", event.Unqualified)
	e3, v3 := d.decided(2, "2011-W48", event.RewardAwarded)
	d.says("osg", status("500"))
	d.publish(e1, v1)
	d.came(d.osg)
	d.publish(e2, v2)
	d.publish(e3, v3)
	for { // while the first has no end
		if _, m := d.message(d.came(d.osg)); m.AccountID == v3.AccountID {
			break
		} else if m.AttemptID != v1.AttemptID {
			t.Fatal("the second message overtakes the first")
		}
	}
	d.says("osg", status("200"))
	for {
		if _, m := d.message(d.came(d.osg)); m.AttemptID == v2.AttemptID {
			break
		}
	}
	d.ends("delivered", 3)
}

// An instance dies while OSG has the message: another brings it to its end, and it is the same one.
func TestACrashWhileAMessageIsUnderWay(t *testing.T) {
	d := open(t)
	c := streams.Consumer(d.Net, subjects.BCG)
	c.AckWait = time.Second // so that a test does not wait for it
	_, err := d.JS.UpdateConsumer(t.Context(), d.Net.FlowStream(), c)
	d.Must(err)
	d.says("osg", silent)
	d.publish(d.decided(1, "2011-W48", event.RewardAwarded))
	before, _ := d.message(d.came(d.osg))
	d.stop()
	d.says("osg", status("404"))
	d.start()
	after, _ := d.message(d.came(d.msq))
	if after.ID != before.ID {
		t.Errorf("message %s is %s after a crash", before.ID, after.ID)
	}
	d.ends("queued", 1)
}
