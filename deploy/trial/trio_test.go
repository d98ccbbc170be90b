package trial_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"tillstream/kv/record"
)

// trio is a centre of three, of which each has a clock.
type trio struct {
	*centre
	t       *testing.T
	clocks  [3]*off
	members [3]*member
}

func openTrio(t *testing.T, offs ...time.Duration) *trio {
	t.Helper()
	c := &trio{centre: openCentre(t), t: t}
	for i := range c.clocks {
		c.clocks[i] = &off{}
		c.clocks[i].set(offs[i])
	}
	return c
}

func (c *trio) start(i int) {
	c.t.Helper()
	c.members[i] = c.join(c.t, fmt.Sprint("c", i+1), len(c.members), c.clocks[i].Now)
}

// writer waits until all nodes that run say that one of them writes, and gives it.
func (c *trio) writer() (w int) {
	c.t.Helper()
	await(c.t, "a writer", time.Minute, func() error {
		name := ""
		for i, m := range c.members {
			if m == nil {
				continue
			}
			says := m.replica.Status().Writer
			if says == "" || name != "" && says != name {
				return errors.New("they do not agree")
			}
			if name = says; says == fmt.Sprint("c", i+1) {
				w = i
			}
		}
		if c.members[w] == nil || name != fmt.Sprint("c", w+1) {
			return fmt.Errorf("%q is down", name)
		}
		return nil
	})
	return w
}

func (c *trio) stop(i int) {
	c.t.Helper()
	c.members[i].stop()
	c.members[i] = nil
}

// A centre node whose clock is wrong does not write, whoever else goes and comes, and its wrong time does
// not get into the journal.
func TestCentreNodeWithAWrongClock(t *testing.T) {
	t.Parallel()
	for name, wrong := range map[string]time.Duration{
		"an hour ahead": time.Hour, "a year ahead": year, "ten years ahead": 10 * year,
		"an hour behind": -time.Hour, "a year behind": -year, "ten years behind": -10 * year,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := openTrio(t, wrong, right, right)
			c.start(1)
			c.start(2)
			c.writer()
			c.start(0)
			ch := begin(shop, 1)
			posted := uint64(0)
			for range 4 {
				w := c.writer()
				if w == 0 {
					t.Fatal("the node with the wrong clock writes")
				}
				for range 5 {
					c.give(t, ch, ch.pack(3))
					posted += 15 / 5
				}
				c.stop(w)
				// Two are left, and cannot tell who is wrong: either writes, and the time is the lower one's.
				c.writer()
				c.give(t, ch, ch.pack(3))
				posted += 3
				c.start(w)
				await(t, "a writer whose clock is right", time.Minute, func() error {
					if c.writer() == 0 {
						return errors.New("the node with the wrong clock writes")
					}
					return nil
				})
			}
			c.checkTime(t, time.Now())
			for i, m := range c.members {
				must(t, m.replica.Read(t.Context(), c.members[c.writer()].replica.Status().Entry, func(uint64) {
					if got := m.books.Totals(); got.Posted != posted || got.Repeats != 0 {
						t.Errorf("node %d: posted %d, repeats %d; want %d and 0", i, got.Posted, got.Repeats, posted)
					}
				}))
			}
		})
	}
}

// A writer whose clock leaps stands down, and nothing that it wrote meanwhile is of its new time.
func TestClockOfTheWriterLeaps(t *testing.T) {
	t.Parallel()
	c := openTrio(t, right, right, right)
	for i := range 3 {
		c.start(i)
	}
	w := c.writer()
	ch := begin(shop, 1)
	rid := record.NewRID(time.Now())
	held, pack := once(2, rid)
	c.give(t, held, pack)
	c.clocks[w].set(year)
	for range 50 {
		c.give(t, ch, ch.pack(2))
	}
	if c.writer() == w {
		t.Error("the node whose clock has leapt still writes")
	}
	c.checkTime(t, time.Now())
	held, pack = once(3, rid) // as from a till whose disk was put back
	c.give(t, held, pack)
	c.clocks[w].set(right)
	m := c.members[c.writer()]
	must(t, m.replica.Read(t.Context(), 0, func(uint64) {
		if got := m.books.Totals(); got.Posted != 101 || got.Repeats != 1 {
			t.Errorf("posted %d, repeats %d; want 101 and 1", got.Posted, got.Repeats)
		}
	}))
}

// A writer whose clock stops stands down when it is too far behind the others.
func TestClockOfTheWriterStops(t *testing.T) {
	t.Parallel()
	c := openTrio(t, right, right, right)
	for i := range 3 {
		c.start(i)
	}
	w := c.writer()
	ch := begin(shop, 1)
	c.clocks[w].set(stopped)
	n := 0
	await(t, "another writer", time.Minute, func() error {
		c.give(t, ch, ch.pack(2))
		n += 2
		if c.writer() == w {
			return errors.New("the node whose clock has stopped writes")
		}
		return nil
	})
	c.give(t, ch, ch.pack(2))
	c.checkTime(t, time.Now())
	m := c.members[c.writer()]
	must(t, m.replica.Read(t.Context(), 0, func(uint64) {
		if got := m.books.Totals(); got.Posted != uint64(n+2) || got.Repeats != 0 {
			t.Errorf("posted %d, repeats %d; want %d and 0", got.Posted, got.Repeats, n+2)
		}
	}))
}

// Of a centre of three a node that hears nobody cannot know that its clock is wrong: it writes nothing, not even
// the journal's first entry, until another is there. Then what it writes is of the lower time.
func TestNodeOfThreeThatIsAloneDoesNotWrite(t *testing.T) {
	t.Parallel()
	c := openTrio(t, year, right, right)
	heard := make(chan *nats.Msg, 64)
	nc := c.connect(t, "listener")
	sub, err := nc.ChanSubscribe(brand.Heartbeat(node("c1")), heard)
	must(t, err)
	must(t, nc.Flush())
	c.start(0)
	for range 20 { // it lives, five times as long as it would listen before it tries
		select {
		case <-heard:
		case <-t.Context().Done():
			t.Fatal("no heartbeats")
		}
	}
	must(t, sub.Unsubscribe())
	if s := c.members[0].replica.Status(); s.Writer != "" || s.Entry != 0 || len(c.journal(t)) != 0 {
		t.Errorf("alone, a year ahead: writer %q, entry %d, %d in the journal; want nothing", s.Writer, s.Entry, len(c.journal(t)))
	}
	c.start(1)
	ch := begin(shop, 1)
	c.give(t, ch, ch.pack(3))
	c.start(2)
	c.give(t, ch, ch.pack(3))
	c.checkTime(t, time.Now())
}

// Two nodes cannot tell whose clock is wrong. What a node that is ahead writes is of the other's time.
func TestCentreOfTwoWithAWrongClock(t *testing.T) {
	t.Parallel()
	for name, order := range map[string][]int{"it starts first": {0, 1}, "it starts last": {1, 0}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := openTrio(t, year, right, right)
			c.start(order[0])
			c.start(order[1])
			ch := begin(shop, 1)
			for range 3 {
				c.give(t, ch, ch.pack(3))
				w := c.writer()
				c.stop(w)
				c.start(w)
				c.give(t, ch, ch.pack(3))
			}
			c.checkTime(t, time.Now())
		})
	}
}
