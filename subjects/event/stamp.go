package event

import "time"

// Point is a place on an event's way where the time is written down, one header each (document 004: "timestamps
// are propagated in all our applications").
type Point uint8

// Points, in the order in which an event passes them. Which of them it passes depends on its path.
const (
	Sold   Point = iota // the POS completed the sale, by the POS's clock
	Posted              // the books posted its receipt
	CPP                 // CPP, or a producer outside, said that there is an activity
	EPPM                // the same of EPPM
	DEC
	TIM
	FRED
	DES
	BCG
	OSG // the message was on a screen
	MSQ // the message was queued
	points
)

var pointNames = [points]string{"sold", "posted", "cpp", "eppm", "dec", "tim", "fred", "des", "bcg", "osg", "msq"}

func (p Point) String() string { return pointNames[p] }

// Points gives every point.
func Points() []Point {
	all := make([]Point, points)
	for i := range all {
		all[i] = Point(i)
	}
	return all
}

// stampHeaders are the headers of the points: "ce-decat" says when DEC published.
var stampHeaders = func() (names [points]string) {
	for p, name := range pointNames {
		names[p] = headerPrefix + name + "at"
	}
	return names
}()

// Stamps are the times at which an event, and those that it came from, passed the points. The zero time is a
// point that was not passed.
type Stamps [points]time.Time

// Between gives how long it took from one point to another; false: not both were passed.
func (s *Stamps) Between(from, to Point) (time.Duration, bool) {
	if s[from].IsZero() || s[to].IsZero() {
		return 0, false
	}
	return s[to].Sub(s[from]), true
}

// Before gives the latest of the points passed before one; false: there is none.
func (s *Stamps) Before(p Point) (latest Point, ok bool) {
	for q := range points {
		if q != p && !s[q].IsZero() && (s[p].IsZero() || !s[q].After(s[p])) && (!ok || !s[q].Before(s[latest])) {
			latest, ok = q, true
		}
	}
	return latest, ok
}
