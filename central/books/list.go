package books

// lists are many short lists of words: lots of accounts and holds, coupons of holds, entries of returns. Where a
// list lies is no part of the state: a snapshot has its words.
type lists struct{ nodes }

type nodes = chunks[node, *node]

// node is a part of a list.
type node struct {
	words [nodeWords]uint64
	next  uint32 // zero: no more
	n     uint32 // of words
}

const nodeWords = 6

func (n *node) link() *uint32 { return &n.next }

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
