package hub

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
)

// serverLog writes nats-server's log to slog. It also keeps the first fatal error: where a server of
// its own would exit, an embedded one returns from Start as if nothing had happened.
type serverLog struct {
	log  *slog.Logger
	full *atomic.Bool // set when the server writes of a full disk

	mu    sync.Mutex
	fatal error // guarded by mu
}

func (s *serverLog) Noticef(format string, v ...any) { s.log.Debug(fmt.Sprintf(format, v...)) }
func (s *serverLog) Debugf(format string, v ...any)  { s.log.Debug(fmt.Sprintf(format, v...)) }
func (s *serverLog) Tracef(format string, v ...any)  { s.log.Debug(fmt.Sprintf(format, v...)) }
func (s *serverLog) Warnf(format string, v ...any)   { s.warn(fmt.Sprintf(format, v...)) }
func (s *serverLog) Errorf(format string, v ...any)  { s.warn(fmt.Sprintf(format, v...)) }

// warn looks for a full disk in what the server says: it says nothing of it in any other way, and some
// of its parts stay as they were when they met it.
func (s *serverLog) warn(text string) {
	if strings.Contains(text, syscall.ENOSPC.Error()) {
		s.full.Store(true)
	}
	s.log.Warn(text)
}

func (s *serverLog) Fatalf(format string, v ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fatal == nil {
		s.fatal = fmt.Errorf(format, v...)
	}
}

func (s *serverLog) failed() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fatal
}
