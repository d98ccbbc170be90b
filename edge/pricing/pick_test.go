package pricing

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// As many sets are formed as can be, whatever the sets share: counted by trying everything.
func TestFitsIsMost(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var picks []pick
		for i := range rapid.IntRange(0, 6).Draw(t, "pieces") {
			picks = append(picks, pick{line: int32(i), n: 1, in: uint32(rapid.IntRange(0, 7).Draw(t, "in"))})
		}
		needs := []int64{rapid.Int64Range(1, 2).Draw(t, "x"), rapid.Int64Range(1, 2).Draw(t, "y"), rapid.Int64Range(1, 2).Draw(t, "z")}
		needs = needs[:rapid.IntRange(1, 3).Draw(t, "sets")]
		if got, want := fits(picks, needs), tryAll(picks, needs, slices.Clone(needs)); got != want {
			t.Fatalf("%v for %v: %d times, want %d", picks, needs, got, want)
		}
	})
}

// tryAll gives the most sets that can be formed when open is still needed for the one under way.
func tryAll(picks []pick, needs, open []int64) int64 {
	next := slices.IndexFunc(open, func(n int64) bool { return n > 0 })
	if next < 0 {
		return 1 + tryAll(picks, needs, slices.Clone(needs))
	}
	most := int64(0)
	for i := range picks {
		if picks[i].in>>next&1 == 0 {
			continue
		}
		rest := slices.Delete(slices.Clone(picks), i, i+1)
		left := slices.Clone(open)
		left[next]--
		most = max(most, tryAll(rest, needs, left))
	}
	return most
}

// Runs are taken as their pieces would be, one by one.
func TestSetsOfRunsAreSetsOfPieces(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		g := get{buy: rapid.Int64Range(1, 3).Draw(t, "buy"), get: rapid.Int64Range(1, 3).Draw(t, "get")}
		var runs, pieces []pick
		for i := range rapid.IntRange(1, 6).Draw(t, "runs") {
			k := pick{line: int32(i), n: rapid.Int64Range(1, 9).Draw(t, "n"), in: uint32(rapid.IntRange(1, 3).Draw(t, "in"))}
			runs = append(runs, k)
			for at := range k.n {
				one := k
				one.at, one.n = at, 1
				pieces = append(pieces, one)
			}
		}
		n := fits(runs, []int64{g.buy, g.get})
		buys, gets := g.perSet(runs, n)
		wantBuys, wantGets := g.perSet(pieces, n)
		if got, want := piecesOf(buys), piecesOf(wantBuys); got != want || piecesOf(gets) != piecesOf(wantGets) {
			t.Fatalf("%d sets: %v and %v, want %v and %v", n, got, piecesOf(gets), want, piecesOf(wantGets))
		}
		if sum := piecesOf(gets); sum[0]+sum[1]+sum[2]+sum[3]+sum[4]+sum[5] != n*g.get {
			t.Fatalf("%d sets have %v rewards", n, sum)
		}
	})
}

// piecesOf counts the pieces of each line.
func piecesOf(parts []part) (sums [6]int64) {
	for _, p := range parts {
		sums[p.line] += p.n
	}
	return sums
}
