package record_test

import (
	"bytes"
	"errors"
	"reflect"
	"testing"

	"tillstream/kv/record"
)

func TestBasketsTravel(t *testing.T) {
	rid, err := record.ParseRID("0199c1b2-7c40-7d7e-9a52-3f6f0b1c2d3e")
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range []record.BasketQuestion{
		{Verb: record.BasketPut, Ask: [16]byte{1}, RID: rid, Match: `"x"`, POS: "lane-1", Lines: 2000, Training: true, Body: []byte(`{}`)},
		{Verb: record.BasketList, Body: []byte{}},
	} {
		b := q.Append(nil)
		if got, err := record.ReadBasketQuestion(b); err != nil || !reflect.DeepEqual(got, q) {
			t.Errorf("got %+v, %v; want %+v", got, err, q)
		}
		for n := range b {
			if got, err := record.ReadBasketQuestion(b[:n]); !errors.Is(err, record.ErrFormat) {
				t.Errorf("%d of %d bytes are read as %+v, %v", n, len(b), got, err)
			}
		}
	}
	for _, a := range []record.BasketAnswer{
		{State: record.BasketNone, Body: []byte{}},
		{State: record.BasketDone, Body: []byte("x"), Baskets: []record.SuspendedBasket{
			{RID: rid, At: 5, Till: "3", POS: "lane-1", ETag: `"e"`, Lines: 2, Training: true}, {RID: rid}}},
	} {
		b := a.Append(nil)
		if got, err := record.ReadBasketAnswer(b); err != nil || !reflect.DeepEqual(got, a) {
			t.Errorf("got %+v, %v; want %+v", got, err, a)
		}
		for n := range b {
			if got, err := record.ReadBasketAnswer(b[:n]); !errors.Is(err, record.ErrFormat) {
				t.Errorf("%d of %d bytes are read as %+v, %v", n, len(b), got, err)
			}
		}
	}
	for _, q := range []record.BasketQuestion{{}, {Verb: 5}, {Verb: record.BasketPut, Lines: record.MaxLines + 1}, {Verb: record.BasketPut, Body: make([]byte, record.MaxBody+1)}} {
		if _, err := record.ReadBasketQuestion(q.Append(nil)); !errors.Is(err, record.ErrFormat) {
			t.Errorf("%d: %v", q.Verb, err)
		}
	}
}

// FuzzReadBaskets reads what no till and no store sends. What is read is written as it was.
func FuzzReadBaskets(f *testing.F) {
	q := record.BasketQuestion{Verb: record.BasketTake, Match: "x", Body: []byte("{}")}
	a := record.BasketAnswer{State: record.BasketDone, Baskets: []record.SuspendedBasket{{Till: "3"}}}
	f.Add(q.Append(nil))
	f.Add(a.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if q, err := record.ReadBasketQuestion(b); err == nil && !bytes.Equal(q.Append(nil), b) {
			t.Fatalf("read %+v from\n%x", q, b)
		}
		if a, err := record.ReadBasketAnswer(b); err == nil && !bytes.Equal(a.Append(nil), b) {
			t.Fatalf("read %+v from\n%x", a, b)
		}
	})
}
