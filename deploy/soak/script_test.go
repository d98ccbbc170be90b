package soak

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

func scriptText(steps []step) []string {
	var out []string
	for _, s := range steps {
		out = append(out, fmt.Sprintf("%s %s %+v", s.at, s, s))
	}
	return out
}

// A seed is all that is needed to play a soak again.
func TestSameSeedSameScript(t *testing.T) {
	t.Parallel()
	one, again := newScript(7, 10*time.Minute, 3, 2, false), newScript(7, 10*time.Minute, 3, 2, false)
	if !slices.Equal(scriptText(one), scriptText(again)) {
		t.Error("two scripts of one seed differ")
	}
	if slices.Equal(scriptText(one), scriptText(newScript(8, 10*time.Minute, 3, 2, false))) {
		t.Error("the scripts of two seeds are the same")
	}
	// A longer soak begins as a shorter one of the same seed.
	short := newScript(7, time.Minute, 3, 2, false)
	if !slices.Equal(scriptText(short), scriptText(one[:len(short)])) {
		t.Error("a shorter script is not the beginning of the longer one")
	}
}

// Every fault comes up, one every one to three seconds.
func TestScriptHasEveryFault(t *testing.T) {
	t.Parallel()
	seen := map[fault]int{}
	steps := newScript(1, time.Hour, 3, 2, false)
	for i, s := range steps {
		seen[s.fault]++
		if gap := s.at - steps[max(i, 1)-1].at; gap < 0 || gap > 10*time.Second {
			t.Errorf("step %d comes %s after the one before it", s.number, gap)
		}
	}
	for _, w := range everywhere() {
		if seen[w.fault] < 3 {
			t.Errorf("%q comes up %d times in an hour", w.fault, seen[w.fault])
		}
	}
	if n := len(steps); n < 1500 || n > 2000 {
		t.Errorf("%d steps in an hour, want one every two seconds", n)
	}
}

// The two minutes that CI plays have each fault, whatever the seed.
func TestTwoMinutesHaveEveryFault(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		seen := map[fault]bool{}
		for _, s := range newScript(seed, 2*time.Minute, 3, 2, false) {
			seen[s.fault] = true
		}
		for _, w := range everywhere() {
			if !seen[w.fault] {
				t.Errorf("seed %d: %q does not come up", seed, w.fault)
			}
		}
	}
}

// Where only the centre has to suffer, nothing is done to stores and tills, and every kind comes up.
func TestScriptOfTakeOvers(t *testing.T) {
	t.Parallel()
	seen := map[fault]int{}
	for _, s := range newScript(1, time.Hour, 3, 2, true) {
		seen[s.fault]++
		if s.target.tier != atCentre {
			t.Errorf("%s at %s", s, s.at)
		}
	}
	for _, w := range takeOvers() {
		if seen[w.fault] < 20 {
			t.Errorf("%q comes up %d times in an hour", w.fault, seen[w.fault])
		}
	}
}

// What a script asks for can be done: an image that is put back is one of that node, taken and not let go
// of; a node is in one step at a time.
func TestScriptCanBePlayed(t *testing.T) {
	t.Parallel()
	for seed := range uint64(50) {
		images := map[int]target{}
		until := map[target]time.Duration{}
		for _, s := range newScript(seed, 20*time.Minute, 2, 3, false) {
			switch s.fault {
			case takeImage:
				delete(images, s.drop)
				images[s.image] = s.target
			case restoreImage:
				if images[s.image] != s.target {
					t.Errorf("seed %d: %s: the image is of %v", seed, s, images[s.image])
				}
			}
			if s.fault == pullWAN || s.fault == resetWAN || s.fault == silenceWAN || s.fault == deafenWAN || s.fault == slowWAN || s.fault == stallWAN || s.fault == narrowWAN ||
				s.fault == pullLAN || s.fault == silenceLAN || s.fault == killCentre || s.fault == killBoth {
				continue
			}
			if s.at < until[s.target] {
				t.Errorf("seed %d: %s comes while another step has the node", seed, s)
			}
			until[s.target] = s.at + s.dur
		}
	}
}

// A node of the centre loses its part of the journal only when the other two have been left alone, and are
// left alone until it has it again.
func TestStreamIsWipedInQuiet(t *testing.T) {
	t.Parallel()
	wiped := 0
	for seed := range uint64(50) {
		steps := newScript(seed, 20*time.Minute, 3, 2, false)
		for i, w := range steps {
			if w.fault != wipeStream {
				continue
			}
			wiped++
			for k, s := range steps {
				if k != i && s.target.tier == atCentre && s.at+s.dur > w.at-quietBefore && s.at < w.at+w.dur+quietAfter {
					t.Errorf("seed %d: %s at %s, and %s at %s", seed, w, w.at, s, s.at)
				}
			}
		}
	}
	if wiped < 20 {
		t.Errorf("%d wipes in 50 scripts", wiped)
	}
}
