package leaf

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
)

// refusal is in the line about an upstream that does not know this node's key.
const refusal = "Leafnode Error 'Authorization Violation'"

// serverLog writes nats-server's log to slog. It also keeps the first fatal error: where a server of
// its own would exit, an embedded one returns from Start as if nothing had happened.
//
// And it counts how often the upstream refused this node's key, which the server tells nobody else.
type serverLog struct {
	log     *slog.Logger
	refused atomic.Int64

	mu    sync.Mutex
	fatal error // guarded by mu
}

func (s *serverLog) Noticef(format string, v ...any) { s.log.Debug(fmt.Sprintf(format, v...)) }
func (s *serverLog) Debugf(format string, v ...any)  { s.log.Debug(fmt.Sprintf(format, v...)) }
func (s *serverLog) Tracef(format string, v ...any)  { s.log.Debug(fmt.Sprintf(format, v...)) }
func (s *serverLog) Warnf(format string, v ...any)   { s.log.Warn(fmt.Sprintf(format, v...)) }

func (s *serverLog) Errorf(format string, v ...any) {
	text := fmt.Sprintf(format, v...)
	if strings.Contains(text, refusal) {
		s.refused.Add(1)
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
