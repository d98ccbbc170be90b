package soak

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// tier is a kind of node.
type tier int

const (
	atCentre tier = iota
	atStore
	atTill
)

// target is a node, or the link upward of one.
type target struct {
	tier        tier
	store, till int // from 0; at the centre store is the node
}

// name is the node's name.
func (t target) name() string {
	switch t.tier {
	case atStore:
		return fmt.Sprintf("%04d", t.store+1)
	case atTill:
		return fmt.Sprintf("%04d-%02d", t.store+1, t.till+1)
	}
	return fmt.Sprintf("c%d", t.store+1)
}

// kind is what the node is.
func (t target) kind() string { return [...]string{"centre node", "store", "till"}[t.tier] }

func (t target) String() string { return t.kind() + " " + t.name() }

// mode is how an image is taken.
type mode string

const (
	stopped mode = "stopped" // the process is ended in order first
	paused  mode = "paused"  // as it lies at one moment: what a power cut would leave of it
	running mode = "running" // file by file while it writes: what a careless copy gives
)

// step is one fault of the script.
type step struct {
	number int
	at     time.Duration // since the beginning
	dur    time.Duration // until it is undone
	fault  fault
	target target
	writer bool          // of the centre rather the node that writes than the target
	delay  time.Duration // of a slow line
	rate   int           // of a narrow one, in bytes a second
	image  int           // number of the image that is taken or put back
	drop   int           // image that is let go of for it; 0: none
	mode   mode
	whole  bool   // the whole directory, not only what is precious in it
	seed   uint64 // for what a step decides while it lasts
}

func (s step) String() string {
	text := string(s.fault)
	switch {
	case s.fault == killCentre || s.fault == killBoth:
	case s.fault == killWriter || s.fault == killLeader:
		text += " or else " + s.target.String()
	case s.writer:
		text += " the node that writes, or else " + s.target.String()
	default:
		text += " " + s.target.String()
	}
	switch s.fault {
	case slowWAN:
		text += fmt.Sprintf(" by %s", s.delay)
	case narrowWAN:
		text += fmt.Sprintf(" to %d bytes/s", s.rate)
	case takeImage:
		return fmt.Sprintf("%s, %s (image %d)", text, s.mode, s.image)
	case restoreImage:
		text += fmt.Sprintf(" (image %d", s.image)
		if !s.whole {
			text += ", only the journal"
		}
		text += "),"
	}
	return fmt.Sprintf("%s for %s", text, s.dur.Round(time.Millisecond))
}

// Bounds of the script.
const (
	calm        = 3 * time.Second  // at the beginning, when nothing happens
	respite     = time.Second      // a node is left alone after a fault
	keptImages  = 4                // of one node
	recovered   = 8 * time.Second  // of the centre: nats-server's own election takes most of it
	quietBefore = 6 * time.Second  // of the centre, before a jetstream directory is wiped
	quietAfter  = 15 * time.Second // and after it: the node has to get the journal from the other two
	tries       = 200              // draws for one step
)

// writerShare is how often, in a hundred, a fault at the centre asks for the node that writes.
const writerShare = 50

// script draws the steps. Nothing but the seed and the sizes goes into it.
type script struct {
	rand          *rand.Rand
	stores, tills int
	centre        bool     // only the centre has to suffer
	weights       []weight // of the faults
	deck          []fault  // those that have not come up yet
	steps         []step
	busy          map[target]time.Duration // until when a node is left to its fault
	cut           map[target]time.Duration // until when a link is
	centreEnd     time.Duration            // of the last fault at the centre
	quiet         time.Duration            // of the centre, until then
	wipe          bool                     // a jetstream directory is to be wiped as soon as the centre has been quiet
	images        map[target][]int
	image         int
}

// newScript makes the steps of a soak, over a time: one fault every one to three seconds, each kind once before
// they are drawn by weight. Where only the centre has to suffer, every other one waits until it has recovered.
func newScript(seed uint64, length time.Duration, stores, tills int, centre bool) []step {
	s := &script{
		rand: rand.New(rand.NewPCG(seed, 0x736f616b)), stores: stores, tills: tills, centre: centre, weights: everywhere(),
		busy: map[target]time.Duration{}, cut: map[target]time.Duration{}, images: map[target][]int{},
	}
	if centre {
		s.weights = takeOvers()
	}
	for _, w := range s.weights {
		s.deck = append(s.deck, w.fault)
	}
	s.rand.Shuffle(len(s.deck), func(i, k int) { s.deck[i], s.deck[k] = s.deck[k], s.deck[i] })
	at := calm
	if !centre {
		s.firstImages(at)
	}
	for at < length {
		if st, ok := s.draw(at); ok {
			s.add(st)
		}
		at += s.gap()
	}
	return s.steps
}

// gap is the time to the next fault.
func (s *script) gap() time.Duration {
	gap := time.Second + time.Duration(s.rand.Int64N(int64(2*time.Second)))
	if s.centre && s.rand.IntN(2) == 0 {
		gap += recovered
	}
	return gap
}

// firstImages takes an image of every edge node: taken early, it is what makes old ones possible.
func (s *script) firstImages(at time.Duration) {
	for i := range s.stores {
		for k := -1; k < s.tills; k++ {
			t := target{atStore, i, 0}
			if k >= 0 {
				t = target{atTill, i, k}
			}
			s.add(s.imageOf(step{at: at, fault: takeImage, target: t, mode: paused}))
		}
	}
}

func (s *script) add(st step) {
	st.number, st.seed = len(s.steps)+1, s.rand.Uint64()
	s.steps = append(s.steps, st)
}

// draw finds a fault that can be at a time.
func (s *script) draw(at time.Duration) (step, bool) {
	if s.wipe && at >= max(s.centreEnd+quietBefore, s.quiet) {
		s.wipe = false
		st := s.node(step{at: at, fault: wipeStream, target: target{atCentre, s.rand.IntN(3), 0}, dur: s.between(time.Second, 2*time.Second)})
		s.quiet = at + st.dur + quietAfter
		return st, true
	}
	if st, ok := s.deal(at); ok {
		return st, true
	}
	total := 0
	for _, w := range s.weights {
		total += w.weight
	}
	for range tries {
		x := s.rand.IntN(total)
		for _, w := range s.weights {
			if x -= w.weight; x >= 0 {
				continue
			}
			if st, ok := s.make(at, w.fault); ok {
				return st, true
			}
			break
		}
	}
	return step{}, false
}

// deal gives the first fault of the deck that can be at a time.
func (s *script) deal(at time.Duration) (st step, ok bool) {
	i := slices.IndexFunc(s.deck, func(f fault) bool {
		st, ok = s.make(at, f)
		return ok || f == wipeStream // which waits until it may be, and comes then
	})
	if i >= 0 {
		s.deck = slices.Delete(s.deck, i, i+1)
	}
	return st, ok
}

func (s *script) make(at time.Duration, f fault) (step, bool) {
	st := step{at: at, fault: f}
	switch f {
	case pullWAN, resetWAN, silenceWAN, deafenWAN, slowWAN, narrowWAN, stallWAN, pullLAN, silenceLAN, pullCentre:
		return s.link(st)
	case wipeStream:
		s.wipe = true // and until then the centre is left alone
		return st, false
	case killCentre, killBoth:
		st.dur = s.between(100*time.Millisecond, 3*time.Second)
		for i := range 3 {
			if !s.free(target{atCentre, i, 0}, at) {
				return st, false
			}
		}
		for i := range 3 {
			st.target = target{atCentre, i, 0}
			st = s.node(st)
		}
		return st, true
	}
	if st.target = s.victim(f); !s.free(st.target, at) {
		return st, false
	}
	st.writer = st.target.tier == atCentre && (f == freeze || f == restart) && s.rand.IntN(100) < writerShare
	switch f {
	case kill, killWriter, killLeader, dropCache, wipeReplica:
		st.dur = s.between(50*time.Millisecond, 5*time.Second)
	case freeze:
		st.dur = s.between(500*time.Millisecond, 5*time.Second)
	case restart:
		st.dur = s.between(50*time.Millisecond, 2*time.Second)
	case wipeEdge:
		st.dur, st.whole = s.between(100*time.Millisecond, 2*time.Second), true
	case takeImage:
		st.mode = []mode{stopped, paused, paused, running}[s.rand.IntN(4)]
		st = s.imageOf(st)
	case restoreImage:
		have := s.images[st.target]
		st.image = have[s.rand.IntN(len(have))]
		st.whole = s.rand.IntN(4) > 0
		st.dur = s.between(50*time.Millisecond, 2*time.Second)
	}
	return s.node(st), true
}

// victim draws a node that a fault can happen to.
func (s *script) victim(f fault) target {
	store, till, centre := s.rand.IntN(s.stores), s.rand.IntN(s.tills), s.rand.IntN(3)
	x := s.rand.IntN(10)
	switch {
	case s.centre || f == wipeReplica || f == killWriter || f == killLeader || (f == kill || f == freeze || f == restart) && x < 4:
		return target{atCentre, centre, 0}
	case x < 6:
		return target{atStore, store, 0}
	}
	return target{atTill, store, till}
}

// link makes a step at a link.
func (s *script) link(st step) (step, bool) {
	store, till, centre := s.rand.IntN(s.stores), s.rand.IntN(s.tills), s.rand.IntN(3)
	st.dur = s.between(100*time.Millisecond, 20*time.Second)
	switch st.fault {
	case pullLAN, silenceLAN:
		st.target = target{atTill, store, till}
	case pullCentre:
		st.target, st.dur = target{atCentre, centre, 0}, s.between(100*time.Millisecond, 8*time.Second)
		if !s.free(st.target, st.at) {
			return st, false
		}
		st = s.node(st)
	case narrowWAN:
		st.rate = 1000 * (1 + s.rand.IntN(30))
		st.target = target{atStore, store, 0}
	case slowWAN:
		st.delay = s.between(50*time.Millisecond, 800*time.Millisecond).Round(time.Millisecond)
		st.target = target{atStore, store, 0}
	default:
		st.target = target{atStore, store, 0}
	}
	if s.cut[st.target] > st.at {
		return st, false
	}
	s.cut[st.target] = st.at + st.dur + respite
	return st, true
}

// free reports whether nothing happens to a node at a time.
func (s *script) free(t target, at time.Duration) bool {
	if t.tier == atCentre && (s.wipe || at < s.quiet) {
		return false
	}
	return at >= s.busy[t]
}

// node notes that a step happens to a node.
func (s *script) node(st step) step {
	end := st.at + st.dur + respite
	s.busy[st.target] = end
	if st.target.tier == atCentre {
		s.centreEnd = max(s.centreEnd, end)
	}
	return st
}

// imageOf gives an image its number, and lets go of one of the older ones if there are many: any but the
// newest, so that some grow old.
func (s *script) imageOf(st step) step {
	s.image++
	st.image = s.image
	have := s.images[st.target]
	if len(have) == keptImages {
		i := s.rand.IntN(len(have) - 1)
		st.drop = have[i]
		have = append(have[:i:i], have[i+1:]...)
	}
	s.images[st.target] = append(have, st.image)
	return st
}

// between draws a duration, short ones as often as long ones: its logarithm is even.
func (s *script) between(least, most time.Duration) time.Duration {
	x := math.Log(float64(least)) + s.rand.Float64()*(math.Log(float64(most))-math.Log(float64(least)))
	return time.Duration(math.Exp(x))
}
