package journal

import "tillstream/kv/record"

// remember puts a run that was just kept in memory, and lets go of the oldest runs beyond the bound.
// The caller has mu.
func (j *Journal) remember(run record.Run, kept int64) {
	c := j.chains[run.Chain]
	j.stamp++
	c.recent = append(c.recent, recent{run, kept, j.stamp})
	j.recent += len(run.Packed)
	for j.recent > maxRecent {
		var oldest *chain
		for _, c := range j.chains {
			if len(c.recent) > 0 && (oldest == nil || c.recent[0].stamp < oldest.recent[0].stamp) {
				oldest = c
			}
		}
		j.release(oldest, 1)
	}
}

// forget lets go of the runs that upstream has. The caller has mu.
func (j *Journal) forget(c *chain) {
	n := 0
	for n < len(c.recent) && c.recent[n].run.Last <= c.confirmed {
		n++
	}
	j.release(c, n)
}

// release lets go of a chain's n oldest runs in memory. The caller has mu.
func (j *Journal) release(c *chain, n int) {
	for i := range n {
		j.recent -= len(c.recent[i].run.Packed)
		c.recent[i] = recent{} // the array lives on behind the slice
	}
	c.recent = c.recent[n:]
	if len(c.recent) == 0 {
		c.recent = nil
	}
}

// drop takes a chain out of memory. The caller has mu.
func (j *Journal) drop(c *chain) {
	j.release(c, len(c.recent))
	delete(j.chains, c.id)
}
