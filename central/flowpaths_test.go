package central_test

import (
	"fmt"
	"testing"
	"time"

	"tillstream/central/flow/flowtest"
	"tillstream/kv"
	"tillstream/kv/record"
	"tillstream/subjects"
	"tillstream/subjects/event"
)

// The numbered paths of document 004, each plainly, with a crash of every component in the middle, and with every
// message twice. What comes of them is the same.

// attempt names a shopper's attempt: of this week, or of the next on its last day, so that no week ends in a test.
func (c *chain) attempt(n int, promo string) record.Attempt {
	s := c.Docs.Settings()
	return flowtest.MustAttempt(uint16(n), promo, s.Calendar().AttemptAt(c.Now().Add(24*time.Hour)).String())
}

// award says that a shopper has come to a status of their nth coffee.
func (c *chain) award(of record.Attempt, status event.Status, n int64) {
	c.T.Helper()
	e, a := c.Activity(of, status, fmt.Sprintf("receipt %d", n))
	a.OccurredAt = a.OccurredAt.Add(time.Duration(n) * time.Millisecond)
	a.RewardProgress[0].Times, a.RewardProgress[0].RewardID = n, fmt.Sprintf("RW%d", n)
	c.say(c.Net.CPPActivity(), e, a)
}

const rewards = 3 // that a shopper earns

func wonTexts() (all []string) {
	for n := range rewards {
		all = append(all, fmt.Sprintf("Three stamps: Coffee %d", n+1))
	}
	return all
}

// Path 1. Every reward is one message: on the screen of who is there, in the queue of who is not, who sees them in their
// order when they come.
func TestHappyPath(t *testing.T) {
	eachWay(t, func(t *testing.T, c *chain, shoppers int) {
		c.template("REWARD_AWARDED", "{promoName}: {reward} {times}")
		there := func(n int) bool { return n%2 == 0 }
		for n := range shoppers {
			if there(n) {
				c.comes(c.attempt(n, "STAMPS").Account)
			}
		}
		for reward := range int64(rewards) {
			for n := range shoppers {
				c.award(c.attempt(n, "STAMPS"), event.InProgress, reward+1)
				c.award(c.attempt(n, "STAMPS"), event.RewardAwarded, reward+1)
			}
		}
		c.settle()
		for n := range shoppers {
			account := c.attempt(n, "STAMPS").Account
			if shown, left := c.shop.texts(account), c.waits(account); !there(n) && (len(shown) > 0 || len(left) != rewards) {
				t.Errorf("shopper %d, who is not there: shown %q, %d in the queue", n, shown, len(left))
			}
			// Who is there while components crash is shown what comes first.
			c.sees(account, c.rnd == nil || !there(n), wonTexts()...)
			if m := c.shop.last(account); !m.Full {
				t.Errorf("shopper %d was shown %+v, want a full screen", n, m)
			}
		}
	})
}

// Rewards of one shopper that come at once, as after a cut, are on their screen in the order in which they were earned.
func TestRewardsAreShownInOrder(t *testing.T) {
	t.Parallel()
	c := newChain(flowtest.Open(t))
	c.PutPromotion(stamps)
	c.template("REWARD_AWARDED", "{times}")
	c.start()
	of := c.attempt(1, "STAMPS")
	c.comes(of.Account)
	var want []string
	for n := range int64(30) { // a stage has so many of one account wait for each other
		c.award(of, event.RewardAwarded, n+1)
		want = append(want, fmt.Sprint(n+1))
	}
	c.sees(of.Account, true, want...)
	c.noDead()
}

// Path 2. A reward that is spent while its message waits is not shown; nor if the word to delete it comes before it.
func TestSpentBeforeSeen(t *testing.T) {
	for _, overtakes := range []bool{false, true} {
		t.Run(fmt.Sprintf("the instruction overtakes the message %t", overtakes), func(t *testing.T) {
			eachWay(t, func(t *testing.T, c *chain, shoppers int) {
				won := func() { c.template("REWARD_AWARDED", "{promoName}: {reward} {times}") }
				if !overtakes { // else BCG has no words for it meanwhile
					won()
				}
				for n := range shoppers {
					c.award(c.attempt(n, "STAMPS"), event.RewardAwarded, 1)
				}
				if overtakes {
					c.Settle(subjects.DEC, subjects.TIM, subjects.FRED) // a message whose reward TIM knows as spent is none
				} else {
					c.settle()
				}
				for n := range shoppers {
					if of := c.attempt(n, "STAMPS"); !overtakes && len(c.waits(of.Account)) != 1 {
						t.Errorf("shopper %d: no message in the queue", n)
					}
					c.award(c.attempt(n, "STAMPS"), event.RewardSpent, 1)
				}
				c.until("all are to be deleted", func() error {
					if got := len(c.keys(kv.Onsite(c.Net.Brand), "gone.>")); got != shoppers {
						return fmt.Errorf("%d tombstones, want %d", got, shoppers)
					}
					return nil
				})
				if overtakes {
					won()
				}
				c.settle()
				for n := range shoppers {
					if left := c.waits(c.attempt(n, "STAMPS").Account); !overtakes && len(left) > 0 {
						t.Errorf("shopper %d: %d messages in the queue", n, len(left))
					}
				}
				c.neverSees(shoppers)
			})
		})
	}
}

// neverSees has shoppers come, and shows that what they see first is what came later: the same reward of the same attempt,
// earned once more. A message that its deletion has overtaken lies in the queue till then.
func (c *chain) neverSees(shoppers int) {
	c.T.Helper()
	for n := range shoppers {
		c.comes(c.attempt(n, "STAMPS").Account)
	}
	for n := range shoppers {
		c.award(c.attempt(n, "STAMPS"), event.RewardAwarded, 2)
	}
	c.settle()
	for n := range shoppers {
		c.sees(c.attempt(n, "STAMPS").Account, true, "Three stamps: Coffee 2")
	}
}

// Path 3. Who does not qualify in week one is told so: EPPM, DEC, FRED, and TIM has not seen it.
func TestWeekOne(t *testing.T) {
	eachWay(t, func(t *testing.T, c *chain, shoppers int) {
		c.unqualified(shoppers, func(of record.Attempt) {
			e, a := c.Activity(of, event.Unqualified, "week one")
			e.Type, e.Source = event.TypeEPPMActivity, event.Source(c.Net.DC, c.Net.Brand, event.EPPM.String())
			e.Stamps[event.EPPM], e.Stamps[event.CPP] = e.Stamps[event.CPP], time.Time{}
			c.say(c.Net.EPPMActivity(), e, event.EPPMActivity{
				AccountID: of.Account, PromoCode: of.Promo, AttemptID: of.Attempt, Week: 1, OccurredAt: a.OccurredAt, RewardProgress: a.RewardProgress,
			})
		})
		if got := c.events(c.Net.CPPEnriched()); len(got) > 0 {
			t.Errorf("%d events on TIM's subject", len(got))
		}
		if got := c.keys(kv.Attempts(c.Net.Brand), "tim.>"); len(got) > 0 {
			t.Errorf("TIM has states of %d attempts", len(got))
		}
		for _, e := range c.events(c.Net.Decided()) {
			if !e.Stamps[event.TIM].IsZero() || e.Stamps[event.EPPM].IsZero() || e.Stamps[event.DEC].IsZero() || e.Stamps[event.FRED].IsZero() {
				t.Fatalf("an event's way was %v", e.Stamps)
			}
		}
	})
}

// Path 4. Who does not qualify in week two is told so: CPP, DEC, TIM, which has another output for it, FRED.
func TestWeekTwo(t *testing.T) {
	eachWay(t, func(t *testing.T, c *chain, shoppers int) {
		c.unqualified(shoppers, func(of record.Attempt) {
			e, a := c.Activity(of, event.Unqualified, "week two")
			c.say(c.Net.CPPActivity(), e, a)
		})
		if got := c.events(c.Net.Relevant()); len(got) > 0 {
			t.Errorf("%d events on the subject of regular ones", len(got))
		}
		for n := range shoppers {
			if !c.has(kv.Attempts(c.Net.Brand), kv.AttemptKey(c.attempt(n, "STAMPS"))) {
				t.Errorf("TIM has no state of shopper %d", n)
			}
		}
		for _, e := range c.events(c.Net.Decided()) {
			if e.Stamps[event.CPP].IsZero() || e.Stamps[event.DEC].IsZero() || e.Stamps[event.TIM].IsZero() || e.Stamps[event.FRED].IsZero() {
				t.Fatalf("an event's way was %v", e.Stamps)
			}
		}
	})
}

// unqualified has shoppers, of whom half are there, not qualify, and wants one toast for each.
func (c *chain) unqualified(shoppers int, say func(of record.Attempt)) {
	c.T.Helper()
	c.template("UNQUALIFICATION", "{promoName}: not this time")
	for n := range shoppers {
		if n%2 == 0 {
			c.comes(c.attempt(n, "STAMPS").Account)
		}
	}
	for n := range shoppers {
		say(c.attempt(n, "STAMPS"))
	}
	c.settle()
	for n := range shoppers {
		account := c.attempt(n, "STAMPS").Account
		if shown, left := c.shop.texts(account), c.waits(account); n%2 == 1 && (len(shown) > 0 || len(left) != 1) {
			c.T.Errorf("shopper %d, who is not there: shown %q, %d in the queue", n, shown, len(left))
		}
		c.sees(account, true, "Three stamps: not this time")
		if m := c.shop.last(account); m.Full {
			c.T.Errorf("shopper %d was shown %+v, want a toast", n, m)
		}
	}
	if got := c.events(c.Net.RelevantUnqualification()); len(got) < shoppers {
		c.T.Errorf("%d events of unqualification, want %d", len(got), shoppers)
	}
}
