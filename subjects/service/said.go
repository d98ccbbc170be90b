package service

import (
	"strconv"
	"sync"
	"time"
)

// A subject's troubles are said so often: whoever floods the service shall not flood the log too.
const (
	sayEvery = time.Minute
	saidMost = 4096 // lines remembered; with more, the oldest knowledge is dropped, and lines come early
)

// said remembers what was logged, and how often it was not.
type said struct {
	mu    sync.Mutex
	lines map[string]*line // guarded by mu
}

type line struct {
	at    time.Time
	since int // not said since
}

// again reports whether a line is to be said now, and how often it was passed over.
func (s *said) again(key string, now time.Time) (passed int, say bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lines == nil || len(s.lines) > saidMost {
		s.lines = map[string]*line{}
	}
	l := s.lines[key]
	if l == nil {
		s.lines[key] = &line{at: now}
		return 0, true
	}
	if now.Sub(l.at) < sayEvery {
		l.since++
		return 0, false
	}
	passed, l.at, l.since = l.since, now, 0
	return passed, true
}

// warn logs what is wrong with a question, once a minute for each subject and text.
func (s *Service) warn(text, subject string, err error) {
	if passed, say := s.said.again(subject+" "+text, time.Now()); say {
		s.cfg.Log.Warn(text, "subject", subject, "passed_over", passed, "err", err)
	}
}

// quoted gives a subject that somebody else chose, short enough for a log.
func quoted(subject string) string {
	const most = 80
	return strconv.Quote(subject[:min(len(subject), most)])
}
