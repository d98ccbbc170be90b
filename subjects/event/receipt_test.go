package event_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tillstream/kv/record"
	"tillstream/subjects"
	"tillstream/subjects/event"
)

var update = flag.Bool("update", false, "write the golden files that are missing; never one that is there")

var (
	net = subjects.Net{
		DC: subjects.MustToken("eu1"), Env: subjects.MustToken("prod"),
		Brand: subjects.BrandID{Token: subjects.MustToken("acme")},
	}
	store = subjects.StoreID{Token: subjects.MustToken("0042")}
	till  = subjects.TillID{Token: subjects.MustToken("t1")}
)

func sample() event.ReceiptPosted {
	return event.ReceiptPosted{
		RID:   record.RIDFrom(time.UnixMilli(1291192560000), record.Hash{1, 2, 3, 4, 5, 6, 7, 8, 9}),
		Store: store, Till: till, Kind: record.KindSale,
		Account: record.AccountID{0xa1, 0xb2, 15: 0xff},
		Points:  139, Entry: 4711, Sequence: 25900,
		PostedAt: time.Date(2010, 12, 1, 8, 26, 0, 123_000_000, time.UTC),
		Body:     []byte(`{"lines":[{"item":"85123A","quantity":6,"unit_price":255}]}`),
	}
}

// text is a message as it would be read off the wire: sorted headers, an empty line, the data.
func text(header map[string][]string, data []byte) []byte {
	var b bytes.Buffer
	for _, k := range slices.Sorted(maps.Keys(header)) {
		fmt.Fprintf(&b, "%s: %s\n", k, strings.Join(header[k], ", "))
	}
	fmt.Fprintf(&b, "\n%s\n", data)
	return b.Bytes()
}

func untext(t *testing.T, b []byte) (map[string][]string, []byte) {
	t.Helper()
	head, data, ok := bytes.Cut(b, []byte("\n\n"))
	if !ok {
		t.Fatal("golden file has no empty line")
	}
	header := map[string][]string{}
	for line := range strings.Lines(string(head) + "\n") {
		k, v, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		header[k] = append(header[k], v)
	}
	return header, bytes.TrimSuffix(data, []byte("\n"))
}

func equal(t interface {
	Helper()
	Errorf(string, ...any)
}, got, want event.ReceiptPosted) {
	t.Helper()
	if !got.PostedAt.Equal(want.PostedAt) || !bytes.Equal(got.Body, want.Body) {
		t.Errorf("got time %s and body %q, want %s and %q", got.PostedAt, got.Body, want.PostedAt, want.Body)
	}
	got.PostedAt, want.PostedAt, got.Body, want.Body = time.Time{}, time.Time{}, nil, nil
	if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// Consumers outside keep programs against these bytes: they may gain lines, never lose or change one.
func TestReceiptPostedGolden(t *testing.T) {
	anonymous := sample()
	anonymous.Account, anonymous.Kind, anonymous.Points = record.AccountID{}, record.KindReturn, 0
	for name, want := range map[string]event.ReceiptPosted{
		"receipt_posted.v1.txt":           sample(),
		"receipt_posted_anonymous.v1.txt": anonymous,
	} {
		t.Run(name, func(t *testing.T) {
			file := "testdata/" + name
			now := text(want.Encode(net))
			kept, err := os.ReadFile(file)
			if errors.Is(err, os.ErrNotExist) && *update {
				kept, err = now, os.WriteFile(file, now, 0o644)
			}
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(now, kept) {
				t.Errorf("encoded as\n%s\nwant\n%s", now, kept)
			}
			got, err := event.Decode(untext(t, kept))
			if err != nil {
				t.Fatal(err)
			}
			equal(t, got, want)
		})
	}
}

func receipts() *rapid.Generator[event.ReceiptPosted] {
	token := rapid.StringMatching(`[a-z0-9_-]{1,64}`)
	return rapid.Custom(func(t *rapid.T) event.ReceiptPosted {
		var seed record.Hash
		copy(seed[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "seed"))
		var account record.AccountID
		copy(account[:], rapid.SliceOfN(rapid.Byte(), 0, 16).Draw(t, "account"))
		at := rapid.Int64Range(0, 4e12).Draw(t, "at")
		return event.ReceiptPosted{
			RID:      record.RIDFrom(time.UnixMilli(at), seed),
			Store:    subjects.StoreID{Token: subjects.MustToken(token.Draw(t, "store"))},
			Till:     subjects.TillID{Token: subjects.MustToken(token.Draw(t, "till"))},
			Kind:     rapid.SampledFrom([]record.Kind{record.KindSale, record.KindReturn, record.KindVoid}).Draw(t, "kind"),
			Account:  account,
			Points:   rapid.Int64Range(0, record.MaxPoints).Draw(t, "points"),
			Entry:    rapid.Uint64Min(1).Draw(t, "entry"),
			Sequence: rapid.Uint64Min(1).Draw(t, "sequence"),
			PostedAt: time.Unix(0, rapid.Int64Min(0).Draw(t, "posted")),
			Body:     rapid.SliceOf(rapid.Byte()).Draw(t, "body"),
		}
	})
}

func TestReceiptPostedRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := receipts().Draw(t, "receipt")
		header, data := want.Encode(net)
		got, err := event.Decode(header, data)
		if err != nil {
			t.Fatalf("%v\n%s", err, text(header, data))
		}
		equal(t, got, want)

		// What a stage does that passes an event on: nothing may change on the way.
		e, err := event.FromHeaders(header, data)
		if err != nil {
			t.Fatal(err)
		}
		header2, data2, err := event.ToHeaders(e)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := text(header2, data2), text(header, data); !bytes.Equal(got, want) {
			t.Fatalf("passed on as\n%s\nwant\n%s", got, want)
		}
	})
}

// The sequence extension says that its values sort as text.
func TestSequenceSortsAsText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := sample(), sample()
		a.Sequence, b.Sequence = rapid.Uint64Min(1).Draw(t, "a"), rapid.Uint64Min(1).Draw(t, "b")
		ha, _ := a.Encode(net)
		hb, _ := b.Encode(net)
		if got, want := ha["ce-sequence"][0] < hb["ce-sequence"][0], a.Sequence < b.Sequence; got != want {
			t.Fatalf("%q < %q is %t, want %t", ha["ce-sequence"][0], hb["ce-sequence"][0], got, want)
		}
	})
}

func TestSameReceiptSameID(t *testing.T) {
	a, b := sample(), sample()
	b.PostedAt = b.PostedAt.Add(time.Hour) // a node that sends it again need not remember when it did
	ha, _ := a.Encode(net)
	hb, _ := b.Encode(net)
	if got, want := hb["ce-id"][0], ha["ce-id"][0]; got != want {
		t.Errorf("sent again as %q, want %q", got, want)
	}
}

func TestDecodeRefuses(t *testing.T) {
	const gone = "\x00"
	for _, c := range []struct{ header, value, want string }{
		{"ce-specversion", gone, "header ce-specversion is missing"},
		{"ce-specversion", "0.3", `header ce-specversion is "0.3", want "1.0"`},
		{"ce-id", gone, "header ce-id is missing"},
		{"ce-id", "x", `header ce-id: got "x"`},
		{"ce-source", gone, "header ce-source is missing"},
		{"ce-source", "/eu1/other/books", "header ce-source: got"},
		{"ce-source", "%25zz", "header ce-source"},
		{"ce-type", gone, "header ce-type is missing"},
		{"ce-type", "tillstream.receipt.posted.v2", `header ce-type: got "tillstream.receipt.posted.v2"`},
		{"ce-subject", gone, "header ce-subject: rid"},
		{"ce-subject", "0190a5c8-0000-4000-8000-000000000000", "want a UUID of version 7"},
		{"ce-time", gone, "header ce-time is missing"},
		{"ce-time", "yesterday", `header ce-time: "yesterday" is not an RFC 3339 time`},
		{"ce-datacontenttype", gone, "header ce-datacontenttype"},
		{"ce-datacontenttype", "text/plain", "header ce-datacontenttype: got"},
		{"ce-brand", gone, "header ce-brand is missing"},
		{"ce-brand", "a.b", "header ce-brand"},
		{"ce-dc", gone, "header ce-dc is missing"},
		{"ce-store", gone, "header ce-store is missing"},
		{"ce-store", "*", "header ce-store"},
		{"ce-till", ">", "header ce-till"},
		{"ce-kind", gone, "header ce-kind is missing"},
		{"ce-kind", "start", "header ce-kind: want sale, return or void"},
		{"ce-account", "17850", "header ce-account"},
		{"ce-account", strings.Repeat("0", 32), "header ce-account: want no account"},
		{"ce-points", gone, "header ce-points is missing"},
		{"ce-points", "-1", `header ce-points: got "-1", want a number of 0 to 1000000000000`},
		{"ce-points", "1000000000001", "header ce-points"},
		{"ce-points", "1.5", "header ce-points"},
		{"ce-entry", "0", "header ce-entry"},
		{"ce-sequence", "0", "header ce-sequence"},
		{"ce-sequence", "18446744073709551616", "header ce-sequence"},
		{"ce-store", "%4", "not percent-encoded UTF-8"},
		{"ce-store", "%ff", "not percent-encoded UTF-8"},
		{"ce-a_b", "x", "header ce-a_b"},
		{"CE-ID", "x", "header ce-id: want one value"},
	} {
		t.Run(c.header+"="+c.value, func(t *testing.T) {
			want := sample()
			header, data := want.Encode(net)
			if c.value == gone {
				delete(header, c.header)
			} else {
				header[c.header] = []string{c.value}
			}
			_, err := event.Decode(header, data)
			if !errors.Is(err, event.ErrEvent) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got error %v, want %q", err, c.want)
			}
		})
	}
	want := sample()
	header, _ := want.Encode(net)
	if _, err := event.Decode(header, make([]byte, record.MaxBody+1)); !errors.Is(err, event.ErrEvent) {
		t.Errorf("body too large: got error %v", err)
	}
	header["ce-id"] = append(header["ce-id"], "another")
	if _, err := event.Decode(header, nil); !errors.Is(err, event.ErrEvent) {
		t.Errorf("two ids: got error %v", err)
	}
}

// A consumer must go on when the server or a newer producer adds what it does not know.
func TestDecodeLeavesAloneWhatItDoesNotKnow(t *testing.T) {
	want := sample()
	header, data := want.Encode(net)
	header["Nats-Msg-Id"] = []string{"a", "b"}
	header["ce-"] = []string{"x"}
	header["ce-later"] = []string{"x"}
	header["ce-"+event.TraceParent] = []string{"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
	header["Ce-Store"] = header["ce-store"] // as a client writes it that capitalises headers
	delete(header, "ce-store")
	got, err := event.Decode(header, data)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, got, want)
}

func BenchmarkReceiptPostedEncode(b *testing.B) {
	r := sample()
	b.ReportAllocs()
	for b.Loop() {
		r.Encode(net)
	}
}

func FuzzDecode(f *testing.F) {
	want := sample()
	f.Add(text(want.Encode(net)))
	f.Add([]byte("ce-id: %\n\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		head, data, _ := bytes.Cut(b, []byte("\n\n"))
		header := map[string][]string{}
		for line := range strings.Lines(string(head)) {
			k, v, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
			header[k] = append(header[k], v)
		}
		if e, err := event.FromHeaders(header, data); err == nil {
			again, data, err := event.ToHeaders(e)
			if err != nil {
				t.Fatalf("accepted %q, then: %v", header, err)
			}
			if _, err := event.FromHeaders(again, data); err != nil {
				t.Fatalf("wrote %q, then: %v", again, err)
			}
		}
		got, err := event.Decode(header, data)
		if err != nil {
			return
		}
		again, err := event.Decode(got.Encode(net))
		if err != nil {
			t.Fatalf("accepted %+v, then: %v", got, err)
		}
		equal(t, again, got)
	})
}
