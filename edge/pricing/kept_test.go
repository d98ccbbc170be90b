package pricing

import (
	"slices"
	"testing"
)

// Returns that were kept without the sale at hand name what it has not, and more than it had: what is left of
// it can be told all the same.
func TestBoundedReturns(t *testing.T) {
	q := &Quote{Lines: []QuoteLine{{LineID: "1", Quantity: "4", Pieces: true}, {LineID: "2", Quantity: "0.412"}}}
	for _, c := range []struct{ was, want, left []Return }{
		{nil, nil, []Return{{"1", "4"}, {"2", "0.412"}}},
		{[]Return{{"1", "1"}, {"2", "0.1"}, {"1", "2"}}, []Return{{"1", "3"}, {"2", "0.1"}}, []Return{{"1", "1"}, {"2", "0.312"}}},
		{[]Return{{"9", "1"}, {"1", "x"}, {"1", "-1"}, {"1", "0"}, {"2", ""}}, nil, []Return{{"1", "4"}, {"2", "0.412"}}},
		{[]Return{{"1", "3"}, {"1", "3"}, {"2", "1000000000"}}, []Return{{"1", "4"}, {"2", "0.412"}}, nil},
		{[]Return{{"1", "2.5"}}, []Return{{"1", "2"}}, []Return{{"1", "2"}, {"2", "0.412"}}},
	} {
		got := q.Bounded(c.was)
		if !slices.Equal(got, c.want) {
			t.Errorf("%v: got %v, want %v", c.was, got, c.want)
		}
		if left, err := q.Left(got); err != nil || !slices.Equal(left, c.left) {
			t.Errorf("%v: left %v, %v, want %v", c.was, left, err, c.left)
		}
	}
}
