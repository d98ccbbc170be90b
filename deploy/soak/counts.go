package soak

import (
	"slices"
	"sync"
	"time"

	"tillstream/deploy/laws"
)

// counts is what a soak counts while it runs. It is safe for many goroutines.
type counts struct {
	mu       sync.Mutex
	faults   map[fault]int
	starts   map[tier][]time.Duration // from the start of a process to its first answer
	took     []time.Duration          // of posts at tills that were up and left alone
	tries    int                      // posts in all
	repeated int                      // answers that the till had it from before
	acts     map[string]int           // what shoppers did who pay with points and bring goods back, and what came of it
	tries16  laws.Tries
}

func newCounts(deadline time.Duration) *counts {
	return &counts{faults: map[fault]int{}, acts: map[string]int{}, starts: map[tier][]time.Duration{}, tries16: laws.Tries{Deadline: deadline}}
}

func (c *counts) fault(f fault) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults[f]++
}

func (c *counts) started(t tier, took time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.starts[t] = append(c.starts[t], took)
}

// try notes one post. owed says that the till was up and left alone all the time.
func (c *counts) try(owed bool, took time.Duration, answered bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tries++
	if !owed {
		return
	}
	c.tries16.Number++
	if answered {
		c.took = append(c.took, took)
		c.tries16.Slowest = max(c.tries16.Slowest, took)
	}
}

func (c *counts) answer(repeated bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if repeated {
		c.repeated++
	}
}

// act counts what shoppers did.
func (c *counts) act(what string, n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.acts[what] += int(n)
}

func (c *counts) refuse(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tries16.Refused = append(c.tries16.Refused, text)
}

func (c *counts) late(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tries16.Late = append(c.tries16.Late, text)
}

// part gives the value below which a part of sorted durations lies, in thousandths.
func part(of []time.Duration, thousandths int) time.Duration {
	if len(of) == 0 {
		return 0
	}
	slices.Sort(of)
	return of[min(len(of)*thousandths/1000, len(of)-1)]
}
