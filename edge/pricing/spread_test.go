package pricing

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// Spreading against the plain rule, piece by piece: sort all remainders.
func TestSpreadIsLargestRemainder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var parts []part
		var weights, rooms, got []int64
		for i := range rapid.IntRange(1, 40).Draw(t, "parts") {
			p := part{line: int32(i), n: rapid.Int64Range(1, 4).Draw(t, "n"), weight: rapid.Int64Range(0, 50).Draw(t, "weight")}
			p.room = p.weight
			if rapid.Bool().Draw(t, "floor") {
				p.room = rapid.Int64Range(0, p.weight).Draw(t, "room")
			}
			parts = append(parts, p)
			for range p.n {
				weights, rooms = append(weights, p.weight), append(rooms, p.room)
			}
		}
		amount := rapid.Int64Range(0, roomOf(parts)).Draw(t, "amount")
		want := spreadPieces(amount, weights, rooms)
		for _, p := range new(spreader).spread(amount, parts) {
			for range p.n {
				got = append(got, p.each)
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%d over %v, room %v: got %v, want %v", amount, weights, rooms, got, want)
		}
	})
}

func spreadPieces(amount int64, weights, rooms []int64) []int64 {
	out := make([]int64, len(weights))
	open := []int{}
	for i, w := range weights {
		if w > 0 {
			open = append(open, i)
		}
	}
	for len(open) > 0 {
		sum, spare := int64(0), amount
		for _, i := range open {
			sum += weights[i]
		}
		for _, i := range open {
			out[i] = amount * weights[i] / sum
			spare -= out[i]
		}
		byRest := slices.Clone(open)
		slices.SortStableFunc(byRest, func(a, b int) int { return int(amount*weights[b]%sum - amount*weights[a]%sum) })
		for _, i := range byRest[:spare] {
			out[i]++
		}
		over := false
		open = slices.DeleteFunc(open, func(i int) bool {
			if out[i] <= rooms[i] {
				return false
			}
			out[i], over = rooms[i], true
			amount -= rooms[i]
			return true
		})
		if !over {
			break
		}
	}
	return out
}

func TestMuldiv(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.Int64Range(0, 1<<40).Draw(t, "a"), rapid.Int64Range(0, 1<<40).Draw(t, "b")
		c := rapid.Int64Range(max(a/1000, 1), 1<<41).Draw(t, "c")
		q, r := muldiv(a, b, c)
		// q*c + r = a*b, compared in halves that fit.
		if r < 0 || r >= c || a%65537*(b%65537)%65537 != (q%65537*(c%65537)+r)%65537 {
			t.Fatalf("%d*%d/%d: %d rest %d", a, b, c, q, r)
		}
	})
	if q, _ := muldiv(MaxMoney*1000, MaxMoney, 1); q != 1<<63-1 {
		t.Errorf("what does not fit is %d", q)
	}
}
