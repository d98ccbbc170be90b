package central_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"tillstream/kv/record"
	"tillstream/subjects"
)

// A cursor of a generation that this node has not heard of is an old one, and its store begins anew; but
// not while another node is known to write in a term beyond what is folded here: then this node is the one
// that is old, and would send the store back.
func TestCursorOfAnotherGeneration(t *testing.T) {
	c := open(t, "")
	l := newTill(t, shop(1), "01")
	l.sale("card", 5)
	c.send(shop(1), l.pack())
	foreign := record.Cursor{Generation: record.Generation{9}, Entry: 1}
	if p := c.pull(shop(1), foreign, 0); p.Status != record.FeedReset || p.Cursor.Generation != c.Replica().Status().Generation {
		t.Fatalf("status %d, cursor %+v; want a reset", p.Status, p.Cursor)
	}
	other := subjects.NodeID{Token: subjects.MustToken("c2")}
	beat := record.AppendU64([]byte{1, 1}, c.Replica().Status().Entry+100) // it writes, in this term
	beat = record.AppendU64(beat, uint64(time.Now().UnixMilli()))
	beat = record.AppendBlob(beat, []byte(other.String()))
	c.within("hear of the other node", func(context.Context) error {
		if err := c.Conn().Publish(c.net.Heartbeat(other), beat); err != nil {
			return err
		}
		if !c.Replica().Behind() {
			return fmt.Errorf("not yet")
		}
		return nil
	})
	if p := c.pull(shop(1), foreign, 0); p.Status != record.FeedBehind {
		t.Fatalf("status %d while another node is known to be ahead, want behind", p.Status)
	}
	if p := c.pull(shop(1), record.Cursor{}, 0); p.Status != record.FeedItems || len(p.Items) != 1 {
		t.Fatalf("status %d with %d items for a store that begins", p.Status, len(p.Items))
	}
}
