package pricing

import (
	"cmp"
	"math/bits"
	"slices"
)

// part is some equal pieces of a line, next to each other, and what each of them gets.
type part struct {
	line   int32
	done   bool  // while spreading: it has its share
	at, n  int64 // pieces at..at+n-1 of the line
	weight int64 // of a piece
	room   int64 // most that a piece can get of what is spread
	limit  int64 // most that a piece can get at all: down to its floor
	each   int64
	rest   int64 // of the division; while spreading
}

// spreader spreads amounts. It keeps its scratch paper.
type spreader struct{ rests []rest }

func total(parts []part) (sum int64) {
	for i := range parts {
		sum += parts[i].each * parts[i].n
	}
	return sum
}

func roomOf(parts []part) (sum int64) {
	for i := range parts {
		if parts[i].weight > 0 {
			sum += parts[i].room * parts[i].n
		}
	}
	return sum
}

// spread divides amount over the pieces of parts, which lie in the order of line and piece, by largest
// remainder: each piece gets its share of the amount by its weight, rounded down, and the minor units
// left over go to the largest remainders, ties to the piece that comes first. A share over its piece's
// room is fixed at the room, and the rest is spread again from scratch over the others. The sum is
// exact when amount is at most the room there is. A piece without weight gets nothing. A part whose
// pieces get different amounts becomes two.
func (sp *spreader) spread(amount int64, parts []part) []part {
	var weights int64
	for i := range parts {
		p := &parts[i]
		p.each, p.done = 0, p.weight <= 0
		if !p.done {
			weights += p.weight * p.n
		}
	}
	for over := true; over && amount > 0 && weights > 0; {
		parts = sp.shareOut(amount, weights, parts)
		over = false
		for i := range parts {
			if p := &parts[i]; p.each > p.room && !p.done {
				p.each, p.done, over = p.room, true, true
				amount -= p.room * p.n
				weights -= p.weight * p.n
			}
		}
	}
	return parts
}

// bands is how many bands of equal width remainders are counted in, to find the largest without sorting: about as many
// as a basket has pieces, so that the band in which the spare units run out has one or two.
const (
	bands    = 1 << bandBits
	bandBits = 6
)

// shareOut is one round of spread, over the parts that are not done.
func (sp *spreader) shareOut(amount, weights int64, parts []part) []part {
	spare := amount
	var pieces [bands]int64 // by the band of what the division left of them
	shift := max(bits.Len64(uint64(weights))-bandBits, 0)
	for i := range parts {
		if p := &parts[i]; !p.done {
			p.each, p.rest = muldiv(amount, p.weight, weights)
			spare -= p.each * p.n
			pieces[p.rest>>shift&(bands-1)] += p.n
		}
	}
	if spare == 0 {
		return parts
	}
	lowest := int64(bands - 1) // band in which somebody gets a spare unit
	for ; lowest > 0 && pieces[lowest] <= spare; lowest-- {
		spare -= pieces[lowest]
	}
	rests := sp.rests[:0]
	for i := range parts {
		p := &parts[i]
		switch band := p.rest >> shift; {
		case p.done, band < lowest:
		case band > lowest:
			p.each++
		default:
			rests = append(rests, rest{p.rest, p.n, int32(i)})
		}
	}
	sp.rests = rests
	if spare == 0 {
		return parts
	}
	rests, spare = largest(rests, spare)
	for _, r := range rests {
		parts[r.part].each++
	}
	if last := len(rests) - 1; last >= 0 && spare < rests[last].n { // its first pieces get one more than the others
		i := rests[last].part
		others := parts[i]
		others.at, others.n = others.at+spare, others.n-spare
		others.each--
		parts[i].n = spare
		return slices.Insert(parts, int(i)+1, others)
	}
	return parts
}

// rest is what a division left of each of the n pieces of a part.
type rest struct {
	left int64
	n    int64
	part int32
}

// before says whose turn it is first: the larger rest's, then the first part's.
func (r *rest) before(o *rest) bool {
	return r.left > o.left || r.left == o.left && r.part < o.part
}

// largest gives the parts whose turn comes first, as many as have spare pieces between them, and how many
// pieces of the last of them are needed. It looks for them without sorting all: each round splits what is
// left at a pivot and goes on in the half where the last one must be.
func largest(rests []rest, spare int64) (first []rest, ofLast int64) {
	lo, hi := 0, len(rests)
	for hi-lo > 12 {
		p := middle(&rests[lo], &rests[lo+(hi-lo)/2], &rests[hi-1])
		mid, pieces := lo, int64(0)
		for i := lo; i < hi; i++ {
			if !p.before(&rests[i]) { // the pivot itself, and what comes before it
				rests[mid], rests[i] = rests[i], rests[mid]
				pieces += rests[mid].n
				mid++
			}
		}
		if pieces >= spare {
			if mid == hi {
				break // the pivot is the last of all: rare, and sorting is right too
			}
			hi = mid
		} else {
			spare -= pieces
			lo = mid
		}
	}
	slices.SortFunc(rests[lo:hi], func(a, b rest) int {
		if a.before(&b) {
			return -1
		}
		return 1
	})
	for ; lo < hi; lo++ {
		if spare <= rests[lo].n {
			return rests[:lo+1], spare
		}
		spare -= rests[lo].n
	}
	return rests, 0
}

// middle gives the one of three that lies between the others.
func middle(a, b, c *rest) rest {
	if b.before(a) {
		a, b = b, a
	}
	switch {
	case c.before(a):
		return *a
	case c.before(b):
		return *c
	}
	return *b
}

// reduce takes parts down to amount in all, each in proportion to what it was to get.
func (sp *spreader) reduce(amount int64, parts []part) []part {
	for i := range parts {
		parts[i].weight, parts[i].room = parts[i].each, parts[i].each
	}
	return sp.spread(amount, parts)
}

// spreadLines is spread with a cap on what a line gets. A line over the cap is fixed at it, and the rest
// is spread again over the others.
func (sp *spreader) spreadLines(amount int64, parts []part, capOf lineCap) []part {
	var fixed []part
	for {
		parts = sp.spread(amount, parts)
		var open []part
		over := false
		for from := 0; from < len(parts); {
			to := lineEnd(parts, from)
			if most := capOf(parts[from].line); total(parts[from:to]) > most {
				over = true
				amount -= most
				fixed = append(fixed, sp.spread(most, slices.Clone(parts[from:to]))...)
			} else {
				open = append(open, parts[from:to]...)
			}
			from = to
		}
		if !over {
			break
		}
		parts = open
	}
	parts = append(parts, fixed...)
	slices.SortFunc(parts, func(a, b part) int {
		return cmp.Or(cmp.Compare(a.line, b.line), cmp.Compare(a.at, b.at))
	})
	return parts
}

// lineEnd gives the end of the parts that are of the same line as parts[from].
func lineEnd(parts []part, from int) int {
	to := from + 1
	for to < len(parts) && parts[to].line == parts[from].line {
		to++
	}
	return to
}
