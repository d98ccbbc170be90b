package kv_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tillstream/kv"
	"tillstream/kv/record"
	"tillstream/subjects"
)

var (
	promo, _   = record.ParsePromoCode("p-1")
	attempt, _ = record.ParseAttemptID("a-1")
)

var brand = subjects.BrandID{Token: subjects.MustToken("acme")}

func TestCatalogueIsPrintedFromTheCode(t *testing.T) {
	want, err := os.ReadFile("CATALOGUE.md")
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	if err := kv.WriteCatalogue(&got); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Error("CATALOGUE.md is not what the code prints: make generate")
	}
}

// A key that the catalogue does not know is one that nobody finds.
func TestEveryKeyIsInTheCatalogue(t *testing.T) {
	var known []string
	for _, b := range slices.Concat(kv.Buckets(brand), kv.FlowBuckets(brand)) {
		if !strings.HasSuffix(b.Name, "_"+brand.String()) || b.Lost == "" || b.RolledBack == "" || b.ByHand == "" {
			t.Errorf("bucket %+v: want the brand in its name, and what it is worth", b)
		}
		for _, k := range b.Keys {
			known = append(known, k.Pattern)
		}
	}
	// Keys with ids of several types: those of the sample are replaced by their names.
	of := record.Attempt{Account: record.AccountID{1}, Promo: promo, Attempt: attempt}
	named := strings.NewReplacer(of.Account.String(), "{account}", "p-1", "{promo}", "a-1", "{attempt}", "0042", "{store}", "t1", "{till}")
	for _, key := range []string{
		kv.PromoKey(promo), kv.ProgressKey(of.Account, promo), kv.CycleKey("{component}", promo, attempt), kv.CursorKey, kv.AttemptKey(of),
		kv.TemplateKey("{tag}", "{language}"), kv.PresenceKey(of.Account, subjects.StoreID{Token: subjects.MustToken("0042")}, subjects.TillID{Token: subjects.MustToken("t1")}),
		kv.ClaimKey("{id}"), kv.WaitKey(of.Account, "{id}"), kv.TombstoneKey(of),
	} {
		if key = named.Replace(key); !slices.Contains(known, key) {
			t.Errorf("key %s is in no bucket of the catalogue", key)
		}
	}
	for _, key := range []string{kv.ReferenceHead, kv.ReferencePart("{id}"), kv.KeyRing("{store}", "{id}")} {
		if !slices.Contains(known, key) {
			t.Errorf("key %s is in no bucket of the catalogue", key)
		}
	}
}

type bucket struct {
	*kv.Store
	js jetstream.JetStream
}

// messages is how many the bucket's stream has.
func messages(t *testing.T, b bucket) uint64 {
	t.Helper()
	of := kv.Reference(brand)
	s, err := b.js.Stream(t.Context(), of.Stream())
	if err != nil {
		t.Fatal(err)
	}
	return s.CachedInfo().State.Msgs
}

func open(t *testing.T) bucket {
	t.Helper()
	return openAs(t, kv.Reference(brand))
}

func openAs(t *testing.T, b kv.Bucket) bucket {
	t.Helper()
	srv, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, DontListen: true, JetStream: true, StoreDir: t.TempDir(), NoSigs: true})
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	t.Cleanup(func() { srv.Shutdown(); srv.WaitForShutdown() })
	if !srv.ReadyForConnections(20 * time.Second) {
		t.Fatal("the server does not come up")
	}
	nc, err := nats.Connect("", nats.InProcessServer(srv))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{
		Name: b.Stream(), Subjects: []string{b.Subjects()}, MaxMsgsPerSubject: 1, AllowMsgTTL: b.Fades,
	}); err != nil {
		t.Fatal(err)
	}
	s, err := kv.Open(t.Context(), js, b)
	if err != nil {
		t.Fatal(err)
	}
	return bucket{s, js}
}

// Two who read one record and change it: the second is refused, and nothing of the first is lost.
func TestPutIsCompareAndSet(t *testing.T) {
	s, ctx := open(t), t.Context()
	if _, err := s.Get(ctx, kv.ReferenceHead); !errors.Is(err, kv.ErrNone) {
		t.Errorf("get of what is not there: %v", err)
	}
	first, err := s.Put(ctx, kv.ReferenceHead, []byte("a"), 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Put(ctx, kv.ReferenceHead, []byte("x"), 0); !errors.Is(err, kv.ErrConflict) {
		t.Errorf("put of a new record where there is one: %v", err)
	}
	second, err := s.Put(ctx, kv.ReferenceHead, []byte("b"), first)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Put(ctx, kv.ReferenceHead, []byte("x"), first); !errors.Is(err, kv.ErrConflict) {
		t.Errorf("change of what was read before: %v", err)
	}
	if err := s.Remove(ctx, kv.ReferenceHead, first); err != nil {
		t.Errorf("removal of what was read before: %v", err)
	}
	if r, err := s.Get(ctx, kv.ReferenceHead); err != nil || string(r.Value) != "b" || r.Revision != second {
		t.Errorf("got %+v, %v", r, err)
	}
	if err := s.Remove(ctx, kv.ReferenceHead, second); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(ctx, kv.ReferenceHead); !errors.Is(err, kv.ErrNone) {
		t.Errorf("get of what was removed: %v", err)
	}
	if n := messages(t, s); n != 0 {
		t.Errorf("%d messages are left of what was removed", n)
	}
	if _, err := s.Put(ctx, kv.ReferenceHead, []byte("c"), 0); err != nil {
		t.Errorf("put after a removal: %v", err)
	}
}

func TestWatchGivesWhatIsThereAndEachChange(t *testing.T) {
	s := open(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	at, err := s.Put(ctx, kv.ReferenceHead, []byte("1"), 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Put(ctx, kv.ReferencePart("00"), []byte("not watched"), 0); err != nil {
		t.Fatal(err)
	}
	var got []string
	err = s.Watch(ctx, kv.ReferenceHead, func(r kv.Record) (err error) {
		got = append(got, string(r.Value))
		switch len(got) {
		case 1:
			at, err = s.Put(ctx, kv.ReferenceHead, []byte("2"), at)
		case 2:
			at, err = s.Put(ctx, kv.ReferenceHead, []byte("3"), at)
		default:
			cancel()
		}
		return err
	})
	if want := []string{"1", "2", "3"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("watched %q, %v; want %q", got, err, want)
	}
}

func TestKeysListsWhatMatches(t *testing.T) {
	s, ctx := open(t), t.Context()
	for _, key := range []string{kv.ReferenceHead, kv.ReferencePart("aa"), kv.ReferencePart("bb")} {
		if _, err := s.Put(ctx, key, []byte("v"), 0); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.Keys(ctx, kv.ReferencePart("*"))
	slices.Sort(got)
	if want := []string{"part.aa", "part.bb"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("keys %q, %v; want %q", got, err, want)
	}
}

// What is put for a time is gone after it, and can then be put as new: a claim or a presence would otherwise
// stay for ever.
func TestPutForFades(t *testing.T) {
	s, ctx := openAs(t, kv.Onsite(brand)), t.Context()
	key := kv.ClaimKey("aa")
	first, err := s.PutFor(ctx, key, []byte("a"), 0, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.PutFor(ctx, key, []byte("x"), 0, time.Second); !errors.Is(err, kv.ErrConflict) {
		t.Errorf("put of a new record where there is one: %v", err)
	}
	if _, err := s.PutFor(ctx, key, []byte("b"), first, time.Second); err != nil {
		t.Errorf("put for a time, over what was put for a time: %v", err)
	}
	for {
		if _, err := s.Get(ctx, key); errors.Is(err, kv.ErrNone) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.PutFor(ctx, key, []byte("c"), 0, 0); err != nil {
		t.Errorf("put where something has faded: %v", err)
	}
}

// A stream that nobody leads answers nothing, and what was sent to it is lost. Whoever asks it hears so while
// there is time to ask again, or a change would fail although the stream has another leader by then.
func TestPutIsNotTheWholeWait(t *testing.T) {
	t.Parallel()
	for name, was := range map[string]uint64{"create": 0, "update": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			of := kv.Reference(brand)
			if err := s.js.DeleteStream(t.Context(), of.Stream()); err != nil {
				t.Fatal(err)
			}
			silent, err := s.js.Conn().SubscribeSync(of.Subjects())
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if _, err := s.Put(ctx, kv.ReferenceHead, []byte("a"), was); err == nil || errors.Is(err, kv.ErrConflict) || ctx.Err() != nil {
				t.Errorf("put: %v; and the caller's time: %v", err, ctx.Err())
			}
			if n, _, err := silent.Pending(); n != 1 || err != nil {
				t.Errorf("the stream was asked %d times, %v; want once", n, err)
			}
		})
	}
}

func TestScanEndsWithWhatIsThere(t *testing.T) {
	s, ctx := open(t), t.Context()
	for _, key := range []string{kv.ReferencePart("bb"), kv.ReferenceHead, kv.ReferencePart("aa")} {
		if _, err := s.Put(ctx, key, []byte("of "+key), 0); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	err := s.Scan(ctx, kv.ReferencePart("*"), func(r kv.Record) error {
		got = append(got, r.Key+" "+string(r.Value))
		return nil
	})
	if want := []string{"part.bb of part.bb", "part.aa of part.aa"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("scanned %q, %v; want %q", got, err, want)
	}
	enough := errors.New("enough")
	if err := s.Scan(ctx, ">", func(kv.Record) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("a scan whose reader fails gives %v", err)
	}
}

func TestProgressKeysComeApart(t *testing.T) {
	account := record.AccountID{1, 15: 2}
	promo, err := record.ParsePromoCode("STAMPS_2-x")
	if err != nil {
		t.Fatal(err)
	}
	a, p, err := kv.ProgressOf(kv.ProgressKey(account, promo))
	if err != nil || a != account || p != promo {
		t.Errorf("got %s %s, %v", a, p, err)
	}
	for _, key := range []string{"", kv.CursorKey, kv.ProgressKeys(account), kv.PromoProgressKeys(promo), "tim.x.y.z"} {
		if _, _, err := kv.ProgressOf(key); err == nil {
			t.Errorf("key %q is taken for one shopper's progress", key)
		}
	}
}
