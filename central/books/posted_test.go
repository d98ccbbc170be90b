package books

import (
	"slices"
	"testing"

	"tillstream/central/fold"
	"tillstream/kv/record"
)

// History tells of each record that was posted, once, in order, and where its body lies; of starts, of records that came
// again and of what holds and lots do it tells nothing here. A record that a command shares its entry with is found too.
func TestHistoryTellsWhatWasPosted(t *testing.T) {
	l := newLedger(t)
	c, d := newChain(1, "0001", "t1", record.Tip{}), newChain(2, "0002", "t1", record.Tip{})
	c.sale(1, 1, 10)
	c.sale(2, 0, 0)
	c.add(record.Header{Kind: record.KindReturn, RID: rid(3), Of: rid(7), Day: 20101201, At: firstDay}, []byte("waits"))
	d.sale(1, 1, 99) // a repeat, with another body's points
	d.sale(7, 2, 5)
	d.add(record.Header{Kind: record.KindVoid, RID: rid(8), Of: rid(1), Day: 20101201, At: firstDay}, []byte("void"))
	entries := [][]fold.Proposal{
		{pack("0001", c.run(1, 2))},
		{pack("0002", d.run(1, 3)), HoldProposal(storeID("0001"), &record.HoldQuestion{Verb: record.HoldRelease, ID: rid(50)}), pack("0001", c.run(2, 4))},
		{pack("0001", c.run(2, 4))},
		{pack("0002", d.run(4, 4))},
	}
	for _, e := range entries {
		l.entry(e...)
	}
	byEntry := map[uint64][]Posted{}
	err := l.history.Lines(func(_ uint64, payload []byte) error {
		p, ok, err := ReadPosted(payload)
		if ok {
			byEntry[p.Entry] = append(byEntry[p.Entry], p)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []int
	for i, ps := range entries {
		e, err := fold.Decode((&fold.Entry{Number: uint64(i + 1), Term: 1, At: firstDay, Proposals: ps}).Encode())
		if err != nil {
			t.Fatal(err)
		}
		taken, err := Bodies(e, byEntry[e.Number])
		if err != nil {
			t.Fatal(err)
		}
		for k, r := range taken {
			if !r.CheckBody() || r.RID != byEntry[e.Number][k].RID {
				t.Errorf("entry %d: record %d is %+v", e.Number, k, r)
			}
			if want := map[bool]string{true: "0001", false: "0002"}[r.Chain == c.id]; r.Store != storeID(want) {
				t.Errorf("record %s is of store %s, want %s", r.RID, r.Store, want)
			}
			for n := range 10 {
				if rid(n) == r.RID {
					got = append(got, n)
				}
			}
		}
	}
	if want := []int{1, 7, 2, 3, 8}; !slices.Equal(got, want) {
		t.Errorf("posted %v, want %v", got, want)
	}
	e, err := fold.Decode((&fold.Entry{Number: 1, Term: 1, At: firstDay, Proposals: entries[0]}).Encode())
	if err == nil {
		_, err = Bodies(e, []Posted{{Entry: 1, Seq: 9, RID: rid(9)}})
	}
	if err == nil {
		t.Error("a record that the entry does not have is found")
	}
}
