package pricing

import (
	"cmp"
	"slices"

	"tillstream/kv/promotion"
)

// Set mechanics pick pieces: some as triggers, some as rewards. A piece is picked once, whatever it is
// picked for, so that no two of them give on the same piece.

// pick is pieces of one run that can be picked, and which of the mechanic's sets hold them.
type pick struct {
	line  int32
	at, n int64
	shelf int64
	now   int64
	room  int64
	in    uint32 // bit i: the mechanic's set i
	used  int64  // pieces taken so far, from the first on
}

// left is how many pieces are not taken yet.
func (k *pick) left() int64 { return k.n - k.used }

// takeOut takes n pieces out of a pick, as a part.
func (k *pick) takeOut(n int64) part {
	p := part{line: k.line, at: k.at + k.used, n: n, weight: k.now, room: k.room, limit: k.room}
	k.used += n
	return p
}

// picks gives what can be picked for sets, in the order of lines.
func (s *state) picks(sets []int32) []pick {
	picks := s.picked[:0]
	s.pickAt = slices.Grow(s.pickAt[:0], len(s.lines))[:len(s.lines)]
	clear(s.pickAt)
	for i, set := range sets {
		if first := slices.Index(sets, set); first < i {
			for j := range picks {
				picks[j].in |= picks[j].in >> first & 1 << i
			}
			continue
		}
		for _, n := range s.linesOf(set) {
			picks = s.pickLine(n, 1<<i, picks)
		}
	}
	s.picked = picks
	return picks
}

func (s *state) pickLine(n int32, in uint32, picks []pick) []pick {
	l := &s.lines[n]
	if !l.open() {
		return picks
	}
	if i := int(s.pickAt[n]) - 1; i >= 0 {
		for ; i < len(picks) && picks[i].line == n; i++ { // none when all its pieces were claimed
			picks[i].in |= in
		}
		return picks
	}
	at := int64(0)
	s.pickAt[n] = int32(len(picks)) + 1
	for i := range l.runs {
		if r := &l.runs[i]; r.claim == 0 && s.free(r) {
			picks = append(picks, pick{line: n, at: at, n: r.n, shelf: r.shelf, now: r.now, room: r.room(), in: in})
		}
		at += l.runs[i].n
	}
	return picks
}

// sortPicks puts the dearest pieces first, or the cheapest: by shelf price, because that is what the
// shopper sees, then by line and piece.
func sortPicks(picks []pick, choose promotion.Choice) {
	slices.SortFunc(picks, func(a, b pick) int {
		price := cmp.Compare(b.shelf, a.shelf)
		if choose == promotion.Cheapest {
			price = -price
		}
		return cmp.Or(price, cmp.Compare(a.line, b.line), cmp.Compare(a.at, b.at))
	})
}

// count gives the pieces that any of the sets holds.
func count(picks []pick, in uint32) (n int64) {
	for i := range picks {
		if picks[i].in&in != 0 {
			n += picks[i].left()
		}
	}
	return n
}

// fits gives how many times over the needs can be met, each piece used for one of them: for every choice
// of sets, the pieces that any of them holds must do for the needs of all of them.
func fits(picks []pick, needs []int64) int64 {
	most := int64(-1)
	for in := uint32(1); in < 1<<len(needs); in++ {
		need := int64(0)
		for i := range needs {
			if in>>i&1 == 1 {
				need += needs[i]
			}
		}
		if need == 0 {
			continue
		}
		if n := count(picks, in) / need; most < 0 || n < most {
			most = n
		}
	}
	return max(most, 0)
}

// inOrder sorts parts by line and piece.
func inOrder(parts []part) {
	slices.SortFunc(parts, func(a, b part) int { return cmp.Or(cmp.Compare(a.line, b.line), cmp.Compare(a.at, b.at)) })
}
