package record_test

import (
	"crypto/sha256"
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/klauspost/compress/s2"

	"tillstream/kv/record"
)

// A record that is cut short anywhere, or has something behind it, is refused and not half read.
func TestCutShortAndTrailing(t *testing.T) {
	for _, c := range codecs() {
		t.Run(c.name, func(t *testing.T) {
			b := c.append()
			for n := range b {
				if v, err := c.read(b[:n:n]); !errors.Is(err, record.ErrFormat) {
					t.Fatalf("first %d of %d bytes: read %+v, error %v", n, len(b), v, err)
				}
			}
			if v, err := c.read(append(b[:len(b):len(b)], 0)); !errors.Is(err, record.ErrFormat) {
				t.Fatalf("one byte more: read %+v, error %v", v, err)
			}
		})
	}
}

func TestUnknownVersion(t *testing.T) {
	for _, c := range codecs() {
		switch c.name {
		case "start.v1", "cursor.v1", "run.v1":
			continue // part of a record that has a version
		}
		for _, v := range []byte{0, 2, 3, 4, 255} {
			if v == c.append()[0] || strings.HasPrefix(c.name, "pull.v") && c.name != "pull.v1" && (v == 2 || v == 3) {
				continue // the same; or another that asks for more, in as many bytes
			}
			b := c.append()
			b[0] = v
			if got, err := c.read(b); !errors.Is(err, record.ErrFormat) {
				t.Errorf("%s of version %d: read %+v, error %v", c.name, v, got, err)
			}
		}
	}
}

func TestMalformedHeader(t *testing.T) {
	sale, first := chain()[1].Header, chain()[0].Header
	for name, spoil := range map[string]func(h *record.Header){
		"seq 0":               func(h *record.Header) { h.Seq = 0 },
		"sale at seq 1":       func(h *record.Header) { h.Seq = 1 },
		"start not at seq 1":  func(h *record.Header) { *h = first; h.Seq = 2 },
		"start with a rid":    func(h *record.Header) { *h = first; h.RID = sale.RID },
		"start with points":   func(h *record.Header) { *h = first; h.Points = 1 },
		"start of an account": func(h *record.Header) { *h = first; h.Account = account },
		"start with a prev":   func(h *record.Header) { *h = first; h.Prev = record.Hash{1} },
		"sale without a rid":  func(h *record.Header) { h.RID = record.RID{} },
		"kind 0":              func(h *record.Header) { h.Kind = 0 },
		"kind 5":              func(h *record.Header) { h.Kind = 5 },
		"negative points":     func(h *record.Header) { h.Points = -1 },
		"too many points":     func(h *record.Header) { h.Points = record.MaxPoints + 1 },
		"body too large":      func(h *record.Header) { h.BodySize = record.MaxBody + 1 },
		"negative spent":      func(h *record.Header) { h.Spent = -1 },
		"too much spent":      func(h *record.Header) { h.Spent = record.MaxPoints + 1 },
		"sale of a sale":      func(h *record.Header) { h.Of = sale.RID },
		"sale that rearms":    func(h *record.Header) { h.Rearm = true },
		"return with a hold":  func(h *record.Header) { h.Kind, h.Hold = record.KindReturn, sale.RID },
		"rearms of no sale":   func(h *record.Header) { h.Kind, h.Rearm = record.KindReturn, true },
		"start that spends":   func(h *record.Header) { *h = first; h.Spent = 1 },
		"no chain":            func(h *record.Header) { h.Chain = record.ChainID{} },
	} {
		h := sale
		spoil(&h)
		r := record.Reader{B: h.Append(nil)}
		if got := record.ReadHeader(&r); !errors.Is(r.Err, record.ErrFormat) {
			t.Errorf("%s: read %+v, error %v", name, got, r.Err)
		}
	}
	for _, pad := range []int{2, 3} {
		b := sale.Append(nil)
		b[pad] = 1
		r := record.Reader{B: b}
		if record.ReadHeader(&r); !errors.Is(r.Err, record.ErrFormat) {
			t.Errorf("byte %d is not zero: error %v", pad, r.Err)
		}
	}
}

func TestMalformedRun(t *testing.T) {
	packed := func(spoil func([]record.Receipt) []record.Receipt) record.Run {
		all := spoil(chain())
		run := record.PackRun(all)
		run.Chain, run.First = chainA, 1
		return run
	}
	for _, c := range []struct {
		name, want string
		run        record.Run
	}{
		{"a record is missing", "want seq 3, got 4", packed(func(all []record.Receipt) []record.Receipt {
			return append(all[:2:2], all[3])
		})},
		{"starts later than it says", "want seq 1, got 2", packed(func(all []record.Receipt) []record.Receipt {
			return all[1:]
		})},
		{"another prev", "does not follow", packed(func(all []record.Receipt) []record.Receipt {
			all[2].Prev[0]++
			return all
		})},
		{"a header changed", "does not follow", packed(func(all []record.Receipt) []record.Receipt {
			all[1].Points++
			return all
		})},
		{"another body", "body does not match its hash", packed(func(all []record.Receipt) []record.Receipt {
			all[3].Data = []byte(strings.Repeat("x", len(all[3].Data)))
			return all
		})},
		{"another chain", "of chain", packed(func(all []record.Receipt) []record.Receipt {
			link(all, chainB)
			return all
		})},
		{"a record that is none", "at seq 2", packed(func(all []record.Receipt) []record.Receipt {
			all[1].Seq = 0
			return all
		})},
		{"fewer than it says", "want last seq 9", func() record.Run { r := sampleRun(); r.Last = 9; return r }()},
		{"last before first", "want last seq 0", func() record.Run { r := sampleRun(); r.Last = 0; return r }()},
		{"no records", "want last seq", record.Run{Chain: chainA, First: 1, Last: 1, Packed: s2.Encode(nil, nil)}},
		{"not S2", "", record.Run{Chain: chainA, First: 1, Last: 1, Packed: []byte{0xff, 0xff}}},
		{"nothing", "bad size", record.Run{Chain: chainA, First: 1, Last: 1}},
		{"raw lies", "bad size", func() record.Run { r := sampleRun(); r.Raw++; return r }()},
	} {
		got, err := c.run.Receipts(true)
		if !errors.Is(err, record.ErrFormat) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %d records, error %v, want %q", c.name, len(got), err, c.want)
		}
	}
}

// Above the store nobody looks at bodies again.
func TestBodiesAreCheckedOnlyWhenAsked(t *testing.T) {
	all := chain()
	all[3].Data = []byte(strings.Repeat("x", len(all[3].Data)))
	run := record.PackRun(all)
	if got, err := run.Receipts(false); err != nil || len(got) != len(all) {
		t.Errorf("got %d records, error %v", len(got), err)
	}
	if all[3].CheckBody() || !all[2].CheckBody() {
		t.Error("CheckBody does not tell a body that was changed")
	}
}

// The greatest run that a journal makes: one byte short of full, and then the greatest receipt.
func TestGreatestRun(t *testing.T) {
	all := chain()[:1]
	raw := record.HeaderSize + len(all[0].Data)
	for raw < record.MaxRun {
		size := min(record.MaxRun-raw, record.MaxBody)
		if size <= record.HeaderSize {
			break
		}
		all = append(all, sized(size-record.HeaderSize-1))
		raw += size - 1
	}
	all = append(all, sized(record.MaxBody))
	link(all, chainA)
	run := record.PackRun(all)
	if got, err := run.Receipts(true); err != nil || len(got) != len(all) {
		t.Fatalf("got %d records, error %v", len(got), err)
	}
	pack := record.Pack{Runs: []record.Run{run}}
	if _, err := record.ReadPack(pack.Append(nil)); err != nil {
		t.Fatal(err)
	}
}

func sized(body int) record.Receipt {
	rid := record.RIDFrom(at, record.Hash(sha256.Sum256([]byte{byte(body)})))
	return record.Receipt{Header: record.Header{Kind: record.KindSale, RID: rid}, Data: make([]byte, body)}
}

// A short message must not make its reader allocate a long slice.
func TestBombs(t *testing.T) {
	zeros := s2.Encode(nil, make([]byte, 64<<20)) // 64 MiB in some bytes
	run := record.Run{Chain: chainA, First: 1, Last: 1, Raw: 1 << 26, Packed: zeros}
	small := record.Run{Chain: chainA, First: 1, Last: 1, Raw: record.MaxRun, Packed: s2.Encode(nil, make([]byte, record.MaxRun))}
	many := record.Pack{Runs: make([]record.Run, 100)}
	for i := range many.Runs {
		many.Runs[i] = small
	}
	for name, read := range map[string]func() error{
		"run that unpacks to 64 MiB": func() error { _, err := run.Receipts(true); return err },
		"run that claims many records": func() error {
			r := sampleRun()
			r.Last = 1 << 62
			_, err := r.Receipts(true)
			return err
		},
		"pack of many small runs": func() error { _, err := record.ReadPack(many.Append(nil)); return err },
		"pack that claims runs": func() error {
			_, err := record.ReadPack([]byte{1, 0xff, 0xff, 0xff, 0xff, 0x7f})
			return err
		},
		"marks that claim marks": func() error {
			_, err := record.ReadMarks([]byte{1, 0xff, 0xff, 0xff, 0xff, 0x7f})
			return err
		},
		"page that claims items": func() error {
			b := (&record.Page{Status: record.FeedItems}).Append(nil)
			_, err := record.ReadPage(append(b[:len(b)-2], 0xff, 0xff, 0xff, 0xff, 0x7f))
			return err
		},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := read()
		runtime.ReadMemStats(&after)
		if !errors.Is(err, record.ErrFormat) {
			t.Errorf("%s: error %v", name, err)
		}
		if got := after.TotalAlloc - before.TotalAlloc; got > 8<<20 {
			t.Errorf("%s: %d bytes allocated", name, got)
		}
	}
}

// A byte that a reader would take for another loses its meaning at the next hop.
func TestOneFormOnly(t *testing.T) {
	page := (&record.Page{Status: record.FeedItems, More: true}).Append(nil)
	marks := record.AppendMarks(nil, []record.Mark{{Chain: chainA, Status: record.StatusHeld}})
	for name, read := range map[string]func() error{
		"a flag of 2":        func() error { page[2] = 2; _, err := record.ReadPage(page); return err },
		"page of status 0":   func() error { page[1], page[2] = 0, 1; _, err := record.ReadPage(page); return err },
		"page of status 4":   func() error { page[1] = 4; _, err := record.ReadPage(page); return err },
		"mark of status 0":   func() error { marks[2+16] = 0; _, err := record.ReadMarks(marks); return err },
		"mark of status 6":   func() error { marks[2+16] = 6; _, err := record.ReadMarks(marks); return err },
		"a count in 2 bytes": func() error { _, err := record.ReadMarks([]byte{1, 0x80, 0x00}); return err },
	} {
		if err := read(); !errors.Is(err, record.ErrFormat) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestStartOfNoStore(t *testing.T) {
	for _, id := range []string{"", "*", "a.b"} {
		b := record.AppendBlob(record.AppendBlob(nil, []byte(id)), []byte("t1"))
		if _, err := record.ReadStart(append(b, make([]byte, 16+8+32)...)); !errors.Is(err, record.ErrFormat) {
			t.Errorf("store %q: error %v", id, err)
		}
		b = record.AppendBlob(record.AppendBlob(nil, []byte("0042")), []byte(id))
		if _, err := record.ReadStart(append(b, make([]byte, 16+8+32)...)); !errors.Is(err, record.ErrFormat) {
			t.Errorf("till %q: error %v", id, err)
		}
	}
}
