package cpp

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"tillstream/central/books"
	"tillstream/central/flow"
	"tillstream/central/replica"
	"tillstream/kv"
	"tillstream/kv/record"
	"tillstream/subjects"
	"tillstream/subjects/event"
)

// node is a node of the centre with real books, and a till that sends it receipts.
type node struct {
	*world
	replica *replica.Replica
	books   *books.Books
	store   subjects.StoreID
	recs    []record.Receipt
	sent    int
}

func (w *world) node() *node {
	w.t.Helper()
	n := &node{world: w, books: books.New(), store: subjects.StoreID{Token: subjects.MustToken("0042")}}
	var err error
	n.replica, err = replica.Open(replica.Config{
		Node: subjects.NodeID{Token: subjects.MustToken("c1")}, Net: w.net, Machine: n.books, Dir: w.t.TempDir(),
		Conn: w.conn, Beats: w.conn, Now: w.clock, Log: w.log(),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		if err := n.replica.Close(); err != nil {
			w.t.Error(err)
		}
	})
	w.run(n.replica.Run)
	w.within("a writer", func() error {
		if s := n.replica.Status(); s.Writer != s.Node.String() || s.Entry == 0 {
			return errors.New("nobody writes")
		}
		return nil
	})
	start := record.Start{Store: n.store, Till: subjects.TillID{Token: subjects.MustToken("t1")}}
	n.add(record.Header{Kind: record.KindStart, Chain: record.NewChainID(time.Now())}, string(start.Append(nil)))
	return n
}

// within tries until it works.
func (w *world) within(what string, try func() error) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		err := try()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			w.t.Fatalf("%s: %v", what, err)
		}
	}
}

func (n *node) add(h record.Header, body string) record.RID {
	h.Seq, h.Day, h.At = uint64(len(n.recs)+1), 20261125, n.clock().UnixMilli()
	h.Body, h.BodySize = sha256.Sum256([]byte(body)), uint32(len(body))
	if k := len(n.recs); k > 0 {
		h.Chain, h.Prev, h.RID = n.recs[0].Chain, n.recs[k-1].Hash(), record.NewRID(time.Now())
	}
	n.recs = append(n.recs, record.Receipt{Header: h, Data: []byte(body)})
	return h.RID
}

// post sends what was added since, as one pack.
func (n *node) post() {
	n.t.Helper()
	p := books.Pack{Store: n.store, Runs: [][]record.Receipt{n.recs[n.sent:]}}
	n.sent = len(n.recs)
	if _, _, err := n.replica.Propose(n.t.Context(), p.Proposal()); err != nil {
		n.t.Fatal(err)
	}
}

func (n *node) cpp() *CPP {
	return New(n.base(n.js), Config{Replica: n.replica, Books: n.books, Key: testKey})
}

// expect waits until so many activities of a shopper were said, and gives them.
func (n *node) expect(who record.AccountID, want int) []message {
	n.t.Helper()
	var all []message
	n.within(fmt.Sprintf("%d activities", want), func() error {
		if all, _ = n.said(who); len(all) < want {
			return fmt.Errorf("there are %d", len(all))
		}
		return nil
	})
	if len(all) != want {
		n.t.Fatalf("said %d activities, want %d: %+v", len(all), want, all)
	}
	return all
}

// Receipts of a till, posted by real books, become activities, also those that were posted while CPP was down; a return
// finds its sale in the journal, and one that was posted before its sale is found by that.
func TestPostedReceiptsBecomeActivities(t *testing.T) {
	w := open(t)
	w.promotion(fmt.Sprintf(spendCard, "SPEND", false, 0))
	n := w.node()
	who := shopper(1)
	stop := n.run(n.cpp().Run)
	sale := n.add(record.Header{Kind: record.KindSale, Account: who}, `{"currency":"GBP","lines":[{"line_id":"1","item":"x","quantity":"2","amount":800}]}`)
	n.post()
	first := n.expect(who, 1)[0]
	if a := &first.cpp; a.Store != n.store || a.Till.String() != "t1" || a.RID != sale || a.RewardProgress[0].Progress != 800 || a.RewardProgress[1].Target != 3000 {
		t.Errorf("said %+v", a)
	}
	stop()
	n.add(record.Header{Kind: record.KindReturn, Of: sale}, backBody(1)) // both pieces
	n.add(record.Header{Kind: record.KindSale, Account: who}, `{"currency":"GBP","lines":[{"line_id":"1","item":"x","quantity":"1","amount":1200}]}`)
	n.post()
	stop = n.run(n.cpp().Run)
	all := n.expect(who, 3)
	if got := []string{what(w, &all[1].cpp), what(w, &all[2].cpp)}; got[0] != "IN_PROGRESS at 0/0" || got[1] != "REWARD_AWARDED coffee 1 at 1000/1200" {
		t.Errorf("said %q", got)
	}
	stop()
	// A cursor of another generation: the journal was restored. All is read again, and nothing is counted or said twice.
	bucket, err := kv.Open(t.Context(), w.js, kv.Attempts(w.net.Brand))
	if err != nil {
		t.Fatal(err)
	}
	r, err := bucket.Get(t.Context(), kv.CursorKey)
	if err != nil {
		t.Fatal(err)
	}
	c := flow.Cursor{Generation: record.Generation{7}, Entry: 4711, Line: 1 << 40, Through: w.clock().AddDate(0, 0, -1).UnixMilli()}
	value, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bucket.Put(t.Context(), kv.CursorKey, value, r.Revision); err != nil {
		t.Fatal(err)
	}
	n.run(n.cpp().Run)
	n.run(n.cpp().Run) // and another one at once
	early := record.NewRID(time.Now())
	n.add(record.Header{Kind: record.KindReturn, Of: early}, backBody(0))
	n.add(record.Header{Kind: record.KindSale, Account: who}, `{"currency":"GBP","lines":[{"line_id":"0","item":"x","quantity":"2","amount":100},{"line_id":"1","item":"x","quantity":"1","amount":50}]}`)
	n.recs[len(n.recs)-1].RID = early
	n.post()
	all = n.expect(who, 4)
	if got := what(w, &all[3].cpp); got != "IN_PROGRESS at 1000/1250" {
		t.Errorf("said %q of a sale of which a part had come back", got)
	}
	if all[3].Status != event.InProgress {
		t.Errorf("said %s", all[3].Status)
	}
}

// A node that works again, after another has, does not go by what it remembers of shoppers.
func TestANodeWorksAgainAfterAnother(t *testing.T) {
	w := open(t)
	w.promotion(fmt.Sprintf(spendCard, "SPEND", false, 0))
	n := w.node()
	who := shopper(1)
	one, other := n.cpp(), n.cpp()
	sell := func() record.RID {
		rid := n.add(record.Header{Kind: record.KindSale, Account: who}, `{"currency":"GBP","lines":[{"line_id":"1","item":"x","quantity":"2","amount":300}]}`)
		n.post()
		return rid
	}
	stop := n.run(one.Run)
	sell()
	n.expect(who, 1)
	stop()
	stop = n.run(other.Run)
	rid := sell()
	n.expect(who, 2)
	stop()
	n.run(one.Run)
	n.add(record.Header{Kind: record.KindReturn, Of: rid}, backBody(1))
	n.post()
	if got := what(w, &n.expect(who, 3)[2].cpp); got != "IN_PROGRESS at 300/300" {
		t.Errorf("said %q", got)
	}
}

// When nothing is posted, CPP's cursor still says until when nothing was: a cycle ends in the night from Sunday to Monday.
func TestACycleEndsWithoutAReceipt(t *testing.T) {
	w := open(t)
	w.promotion(fmt.Sprintf(stamps, false))
	n := w.node()
	n.add(record.Header{Kind: record.KindSale, Account: shopper(1)}, cheap)
	n.post()
	c := n.cpp()
	if err := c.load(t.Context()); err != nil {
		t.Fatal(err)
	}
	f := &follower{c: c}
	w.within("all is counted", func() error {
		if c.cursor.Entry < n.replica.Status().Entry {
			if _, err := f.next(t.Context()); err != nil {
				return err
			}
			return errors.New("more")
		}
		return nil
	})
	monday := time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC)
	w.set(monday.Add(slow))
	if err := c.rest(t.Context()); err != nil {
		t.Fatal(err)
	}
	e := w.endings(w.js)[0]
	stop := w.run(e.Run)
	defer stop()
	w.within("the end of week one", func() error {
		if len(w.ends(shopper(1))) != 1 {
			return errors.New("is not told")
		}
		return nil
	})
}
