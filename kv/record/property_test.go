package record_test

import (
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tillstream/kv/record"
	"tillstream/subjects"
)

func array[T any](t *rapid.T, name string, fill func(*T) []byte) (v T) {
	b := fill(&v)
	copy(b, rapid.SliceOfN(rapid.Byte(), len(b), len(b)).Draw(t, name))
	return v
}

func drawChain(t *rapid.T) record.ChainID {
	c := array(t, "chain", func(c *record.ChainID) []byte { return c[:] })
	c[15] |= 1 // never zero
	return c
}

func drawHash(t *rapid.T) record.Hash {
	return array(t, "hash", func(h *record.Hash) []byte { return h[:] })
}

func drawToken(t *rapid.T) subjects.Token {
	return subjects.MustToken(rapid.StringMatching(`[a-z0-9_-]{1,64}`).Draw(t, "token"))
}

func drawStart(t *rapid.T) record.Start {
	return record.Start{
		Store: subjects.StoreID{Token: drawToken(t)}, Till: subjects.TillID{Token: drawToken(t)},
		Found: record.Tip{Chain: drawChain(t), Seq: rapid.Uint64().Draw(t, "seq"), Hash: drawHash(t)},
	}
}

// drawReceipts gives the first records of a chain.
func drawReceipts(t *rapid.T) []record.Receipt {
	s := drawStart(t)
	all := []record.Receipt{{Header: record.Header{Kind: record.KindStart}, Data: s.Append(nil)}}
	for range rapid.IntRange(0, 8).Draw(t, "sales") {
		var more record.Header
		spends, of := rapid.Bool().Draw(t, "spends"), rapid.Bool().Draw(t, "of")
		if spends {
			more.Spent, more.Hold = rapid.Int64Range(0, record.MaxPoints).Draw(t, "spent"), drawRID(t, "hold")
		}
		rid := record.RIDFrom(time.UnixMilli(rapid.Int64Range(0, 4e12).Draw(t, "at")), drawHash(t))
		all = append(all, record.Receipt{
			Header: record.Header{
				Kind:   rapid.SampledFrom([]record.Kind{record.KindSale, record.KindReturn, record.KindVoid}).Draw(t, "kind"),
				Rules:  rapid.Uint32().Draw(t, "rules"),
				Points: rapid.Int64Range(0, record.MaxPoints).Draw(t, "points"),
				RID:    rid, Account: array(t, "account", func(a *record.AccountID) []byte { return a[:] }),
			},
			Data: rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "body"),
		})
		h := &all[len(all)-1].Header
		h.Spent = more.Spent
		switch {
		case h.Kind == record.KindSale:
			h.Hold = more.Hold
		case of:
			h.Of, h.Rearm = drawRID(t, "sale"), rapid.Bool().Draw(t, "rearm")
			h.Rearm = h.Rearm && h.Of != record.RID{}
		}
	}
	link(all, drawChain(t))
	for i := 1; i < len(all); i++ {
		all[i].At, all[i].Day = rapid.Int64().Draw(t, "at"), rapid.Uint32().Draw(t, "day")
		all[i].Prev = all[i-1].Hash()
	}
	return all
}

func same[T any](t *rapid.T, want, got T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("read\n%+v\nwant\n%+v", got, want)
	}
}

func TestRoundTripRun(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := drawReceipts(t)
		from := rapid.IntRange(0, len(all)-1).Draw(t, "from")
		all = all[from:]
		run := record.PackRun(all)
		r := record.Reader{B: run.Append([]byte("before"))[len("before"):]}
		read := record.ReadRun(&r)
		same(t, run, read, r.End())
		got, err := read.Receipts(true)
		if err != nil {
			t.Fatal(err)
		}
		for i := range got {
			if string(got[i].Data) != string(all[i].Data) || got[i].Header != all[i].Header {
				t.Fatalf("record %d: read\n%+v\nwant\n%+v", i, got[i], all[i])
			}
		}
		if len(got) != len(all) {
			t.Fatalf("read %d records, want %d", len(got), len(all))
		}
	})
}

func TestRoundTripPack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var want record.Pack
		for range rapid.IntRange(0, 3).Draw(t, "runs") {
			want.Runs = append(want.Runs, record.PackRun(drawReceipts(t)))
		}
		for range rapid.IntRange(0, 3).Draw(t, "questions") {
			want.Ask = append(want.Ask, drawChain(t))
		}
		got, err := record.ReadPack(want.Append(nil))
		same(t, want, got, err)
	})
}

func TestRoundTripStart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawStart(t)
		got, err := record.ReadStart(want.Append(nil))
		same(t, want, got, err)
	})
}

func TestRoundTripMarks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := make([]record.Mark, rapid.IntRange(0, 5).Draw(t, "marks"))
		for i := range want {
			want[i] = record.Mark{
				Chain:  drawChain(t),
				Status: record.Status(rapid.IntRange(int(record.StatusHeld), int(record.StatusUnknown)).Draw(t, "status")),
				Held:   rapid.Uint64().Draw(t, "held"), Posted: rapid.Uint64().Draw(t, "posted"), Hash: drawHash(t),
			}
		}
		got, err := record.ReadMarks(record.AppendMarks(nil, want))
		same(t, want, got, err)
	})
}

func TestRoundTripFeed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cursor := record.Cursor{
			Generation: array(t, "generation", func(g *record.Generation) []byte { return g[:] }),
			Entry:      rapid.Uint64().Draw(t, "entry"),
		}
		pull := record.Pull{Cursor: cursor, Limit: rapid.Uint32().Draw(t, "limit")}
		gotPull, err := record.ReadPull(pull.Append(nil))
		same(t, pull, gotPull, err)

		page := record.Page{
			Status: record.FeedStatus(rapid.IntRange(1, 3).Draw(t, "status")), Cursor: cursor,
			More:    rapid.Bool().Draw(t, "more"),
			Items:   make([]record.Item, rapid.IntRange(0, 4).Draw(t, "items")),
			Counted: make([]record.Counted, rapid.IntRange(0, 4).Draw(t, "counted")),
		}
		for i := range page.Items {
			shopper := record.Shopper{
				Balance: rapid.Int64().Draw(t, "balance"), Debt: rapid.Int64().Draw(t, "debt"),
				Pending: rapid.Int64().Draw(t, "pending"), AsOf: rapid.Int64().Draw(t, "as of"),
			}
			gotShopper, err := record.ReadShopper(shopper.Append(nil))
			same(t, shopper, gotShopper, err)
			page.Items[i] = record.Item{
				Kind: record.ItemKind(rapid.Byte().Draw(t, "kind")),
				Key:  rapid.SliceOf(rapid.Byte()).Draw(t, "key"), Value: shopper.Append(nil),
			}
		}
		for i := range page.Counted {
			page.Counted[i] = record.Counted{Chain: drawChain(t), Counted: rapid.Uint64().Draw(t, "counted"), Posted: rapid.Uint64().Draw(t, "posted")}
		}
		gotPage, err := record.ReadPage(page.Append(nil))
		same(t, page, gotPage, err)
	})
}

func TestIDsSurviveTheirText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rid := record.RIDFrom(time.UnixMilli(rapid.Int64Range(0, 1<<47).Draw(t, "at")), drawHash(t))
		got, err := record.ParseRID(rid.String())
		same(t, rid, got, err)
		a := array(t, "account", func(a *record.AccountID) []byte { return a[:] })
		gotAccount, err := record.ParseAccountID(a.String())
		same(t, a, gotAccount, err)
	})
	for _, bad := range []string{"", "x", "012ca112-e980-4102-8304-050607080900", "012ca112-e980-7102-c304-050607080900",
		"012ca112e980710283040506070809000000", "012ca112-e980-7102-8304-05060708090g"} {
		if got, err := record.ParseRID(bad); err == nil {
			t.Errorf("ParseRID(%q) = %s", bad, got)
		}
	}
}

// A receipt imported again must have the rid it had, and another receipt another one.
func TestRIDFrom(t *testing.T) {
	a, b := record.RIDFrom(at, record.Hash{1}), record.RIDFrom(at, record.Hash{2})
	if a == b {
		t.Error("two receipts of one moment have one rid")
	}
	if again := record.RIDFrom(at, record.Hash{1}); again != a {
		t.Errorf("got %s, then %s", a, again)
	}
	if x, y := record.NewRID(at), record.NewRID(at); x == y {
		t.Error("drew the same rid twice")
	}
	if got := record.NewRID(at).Time(); got.UnixMilli() != at.UnixMilli() {
		t.Errorf("a rid of %v says %v", at, got)
	}
	early := record.RIDFrom(time.UnixMilli(-1), record.Hash{1})
	if _, err := record.ParseRID(early.String()); err != nil {
		t.Errorf("a sale before 1970: %v", err)
	}
}

func TestRoundTripShopper(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := record.Shopper{
			Balance: rapid.Int64().Draw(t, "balance"), Debt: rapid.Int64().Draw(t, "debt"),
			Pending: rapid.Int64().Draw(t, "pending"), AsOf: rapid.Int64().Draw(t, "as of"),
			Held: rapid.Int64Range(0, record.MaxPoints).Draw(t, "held"),
		}
		for i := range rapid.IntRange(0, record.MaxExpires).Draw(t, "lots") {
			want.Expires[i] = record.Lot{Points: rapid.Int64Range(1, record.MaxPoints).Draw(t, "points"), At: rapid.Int64().Draw(t, "at")}
		}
		got, err := record.ReadShopper(want.Append(nil))
		same(t, want, got, err)
	})
}

func TestRoundTripSaleAnswer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := record.SaleAnswer{More: rapid.Bool().Draw(t, "more")}
		if rapid.Bool().Draw(t, "known") {
			want.Records = drawReceipts(t)
		}
		b := want.Append(nil)
		got, err := record.ReadSaleAnswer(b)
		same(t, want, got, err)
		if n := len(want.Records); n > 0 && want.Records[n-1].BodySize > 0 {
			b[len(b)-1] ^= 1
			if _, err := record.ReadSaleAnswer(b); err == nil {
				t.Fatal("a body that is not the header's was taken")
			}
		}
	})
}

// What is spent falls due at once where it is shown, whether the centre has taken it out yet or not.
func TestAvailable(t *testing.T) {
	s := record.Shopper{Balance: 100, Expires: [record.MaxExpires]record.Lot{{Points: 30, At: 10}, {Points: 20, At: 20}}}
	for _, c := range []struct{ at, want int64 }{{9, 100}, {10, 70}, {19, 70}, {20, 50}} {
		if got := s.Available(c.at); got != c.want {
			t.Errorf("at %d: %d, want %d", c.at, got, c.want)
		}
	}
}
