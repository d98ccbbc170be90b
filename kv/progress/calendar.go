package progress

import (
	"fmt"
	"sync"
	"time"
	_ "time/tzdata" // every node knows the same zones

	"tillstream/kv/record"
)

// Date is a day, yyyy-mm-dd, that begins at midnight of the brand's time zone. Empty: none.
type Date string

func (d Date) check(at string) error {
	if d == "" {
		return nil
	}
	if _, err := time.Parse(time.DateOnly, string(d)); err != nil {
		return fmt.Errorf("%s: want a day as yyyy-mm-dd, got %q", at, string(d))
	}
	return nil
}

// Calendar knows the attempts of a brand: ISO weeks in its time zone, from Monday 00:00.
type Calendar struct{ zone *time.Location }

// calendars are those made so far, by zone: time.LoadLocation reads a file each time, and every event asks.
var calendars sync.Map

// NewCalendar makes a calendar of an IANA zone, such as Europe/London.
func NewCalendar(zone string) (*Calendar, error) {
	if c, ok := calendars.Load(zone); ok {
		return c.(*Calendar), nil
	}
	l, err := time.LoadLocation(zone)
	if err != nil {
		return nil, fmt.Errorf("zone: want an IANA time zone such as Europe/London, got %q", zone)
	}
	c, _ := calendars.LoadOrStore(zone, &Calendar{l})
	return c.(*Calendar), nil
}

// AttemptAt names the attempt in which a moment lies.
func (c *Calendar) AttemptAt(at time.Time) record.AttemptID {
	year, week := at.In(c.zone).ISOWeek()
	id, _ := record.ParseAttemptID(fmt.Sprintf("%04d-W%02d", year, week)) // digits: it cannot fail
	return id
}

// Attempt gives the first moment of an attempt, and the first after it. A week with a change of clocks is an hour
// longer or shorter.
func (c *Calendar) Attempt(id record.AttemptID) (start, end time.Time, err error) {
	var year, week int
	if n, err := fmt.Sscanf(id.String(), "%4d-W%2d", &year, &week); n != 2 || err != nil || len(id.String()) != len("2011-W48") {
		return start, end, fmt.Errorf("attempt %q: want a week such as 2011-W48", id)
	}
	// The 4th of January is in week 1. Monday is the first day.
	day := time.Date(year, 1, 4, 0, 0, 0, 0, c.zone)
	day = day.AddDate(0, 0, -(int(day.Weekday())+6)%7+7*(week-1))
	if c.AttemptAt(day) != id {
		return start, end, fmt.Errorf("attempt %q: there is no such week", id)
	}
	return day, day.AddDate(0, 0, 7), nil
}

// Weeks gives how many attempts lie from one to another: 0 if they are the same, negative if to is before.
func (c *Calendar) Weeks(from, to record.AttemptID) (int, error) {
	a, _, err := c.Attempt(from)
	if err != nil {
		return 0, err
	}
	b, _, err := c.Attempt(to)
	if err != nil {
		return 0, err
	}
	// Both are Mondays at midnight; a change of clocks is far less than half a week.
	return int(b.Sub(a).Round(7*24*time.Hour) / (7 * 24 * time.Hour)), nil
}

// Day gives the day in which a moment lies.
func (c *Calendar) Day(at time.Time) Date { return Date(at.In(c.zone).Format(time.DateOnly)) }

// start gives the first moment of a day.
func (c *Calendar) start(d Date) time.Time {
	t, err := time.ParseInLocation(time.DateOnly, string(d), c.zone)
	if err != nil {
		return time.Time{}
	}
	return t
}

// Runs reports whether a promotion runs at a moment.
func (c *Calendar) Runs(p *Promotion, at time.Time) bool {
	return (p.From == "" || !at.Before(c.start(p.From))) && (p.Until == "" || at.Before(c.start(p.Until)))
}

// RunsIn reports whether a promotion runs at some moment of an attempt.
func (c *Calendar) RunsIn(p *Promotion, id record.AttemptID) bool {
	start, end, err := c.Attempt(id)
	return err == nil && (p.From == "" || c.start(p.From).Before(end)) && (p.Until == "" || start.Before(c.start(p.Until)))
}
