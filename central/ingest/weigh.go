package ingest

import (
	"errors"
	"time"

	"tillstream/central/books"
	"tillstream/kv/record"
	"tillstream/subjects"
)

// Rules by which packs are not passed on as they came; names in metrics and the log.
const (
	ruleFormat = "format" // cannot be read
	ruleIdle   = "idle"   // would come to nothing, as far as this node knows
	ruleChains = "chains" // begins too many chains
	ruleBytes  = "bytes"  // more than its share of the journal
)

// errTooMuch means that a store has used its allowance up: it is told to ask again.
var errTooMuch = errors.New("the store sends more than its share")

// weight is what a run would come to, as far as this node knows.
type weight int

const (
	held   weight = iota // nothing new
	moves                // it extends its chain, or shows that it forked
	begins               // it begins a chain
	idle                 // nothing
)

// weighed is a run's weight, and the mark to answer with if it is not proposed.
type weighed struct {
	weight
	mark record.Mark
}

// weigh says what the runs of a pack would come to. Call it under the replica's lock. The writer decides;
// this says only what is not worth asking.
func weigh(b *books.Books, pack *books.Pack) []weighed {
	out := make([]weighed, len(pack.Runs))
	ahead := map[record.ChainID]record.Mark{} // chains as earlier runs of the pack would leave them
	for i, run := range pack.Runs {
		m, moved := ahead[run[0].Chain]
		if !moved {
			if h, ok := b.Held(pack.Store, run); ok {
				out[i] = weighed{held, h}
				continue
			}
			m = b.Mark(run[0].Chain, pack.Store)
		}
		w := weighRun(pack.Store, run, m)
		out[i] = weighed{w, m}
		switch w {
		case moves, begins:
			last := &run[len(run)-1]
			m.Status, m.Held, m.Hash = record.StatusHeld, last.Seq, last.Hash()
			ahead[run[0].Chain] = m
		case idle:
			if m.Status == record.StatusUnknown || m.Status == record.StatusHeld {
				out[i].mark.Status = record.StatusGap
			}
		}
	}
	return out
}

func weighRun(store subjects.StoreID, run []record.Receipt, m record.Mark) weight {
	switch m.Status {
	case record.StatusRefused, record.StatusFork:
		return idle
	case record.StatusUnknown:
		if run[0].Kind != record.KindStart {
			return idle
		}
		if s, err := record.ReadStart(run[0].Data); err != nil || s.Store != store {
			return idle // an incident, as often as there is allowance
		}
		return begins
	}
	if run[0].Seq > m.Held+1 {
		return idle
	}
	return moves
}

// admit takes out of a pack what is not worth a place in the journal, and gives the marks to answer for
// that with. The rest takes of the store's allowance.
func (g *Ingest) admit(pack *books.Pack, weights []weighed, now time.Time) (marks []record.Mark, tried bool, err error) {
	var idles, chains, bytes int64
	for i, w := range weights {
		switch w.weight {
		case idle:
			idles++
		case begins:
			chains++
		}
		if w.weight != held {
			bytes += size(pack.Runs[i])
		}
	}
	rule := ""
	g.allowances.with(pack.Store, func(a *allowance) {
		tried = idles > 0 && a.idle.take(1, now)
		switch {
		case chains > 0 && !a.chains.take(chains, now):
			rule, err = ruleChains, errTooMuch
		case !a.bytes.take((bytes+1023)>>10, now):
			rule, err = ruleBytes, errTooMuch
		case idles > 0 && !tried:
			rule = ruleIdle
		}
	})
	if rule != "" {
		g.say(pack.Store, rule, now)
	}
	if err != nil {
		return nil, tried, err
	}
	kept := pack.Runs[:0]
	for i, w := range weights {
		if w.weight == held || w.weight == idle && !tried {
			marks = append(marks, w.mark)
			continue
		}
		kept = append(kept, pack.Runs[i])
	}
	pack.Runs = kept
	return marks, tried, nil
}

// settle gives the allowance back if what looked like nothing was taken: this node was behind.
func (g *Ingest) settle(store subjects.StoreID, marks []record.Mark) {
	for i := range marks {
		if marks[i].Status != record.StatusHeld {
			return
		}
	}
	g.allowances.with(store, func(a *allowance) { a.idle.give(1) })
}

func size(run []record.Receipt) (n int64) {
	for i := range run {
		n += int64(run[i].Size() + len(run[i].Data))
	}
	return n
}

const sayEvery = time.Minute // the same of the same store

// say counts what a store did, and logs it now and then.
func (g *Ingest) say(store subjects.StoreID, rule string, now time.Time) {
	g.refused.WithLabelValues(store.String(), rule).Inc()
	say := false
	g.allowances.with(store, func(a *allowance) {
		if say = now.Sub(a.said[rule]) >= sayEvery; say {
			a.said[rule] = now
		}
	})
	if say {
		g.cfg.Log.Warn("a store's packs are held back: see tillstream_ingest_packs_refused_total", "store", store, "rule", rule)
	}
}
