package scrub

import (
	"fmt"
	"time"

	"tillstream/central/fold"
	"tillstream/kv/record"
)

// Verdict is what a pass found.
type Verdict struct {
	Node     string    `json:"node"`
	First    uint64    `json:"first_message"`
	Last     uint64    `json:"last_message"`
	Read     uint64    `json:"messages_read"`
	Bytes    uint64    `json:"bytes_read"`
	Entry    uint64    `json:"last_entry"`
	Hash     string    `json:"last_hash"`
	Began    time.Time `json:"began"`
	Ended    time.Time `json:"ended"`
	Damages  []Damage  `json:"damages"`
	Unlisted int       `json:"damages_unlisted"` // beyond the first maxDamages
	Files    string    `json:"files,omitempty"`  // what is wrong with what the node makes of the journal
}

// Clean reports whether nothing is wrong with the copy. Files are no part of it: the node makes them again
// from the journal by itself.
func (v *Verdict) Clean() bool { return len(v.Damages) == 0 }

// Damage is a range of messages that are not what they should be.
type Damage struct {
	From       uint64 `json:"from_message"`
	To         uint64 `json:"to_message"`
	FirstEntry uint64 `json:"first_entry"` // of the entries that are lost in it
	LastEntry  uint64 `json:"last_entry"`  // below the first: it cannot be told, or none
	What       string `json:"what"`
}

func (d Damage) String() string {
	s := fmt.Sprintf("message %d", d.From)
	if d.To > d.From {
		s = fmt.Sprintf("messages %d to %d", d.From, d.To)
	}
	switch {
	case d.LastEntry > d.FirstEntry:
		s += fmt.Sprintf(" (entries %d to %d)", d.FirstEntry, d.LastEntry)
	case d.LastEntry == d.FirstEntry && d.FirstEntry > 0:
		s += fmt.Sprintf(" (entry %d)", d.FirstEntry)
	}
	return s + ": " + d.What
}

// maxDamages bounds the list of a verdict: who has so many knows enough.
const maxDamages = 100

// chain follows the entries of a copy.
type chain struct {
	v      *Verdict
	folded tip // an entry that this node has folded
	next   uint64
	last   *fold.Entry // the last entry that could be read; nil: none yet
	told   uint64      // bytes that the meter knows of
	torn   bool        // something between last and the next message is lost
}

// tip is an entry by number and hash.
type tip struct {
	number uint64
	hash   record.Hash
}

func (c *chain) damage(d Damage) {
	if len(c.v.Damages) == maxDamages {
		c.v.Unlisted++
		return
	}
	c.v.Damages = append(c.v.Damages, d)
}

// take takes the message at a sequence, not below next.
func (c *chain) take(seq uint64, data []byte) {
	c.v.Read++
	c.v.Bytes += uint64(len(data))
	e, err := fold.Decode(data)
	c.lost(seq, e)
	c.next = seq + 1
	if err != nil {
		c.damage(Damage{From: seq, To: seq, What: err.Error()})
		c.torn = true
		return
	}
	if what := c.wrong(e); what != "" {
		c.damage(Damage{From: seq, To: seq, FirstEntry: e.Number, LastEntry: e.Number, What: what})
	}
	c.last, c.torn = e, false
}

// lost notes what is missing before a message.
func (c *chain) lost(seq uint64, e *fold.Entry) {
	if seq == c.next {
		return
	}
	d := Damage{From: c.next, To: seq - 1, What: "cannot be read"}
	if e != nil {
		d.FirstEntry, d.LastEntry = c.number()+1, e.Number-1
	}
	c.damage(d)
	c.torn = true
}

func (c *chain) number() uint64 {
	if c.last == nil {
		return 0
	}
	return c.last.Number
}

// wrong says what is wrong with an entry after the last one. An entry may be stored twice: its writer
// heard no acknowledgement and sent the same bytes again.
func (c *chain) wrong(e *fold.Entry) string {
	l := c.last
	switch {
	case e.Number == c.folded.number && e.Hash() != c.folded.hash:
		return "is another entry than this node has folded"
	case l == nil:
		if e.Number == 1 && e.Prev == (record.Hash{}) || c.torn {
			return ""
		}
		return "the journal begins with it, and entries before it are missing"
	case e.Generation != l.Generation:
		return "is of another journal"
	case e.Number == l.Number && e.Hash() == l.Hash():
		return ""
	case c.torn:
		if e.Number <= l.Number {
			return fmt.Sprintf("comes after entry %d", l.Number)
		}
		return ""
	case e.Number != l.Number+1:
		return fmt.Sprintf("comes after entry %d", l.Number)
	case e.Prev != l.Hash():
		return fmt.Sprintf("does not follow entry %d: its hash is not that of its bytes there", l.Number)
	}
	return ""
}

// end notes what is missing before the end of the copy.
func (c *chain) end(last uint64) {
	if c.next <= last {
		c.damage(Damage{From: c.next, To: last, FirstEntry: c.number() + 1, What: "cannot be read"})
	}
	if n := c.number(); n < c.folded.number {
		c.damage(Damage{
			From: last + 1, To: last + 1, FirstEntry: n + 1, LastEntry: c.folded.number,
			What: "the copy ends before what this node has folded",
		})
	}
	c.v.Entry = c.number()
	if c.last != nil {
		c.v.Hash = c.last.Hash().String()
	}
}
