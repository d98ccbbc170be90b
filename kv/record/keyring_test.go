package record_test

import (
	"bytes"
	"errors"
	"reflect"
	"testing"

	"tillstream/kv/record"
)

func TestRingCopies(t *testing.T) {
	t.Parallel()
	for _, want := range [][]record.RingCopy{{}, {{ID: record.RingID{1}, Sealed: []byte("a")}, {ID: record.RingID{2}, Sealed: []byte("bc")}}} {
		b := record.AppendRingCopies(nil, want)
		got, err := record.ReadRingCopies(b)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, %v", got, err)
		}
		if !bytes.Equal(record.AppendRingCopies(nil, got), b) {
			t.Error("it has another binary form")
		}
		for n := range b {
			if _, err := record.ReadRingCopies(b[:n]); !errors.Is(err, record.ErrFormat) {
				t.Errorf("cut at %d: %v", n, err)
			}
		}
	}
	many := make([]record.RingCopy, record.MaxRingCopies+1)
	large := []record.RingCopy{{Sealed: make([]byte, record.MaxRingCopy+1)}}
	for _, bad := range [][]record.RingCopy{many, large} {
		if _, err := record.ReadRingCopies(record.AppendRingCopies(nil, bad)); !errors.Is(err, record.ErrFormat) {
			t.Errorf("%d copies: %v", len(bad), err)
		}
	}
}
