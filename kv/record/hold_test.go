package record_test

import (
	"errors"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"tillstream/kv/record"
)

func drawRID(t *rapid.T, name string) (r record.RID) {
	copy(r[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, name))
	return r
}

func TestHoldRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := record.HoldQuestion{
			Verb: record.HoldVerb(rapid.IntRange(1, 3).Draw(t, "verb")), ID: drawRID(t, "id"), RID: drawRID(t, "rid"),
			Account: record.AccountID(drawRID(t, "account")), Points: rapid.Int64Range(0, record.MaxPoints).Draw(t, "points"),
			From: record.Tip{Chain: record.ChainID(drawRID(t, "chain")), Seq: rapid.Uint64().Draw(t, "seq")},
		}
		for range rapid.IntRange(0, record.MaxHeldCoupons).Draw(t, "coupons") {
			q.Coupons = append(q.Coupons, record.CouponID(drawRID(t, "coupon")))
		}
		b := q.Append(nil)
		got, err := record.ReadHoldQuestion(b)
		if err != nil || !reflect.DeepEqual(got, q) {
			t.Fatalf("got %+v, error %v, want %+v", got, err, q)
		}
		a := record.HoldAnswer{
			State: record.HoldState(rapid.IntRange(0, 8).Draw(t, "state")), Again: rapid.Bool().Draw(t, "again"),
			Points: rapid.Int64().Draw(t, "held"), Coupons: rapid.Byte().Draw(t, "n"), RID: drawRID(t, "of"), Expires: rapid.Int64().Draw(t, "until"),
		}
		said, err := record.ReadHoldAnswer(a.Append(nil))
		if err != nil || said != a {
			t.Fatalf("got %+v, error %v, want %+v", said, err, a)
		}
		for n := range b {
			if _, err := record.ReadHoldQuestion(b[:n]); !errors.Is(err, record.ErrFormat) {
				t.Fatalf("cut to %d bytes: error %v", n, err)
			}
		}
	})
}

func TestMalformedHolds(t *testing.T) {
	good := (&record.HoldQuestion{Verb: record.HoldPlace, Points: 1}).Append(nil)
	for name, spoil := range map[string]func(b []byte) []byte{
		"another version":  func(b []byte) []byte { b[0] = 2; return b },
		"no verb":          func(b []byte) []byte { b[1] = 0; return b },
		"an unknown verb":  func(b []byte) []byte { b[1] = 4; return b },
		"negative points":  func(b []byte) []byte { b[50] = 0xff; return b },
		"too many coupons": func(b []byte) []byte { b[len(b)-25] = record.MaxHeldCoupons + 1; return b },
		"more behind it":   func(b []byte) []byte { return append(b, 0) },
		"nothing":          func([]byte) []byte { return nil },
	} {
		if q, err := record.ReadHoldQuestion(spoil(append([]byte(nil), good...))); !errors.Is(err, record.ErrFormat) {
			t.Errorf("%s: got %+v, error %v", name, q, err)
		}
	}
	said := (&record.HoldAnswer{State: record.HoldTooMany}).Append(nil)
	said[1]++
	if a, err := record.ReadHoldAnswer(said); !errors.Is(err, record.ErrFormat) {
		t.Errorf("an unknown state: got %+v, error %v", a, err)
	}
}
