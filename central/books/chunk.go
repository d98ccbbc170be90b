package books

// chunks are pieces of many short lists, in slabs: each has a number, from 1, and names the next one of its list by
// that. There are no pointers in them, so growing never moves one and the garbage collector never looks at one; a
// list that is dropped leaves its chunks to the next one.
type chunks[T any, P chunk[T]] struct {
	slabs []*[chunkSlab]T
	n     uint32 // that there are, free ones too
	free  uint32 // the first of those that are free; zero: none
}

// chunk says where a T keeps the number of the next of its list; zero there: no more.
type chunk[T any] interface {
	*T
	link() *uint32
}

const chunkSlab = 1024

func (c *chunks[T, P]) at(i uint32) *T { return &c.slabs[(i-1)/chunkSlab][(i-1)%chunkSlab] }

// take gives an empty chunk.
func (c *chunks[T, P]) take() uint32 {
	if i := c.free; i != 0 {
		x := c.at(i)
		c.free = *P(x).link()
		*x = *new(T)
		return i
	}
	if c.n%chunkSlab == 0 {
		c.slabs = append(c.slabs, new([chunkSlab]T))
	}
	c.n++
	return c.n
}

// drop gives back a chunk and those behind it.
func (c *chunks[T, P]) drop(i uint32) {
	for i != 0 {
		next := P(c.at(i)).link()
		i, *next, c.free = *next, c.free, i
	}
}
