package promotion

import "time"

// Local is a moment on a store's clock, which has no zone: seconds since 1970 as if it were UTC. None is
// no moment.
type Local int64

// None is the Local that is not given.
const None Local = -1 << 63

const localLayout = "2006-01-02T15:04:05"

// LocalOf gives the moment that a clock in zone shows at t.
func LocalOf(t time.Time, zone *time.Location) Local {
	t = t.In(zone)
	_, offset := t.Zone()
	return Local(t.Unix() + int64(offset))
}

// Time gives the clock's reading as a time in UTC, for its weekday, date and hour.
func (l Local) Time() time.Time { return time.Unix(int64(l), 0).UTC() }

// String gives the moment as documents have it, and "" for None.
func (l Local) String() string {
	if l == None {
		return ""
	}
	return l.Time().Format(localLayout)
}
