package tim

import "slices"

// times is which times of a reward something has happened to: the first, the second... A zero is the first too: a reward
// that can be had once is not numbered.
type times struct {
	Until int64   `json:"until,omitempty"` // all up to here
	Also  []int64 `json:"also,omitempty"`  // and these, ascending: something before them has not come yet
}

// maxAlso bounds the gaps that are kept.
const maxAlso = 32

func (t *times) has(n int64) bool {
	n = max(n, 1)
	return n <= t.Until || slices.Contains(t.Also, n)
}

// top is the last of them, 0 if there is none.
func (t *times) top() int64 {
	if len(t.Also) > 0 {
		return t.Also[len(t.Also)-1]
	}
	return t.Until
}

// add adds one that is not there. It changes no copy of t.
func (t *times) add(n int64) {
	also := append(slices.Clone(t.Also), max(n, 1))
	slices.Sort(also)
	if len(also) > maxAlso { // what is so late is given up
		t.Until = also[0]
		also = also[1:]
	}
	for len(also) > 0 && also[0] == t.Until+1 {
		t.Until++
		also = also[1:]
	}
	if len(also) == 0 {
		also = nil
	}
	t.Also = also
}
