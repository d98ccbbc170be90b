package bcg_test

import (
	"testing"
	"time"

	"tillstream/central/flow/flowtest"
	"tillstream/subjects/event"
)

// Both sides of Monday 00:00 of the brand's zone, whichever zone its stores are in, over changes of clocks and of the
// year: a message on the wrong side interrupts a shopper, or comes late.
func TestMondayRule(t *testing.T) {
	d := open(t)
	revision := 0
	for _, c := range []struct {
		zone, now, attempt string
		status             event.Status
		off                bool
		want               string
	}{
		{"UTC", "2011-12-04T23:59:59.999Z", "2011-W48", event.RewardAwarded, false, "delivered"},
		{"UTC", "2011-12-05T00:00:00Z", "2011-W48", event.RewardAwarded, false, "monday"},
		{"UTC", "2011-12-05T00:00:00Z", "2011-W49", event.RewardAwarded, false, "delivered"}, // it is a Monday, but of its own cycle
		{"UTC", "2011-12-08T12:00:00Z", "2011-W48", event.RewardAwarded, false, "monday"},    // and any day after
		{"UTC", "2011-12-01T12:00:00Z", "2011-W49", event.RewardAwarded, false, "delivered"}, // of the next: this node's clock is behind
		{"Asia/Tokyo", "2011-12-04T14:59:59Z", "2011-W48", event.RewardAwarded, false, "delivered"},
		{"Asia/Tokyo", "2011-12-04T15:00:00Z", "2011-W48", event.RewardAwarded, false, "monday"},
		{"America/Los_Angeles", "2011-12-05T07:59:59Z", "2011-W48", event.RewardAwarded, false, "delivered"},
		{"America/Los_Angeles", "2011-12-05T08:00:00Z", "2011-W48", event.RewardAwarded, false, "monday"},
		{"Europe/London", "2011-03-27T22:59:59Z", "2011-W12", event.RewardAwarded, false, "delivered"}, // clocks went forward that day
		{"Europe/London", "2011-03-27T23:00:00Z", "2011-W12", event.RewardAwarded, false, "monday"},
		{"Europe/London", "2011-10-30T23:59:59Z", "2011-W43", event.RewardAwarded, false, "delivered"}, // and back
		{"Europe/London", "2011-10-31T00:00:00Z", "2011-W43", event.RewardAwarded, false, "monday"},
		{"America/Sao_Paulo", "2012-02-27T02:59:59Z", "2012-W08", event.RewardAwarded, false, "delivered"}, // back in the night before
		{"America/Sao_Paulo", "2012-02-27T03:00:00Z", "2012-W08", event.RewardAwarded, false, "monday"},
		{"UTC", "2012-01-01T23:59:59Z", "2011-W52", event.RewardAwarded, false, "delivered"},
		{"UTC", "2012-01-02T00:00:00Z", "2011-W52", event.RewardAwarded, false, "monday"},

		// For REWARD_AWARDED only.
		{"UTC", "2011-12-05T00:00:00Z", "2011-W48", event.Unqualified, false, "delivered"},
		{"UTC", "2011-12-05T00:00:00Z", "2011-W48", event.InProgress, false, "delivered"},
		// Of a brand's own flavour.
		{"UTC", "2011-12-05T00:00:00Z", "2011-W48", event.RewardAwarded, true, "delivered"},
	} {
		now, err := time.Parse(time.RFC3339Nano, c.now)
		d.Must(err)
		d.SetNow(now)
		rule := "true"
		if c.off {
			rule = "false"
		}
		revision++
		d.PutSettings("zone: " + c.zone + "\nmonday_rule: " + rule)
		before := d.counted(c.want)
		d.publish(d.decided(uint16(revision), c.attempt, c.status))
		got := ""
		select {
		case <-d.osg:
			got = "delivered"
		case <-d.msq:
			got = "monday"
		case <-time.After(flowtest.Within):
		}
		if got != c.want {
			t.Fatalf("%s of %s at %s in %s is %s, want %s", c.status, c.attempt, c.now, c.zone, got, c.want)
		}
		d.ends(c.want, before+1)
	}
}

// The week ends while OSG does not answer: what it may have had by then is the same message in the queue.
func TestTheWeekEndsBetweenTwoTries(t *testing.T) {
	d := open(t)
	d.SetNow(time.Date(2011, 12, 4, 23, 59, 59, 0, time.UTC))
	d.says("osg", status("504"))
	d.publish(d.decided(1, "2011-W48", event.RewardAwarded))
	tried, _ := d.message(d.came(d.osg))
	d.SetNow(time.Date(2011, 12, 5, 0, 0, 0, 0, time.UTC))
	waits, _ := d.message(d.came(d.msq))
	d.ends("monday", 1)
	if waits.ID != tried.ID {
		t.Errorf("message %s is queued as %s", tried.ID, waits.ID)
	}
}
