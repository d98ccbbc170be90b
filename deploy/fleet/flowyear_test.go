package fleet_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"tillstream/central/flow"
	"tillstream/deploy/fleet"
	"tillstream/deploy/sales"
	"tillstream/kv"
	"tillstream/kv/progress"
	"tillstream/subjects"
)

// yearCard gives a reward with every third receipt.
var yearCard = strings.NewReplacer(`"revision": 1`, `"revision": 2, "repeatable": true`).Replace(stampCard)

// The whole year, 25,900 receipts and 4,587 rewards, takes a minute or more.
var yearReceipts = flag.Int("year-receipts", 4000, "how many receipts of the year are sold: its first weeks; 25900 is all of it")

// The Online Retail file, sold at tills in the order of its year: one message for every reward that its customers have
// earned, no more, by a count that knows only the file. An attempt goes by the centre's clock, so all is of this week,
// and a reward comes with every third receipt of a customer.
func TestYearOfMessages(t *testing.T) {
	cal, err := progress.NewCalendar("UTC")
	must(t, err)
	if now := time.Now(); cal.AttemptAt(now) != cal.AttemptAt(now.Add(5*time.Minute)) {
		t.Skip("a week ends in the next minutes, and would part what is counted together")
	}
	receipts := retail(t)
	receipts = receipts[:min(len(receipts), *yearReceipts)]
	f := flowing(t, fleet.Config{Stores: 2, Tills: 2})
	must(t, f.PutFlow(within(t, patience), "promotions", []byte(yearCard)))
	sell(t, f, receipts)
	settle(t, f, receipts)

	want, all := rewardsOf(receipts, 3), 0
	for _, n := range want {
		all += n
	}
	if all < 300 {
		t.Fatalf("%d rewards in what is played: the test says too little", all)
	}
	anyone := &patron{t: t, f: f}
	await(t, "a message for every reward", func() error {
		n, err := anyone.keys("wait.>")
		switch {
		case err != nil:
			return err
		case n > all:
			t.Fatalf("%d messages wait, and there are %d rewards", n, all)
		case n < all:
			return fmt.Errorf("%d messages wait, want %d", n, all)
		}
		return nil
	})
	flowIdle(t, f)
	wrong := 0
	for customer, n := range want {
		got, err := anyone.keys(kv.WaitKey(f.Cards().Account(customer), "*"))
		must(t, err)
		if got != n {
			if wrong++; wrong <= 5 {
				t.Errorf("customer %s: %d messages, want %d", customer, got, n)
			}
		}
	}
	if n, err := anyone.keys("wait.>"); err != nil || n != all {
		t.Errorf("%d messages wait at the end, %v; want %d", n, err, all)
	}
	t.Logf("%d receipts, %d customers, %d rewards, as many messages", len(receipts), len(want), all)
}

// rewardsOf counts, without any code of the system under test, what a card of so many stamps gives: a stamp for each sale
// with anything in it that was not taken back at once, up to a hundred rewards. A return that names no sale takes none.
func rewardsOf(receipts []sales.Receipt, stamps int) map[string]int {
	got := map[string]int{}
	for i := range receipts {
		r := &receipts[i]
		sold := false
		for _, l := range r.Lines {
			sold = sold || !strings.HasPrefix(l.Quantity, "-") && l.Quantity != "0"
		}
		if r.Customer != "" && !r.Return && sold {
			got[r.Customer]++
		}
	}
	for customer, n := range got {
		got[customer] = min(n/stamps, 100)
	}
	return got
}

// retail reads the Online Retail file, which stays out of the repository.
func retail(t *testing.T) []sales.Receipt {
	t.Helper()
	receipts, _, err := sales.Open(filepath.Join("..", "..", "..", "shared", "data", "online_retail.csv.gz"), sales.OnlineRetail())
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("the Online Retail file is not beside the repository, in shared/data")
	}
	must(t, err)
	return receipts
}

// flowIdle waits until CPP has read all that is posted, and every stage has worked through what came of it.
func flowIdle(t *testing.T, f *fleet.Fleet) {
	t.Helper()
	node := writer(t, f).Node()
	js, err := jetstream.New(node.Conn())
	must(t, err)
	ctx := within(t, patience)
	attempts, err := kv.Open(ctx, js, kv.Attempts(f.Net().Brand))
	must(t, err)
	posted := node.Replica().Status().Entry
	await(t, "the flow is idle", func() error {
		r, err := attempts.Get(ctx, kv.CursorKey)
		if err != nil {
			return err
		}
		var c flow.Cursor
		must(t, json.Unmarshal(r.Value, &c))
		if c.Entry < posted {
			return fmt.Errorf("CPP is at entry %d of %d", c.Entry, posted)
		}
		for _, s := range subjects.Stages() {
			c, err := js.Consumer(ctx, f.Net().FlowStream(), s.String())
			if err != nil {
				return err
			}
			if i := c.CachedInfo(); i.NumPending > 0 || i.NumAckPending > 0 {
				return fmt.Errorf("stage %s has %d events to come and %d under way", s, i.NumPending, i.NumAckPending)
			}
		}
		return nil
	})
}
