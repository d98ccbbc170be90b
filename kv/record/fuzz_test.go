package record_test

import (
	"bytes"
	"reflect"
	"testing"

	"tillstream/kv/record"
)

// fuzz holds a codec to two rules: no input makes it panic, and what it reads is written as it was.
func fuzz(f *testing.F, name string, again func(v any) []byte) {
	for _, c := range codecs() {
		if c.name != name {
			continue
		}
		b := c.append()
		f.Add(b)
		f.Add(b[:len(b)/2])
		f.Fuzz(func(t *testing.T, b []byte) {
			v, err := c.read(b)
			if err != nil {
				return
			}
			if got := again(v); !bytes.Equal(got, b) {
				t.Fatalf("read %+v from\n%x\nwritten as\n%x", v, b, got)
			}
		})
	}
}

func FuzzReadHeader(f *testing.F) {
	fuzz(f, "header.v1", func(v any) []byte { h := v.(record.Header); return h.Append(nil) })
}

func FuzzReadStart(f *testing.F) {
	fuzz(f, "start.v1", func(v any) []byte { s := v.(record.Start); return s.Append(nil) })
}

func FuzzReadPack(f *testing.F) {
	fuzz(f, "pack.v1", func(v any) []byte { p := v.(record.Pack); return p.Append(nil) })
}

func FuzzReadMarks(f *testing.F) {
	fuzz(f, "marks.v1", func(v any) []byte { return record.AppendMarks(nil, v.([]record.Mark)) })
}

func FuzzReadPage(f *testing.F) {
	fuzz(f, "page.v1", func(v any) []byte { p := v.(record.Page); return p.Append(nil) })
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

func FuzzReadPageOfStore(f *testing.F) {
	fuzz(f, "page.v3", func(v any) []byte { p := v.(record.Page); return p.Append(nil) })
}

func FuzzReadPageWithReferences(f *testing.F) {
	fuzz(f, "page.v2", func(v any) []byte { p := v.(record.Page); return p.Append(nil) })
}

func FuzzReadProduct(f *testing.F) {
	fuzz(f, "product.v1", func(v any) []byte { p := v.(record.Product); return p.Append(nil) })
}

func FuzzReadReferenceHead(f *testing.F) {
	fuzz(f, "referencehead.v1", func(v any) []byte { h := v.(record.ReferenceHead); return h.Append(nil) })
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
