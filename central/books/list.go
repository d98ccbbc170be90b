package books

// lists are many short lists of words, in nodes that name the next: lots of accounts and holds, coupons of
// holds, entries of returns. There are no pointers in them, and a list that is dropped leaves its nodes to the
// next one. Where a list lies is no part of the state: a snapshot has its words.
type lists struct {
	slabs []*[listSlab]node
	n     uint32
	free  uint32 // the first of a list of nodes; zero: none
}

type node struct {
	words [nodeWords]uint64
	next  uint32 // zero: no more
	n     uint32 // of words
}

const (
	nodeWords = 6
	listSlab  = 1024
)

func (l *lists) at(i uint32) *node { return &l.slabs[(i-1)/listSlab][(i-1)%listSlab] }

// take gives an empty node.
func (l *lists) take() uint32 {
	if i := l.free; i != 0 {
		l.free = l.at(i).next
		*l.at(i) = node{}
		return i
	}
	if l.n%listSlab == 0 {
		l.slabs = append(l.slabs, new([listSlab]node))
	}
	l.n++
	return l.n
}

// drop gives back a list.
func (l *lists) drop(head uint32) {
	for head != 0 {
		n := l.at(head)
		next := n.next
		n.next, l.free = l.free, head
		head = next
	}
}

// read appends a list's words.
func (l *lists) read(dst []uint64, head uint32) []uint64 {
	for head != 0 {
		n := l.at(head)
		dst = append(dst, n.words[:n.n]...)
		head = n.next
	}
	return dst
}

// first gives a list's first word.
func (l *lists) first(head uint32) uint64 { return l.at(head).words[0] }

// write puts words in a list's place, and gives where it begins now: zero if there are none.
func (l *lists) write(head uint32, words []uint64) uint32 {
	first := head
	at := &first
	for len(words) > 0 {
		if *at == 0 {
			*at = l.take()
		}
		n := l.at(*at)
		n.n = uint32(copy(n.words[:], words))
		words = words[n.n:]
		at = &n.next
	}
	rest := *at
	*at = 0
	l.drop(rest)
	return first
}
