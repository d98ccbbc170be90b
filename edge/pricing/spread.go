package pricing

import (
	"cmp"
	"slices"
)

// part is some equal pieces of a line, next to each other, and what each of them gets.
type part struct {
	line   int32
	at, n  int64 // pieces at..at+n-1 of the line
	weight int64 // of a piece
	room   int64 // most that a piece can get of what is spread
	limit  int64 // most that a piece can get at all: down to its floor
	each   int64
	rest   int64 // of the division; while spreading
	done   bool
}

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
func spread(amount int64, parts []part) []part {
	for i := range parts {
		parts[i].each, parts[i].done = 0, parts[i].weight <= 0
	}
	for amount > 0 {
		var weights int64
		for i := range parts {
			if !parts[i].done {
				weights += parts[i].weight * parts[i].n
			}
		}
		if weights == 0 {
			return parts
		}
		parts = shareOut(amount, weights, parts)
		over := false
		for i := range parts {
			if p := &parts[i]; !p.done && p.each > p.room {
				p.each, p.done, over = p.room, true, true
				amount -= p.room * p.n
			}
		}
		if !over {
			break
		}
	}
	return parts
}

// shareOut is one round of spread, over the parts that are not done.
func shareOut(amount, weights int64, parts []part) []part {
	spare := amount
	open := 0
	for i := range parts {
		if p := &parts[i]; !p.done {
			p.each, p.rest = muldiv(amount, p.weight, weights)
			spare -= p.each * p.n
			open++
		}
	}
	if spare == 0 {
		return parts
	}
	byRest := make([]int32, 0, 64)
	for i := range parts {
		if !parts[i].done {
			byRest = append(byRest, int32(i))
		}
	}
	if open > 1 {
		slices.SortFunc(byRest, func(a, b int32) int {
			if c := cmp.Compare(parts[b].rest, parts[a].rest); c != 0 {
				return c
			}
			return cmp.Compare(a, b)
		})
	}
	for _, i := range byRest {
		p := &parts[i]
		if spare < p.n {
			if spare > 0 { // the first pieces get one more than the others
				others := *p
				others.at, others.n = p.at+spare, p.n-spare
				p.n = spare
				p.each++
				return slices.Insert(parts, int(i)+1, others)
			}
			return parts
		}
		p.each++
		spare -= p.n
	}
	return parts
}

// reduce takes parts down to amount in all, each in proportion to what it was to get.
func reduce(amount int64, parts []part) []part {
	for i := range parts {
		parts[i].weight, parts[i].room = parts[i].each, parts[i].each
	}
	return spread(amount, parts)
}

// spreadLines is spread with a cap on what a line gets. A line over the cap is fixed at it, and the rest
// is spread again over the others.
func spreadLines(amount int64, parts []part, capOf lineCap) []part {
	var fixed []part
	for {
		parts = spread(amount, parts)
		var open []part
		over := false
		for from := 0; from < len(parts); {
			to := lineEnd(parts, from)
			if most := capOf(parts[from].line); total(parts[from:to]) > most {
				over = true
				amount -= most
				fixed = append(fixed, spread(most, slices.Clone(parts[from:to]))...)
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
