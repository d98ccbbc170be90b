package record_test

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"tillstream/kv/record"
)

// fuzz holds a codec, in all its versions, to two rules: no input makes it panic, and what it reads is written as
// it was.
func fuzz(f *testing.F, name string, again func(v any) []byte) {
	var read func([]byte) (any, error)
	for _, c := range codecs() {
		if !strings.HasPrefix(c.name, name+".") {
			continue
		}
		b := c.append()
		f.Add(b)
		f.Add(b[:len(b)/2])
		read = c.read
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := read(b)
		if err != nil {
			return
		}
		if got := again(v); !bytes.Equal(got, b) {
			t.Fatalf("read %+v from\n%x\nwritten as\n%x", v, b, got)
		}
	})
}

func FuzzReadHeader(f *testing.F) {
	fuzz(f, "header", func(v any) []byte { h := v.(record.Header); return h.Append(nil) })
}

func FuzzReadStart(f *testing.F) {
	fuzz(f, "start", func(v any) []byte { s := v.(record.Start); return s.Append(nil) })
}

func FuzzReadPack(f *testing.F) {
	fuzz(f, "pack", func(v any) []byte { p := v.(record.Pack); return p.Append(nil) })
}

func FuzzReadMarks(f *testing.F) {
	fuzz(f, "marks", func(v any) []byte { return record.AppendMarks(nil, v.([]record.Mark)) })
}

func FuzzReadPage(f *testing.F) {
	fuzz(f, "page", func(v any) []byte { p := v.(record.Page); return p.Append(nil) })
}

// FuzzRunReceipts unpacks what a hostile till might send. What is accepted can be packed and unpacked
// again, and is one chain.
func FuzzRunReceipts(f *testing.F) {
	run := sampleRun()
	f.Add(run.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := record.Reader{B: b}
		run := record.ReadRun(&r)
		if r.End() != nil {
			return
		}
		got, err := run.Receipts(true)
		if err != nil {
			return
		}
		if got[0].Seq != run.First || got[len(got)-1].Seq != run.Last {
			t.Fatalf("run of %d to %d has records %d to %d", run.First, run.Last, got[0].Seq, got[len(got)-1].Seq)
		}
		packed := record.PackRun(got)
		again, err := packed.Receipts(true)
		if err != nil || !reflect.DeepEqual(again, got) {
			t.Fatalf("read %+v, then %+v, error %v", got, again, err)
		}
	})
}

func FuzzReadPull(f *testing.F) {
	fuzz(f, "pull", func(v any) []byte { p := v.(record.Pull); return p.Append(nil) })
}

func FuzzReadShopper(f *testing.F) {
	fuzz(f, "shopper", func(v any) []byte { s := v.(record.Shopper); return s.Append(nil) })
}

func FuzzReadHoldQuestion(f *testing.F) {
	fuzz(f, "holdquestion", func(v any) []byte { q := v.(record.HoldQuestion); return q.Append(nil) })
}

func FuzzReadHoldAnswer(f *testing.F) {
	fuzz(f, "holdanswer", func(v any) []byte { a := v.(record.HoldAnswer); return a.Append(nil) })
}

func FuzzReadSaleAnswer(f *testing.F) {
	fuzz(f, "saleanswer", func(v any) []byte { a := v.(record.SaleAnswer); return a.Append(nil) })
}

func FuzzReadPresence(f *testing.F) {
	fuzz(f, "presence.v1", func(v any) []byte { p := v.(record.Presence); return p.Append(nil) })
}

func FuzzReadScreen(f *testing.F) {
	fuzz(f, "screen.v1", func(v any) []byte { s := v.(record.Screen); return s.Append(nil) })
}

func FuzzReadProduct(f *testing.F) {
	fuzz(f, "product", func(v any) []byte { p := v.(record.Product); return p.Append(nil) })
}

func FuzzReadReferenceHead(f *testing.F) {
	fuzz(f, "referencehead", func(v any) []byte { h := v.(record.ReferenceHead); return h.Append(nil) })
}

// FuzzUnpackReferences unpacks what no part is. What is accepted can be packed and unpacked again.
func FuzzUnpackReferences(f *testing.F) {
	f.Add(record.PackReferences([]record.Reference{{Kind: record.RefItem, Key: "1", Entry: 7, Value: []byte("v")}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := record.UnpackReferences(b)
		if err != nil {
			return
		}
		again, err := record.UnpackReferences(record.PackReferences(got))
		if err != nil || !reflect.DeepEqual(again, got) {
			t.Fatalf("read %+v, then %+v, error %v", got, again, err)
		}
	})
}
