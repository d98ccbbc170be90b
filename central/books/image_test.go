package books

import (
	"testing"

	"tillstream/kv/record"
)

// An image of a till that ran is put back before the till was ever started again: its chain is the newest on the
// image and at the centre, and only how far it goes tells.
func TestAnImageOfARunningTillIsAnIncident(t *testing.T) {
	l := newLedger(t)
	c := newChain(1, "0001", "t1", record.Tip{})
	c.sale(1, 1, 1)
	old := c.tip()
	c.sale(2, 1, 1)
	l.send("0001", c.all())
	image := newChain(2, "0001", "t1", old)
	l.expect(l.send("0001", image.all()), record.StatusHeld, 1)
	if got := l.Totals().Incidents; got != 1 {
		t.Errorf("%d incidents, want one of an old disk", got)
	}
}
