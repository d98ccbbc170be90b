package edge

import (
	"time"

	"tillstream/edge/api"
	"tillstream/kv/record"
)

// silentAfter is how long the centre may have said nothing before nobody asks it about a hold: a line that
// swallows what it is given looks up, and each question would keep a shopper waiting.
const silentAfter = 5 * time.Second

// above tells a store's tills how it hears the centre.
func (n *Node) above() record.Above {
	a := record.Above{Linked: n.Linked(), Age: record.NeverHeard}
	if last := n.LastAnswer(); !last.IsZero() {
		a.Age = uint64(max(time.Since(last).Milliseconds(), 0))
	}
	return a
}

// hearAbove notes at a till what its store says.
func (n *Node) hearAbove(a record.Above) {
	c := &api.Centre{Linked: a.Linked}
	if a.Age <= uint64(maxAge.Milliseconds()) {
		c.Heard = time.Now().Add(-time.Duration(a.Age) * time.Millisecond)
	}
	n.heard.Store(c)
}

// maxAge is beyond every real age of an answer; what is older was never heard.
const maxAge = 10 * 365 * 24 * time.Hour

// centre says how this node hears the centre: a store by itself, a till as far as its store has told it. The age
// grows on while the till does not hear its store.
func (n *Node) centre() api.Centre {
	c := api.Centre{Linked: n.Linked()}
	if !n.cfg.isTill() {
		c.Heard = n.LastAnswer()
	} else if said := n.heard.Load(); said != nil {
		c.Heard, c.Linked = said.Heard, c.Linked && said.Linked
	}
	if !c.Heard.IsZero() && time.Since(c.Heard) > silentAfter {
		c.Linked = false
	}
	return c
}
