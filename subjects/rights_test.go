package subjects_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"pgregory.net/rapid"

	"tillstream/subjects"
)

func tokens() *rapid.Generator[subjects.Token] {
	return rapid.Custom(func(t *rapid.T) subjects.Token {
		// Few letters, so that one token is often another and something: s1, s1_1.
		return subjects.MustToken(rapid.StringMatching(`[a_1-]{1,4}`).Draw(t, "token"))
	})
}

func TestStoreOfInvertsTheBuilders(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		net := subjects.Net{DC: tokens().Draw(t, "dc"), Env: tokens().Draw(t, "env"),
			Brand: subjects.BrandID{Token: tokens().Draw(t, "brand")}}
		want := subjects.StoreID{Token: tokens().Draw(t, "store")}
		for _, subject := range []string{net.Ingest(want), net.FeedPull(want), net.FeedChanged(want),
			net.StoreScreen(want), net.POSLookup(want), net.KeyRing(want)} {
			if got, ok := net.StoreOf(subject); !ok || got != want {
				t.Fatalf("StoreOf(%q) = %q, %t, want %q", subject, got, ok, want)
			}
		}
		for _, subject := range []string{net.Journal(), net.CPPActivity(), net.ReceiptsPosted(), net.AnyIngest(),
			net.AnyFeedPull(), net.Heartbeat(subjects.NodeID(want)), "other" + net.Ingest(want), net.Ingest(want) + ".x"} {
			if got, ok := net.StoreOf(subject); ok {
				t.Fatalf("StoreOf(%q) = %q, want none", subject, got)
			}
		}
	})
}

func TestLaneOfInvertsTheBuilders(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := subjects.Lane{Store: subjects.StoreID{Token: tokens().Draw(t, "store")},
			Till: subjects.TillID{Token: tokens().Draw(t, "till")}}
		for _, subject := range []string{want.Ingest(), want.FeedPull(), want.Lookup(), want.KeyRing(), want.FeedChanged()} {
			if got, ok := subjects.LaneOf(subject); !ok || got != want {
				t.Fatalf("LaneOf(%q) = %v, %t, want %v", subject, got, ok, want)
			}
		}
		for _, subject := range []string{want.Inbox() + ".x", subjects.AnyLane{Store: want.Store}.Ingest(),
			want.Ingest() + ".x", "x" + want.Ingest()} {
			if got, ok := subjects.LaneOf(subject); ok {
				t.Fatalf("LaneOf(%q) = %v, want none", subject, got)
			}
		}
	})
}

func FuzzStoreOf(f *testing.F) {
	for _, s := range []string{net.Ingest(store), net.FeedPull(store), net.StoreScreen(store), net.AnyIngest(), "", "acme.ingest."} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, subject string) {
		if s, ok := net.StoreOf(subject); ok && !slices.Contains(strings.Split(subject, "."), s.String()) {
			t.Fatalf("StoreOf(%q) = %q", subject, s)
		}
	})
}

func FuzzLaneOf(f *testing.F) {
	for _, s := range []string{lane.Ingest(), lane.FeedChanged(), "edge.*.*.ingest", "edge...", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, subject string) {
		if l, ok := subjects.LaneOf(subject); ok && !strings.HasPrefix(subject, "edge."+l.Store.String()+"."+l.Till.String()+".") {
			t.Fatalf("LaneOf(%q) = %v", subject, l)
		}
	})
}

// What one store may publish or hear must never touch what another one may: the hub has no other wall.
func TestStoresCannotReachEachOther(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := subjects.StoreID{Token: tokens().Draw(t, "a")}, subjects.StoreID{Token: tokens().Draw(t, "b")}
		pubA, subA := net.StorePermissions(a)
		if a != b {
			pubB, subB := net.StorePermissions(b)
			// All stores answer on subjects that nats-server draws, and none may listen there.
			apart(t, subA, []string{subjects.StoreAnswers})
			answers := func(s string) bool { return s == subjects.StoreAnswers }
			apart(t, slices.Concat(slices.DeleteFunc(slices.Clone(pubA), answers), subA), slices.Concat(slices.DeleteFunc(pubB, answers), subB))
			// Nor say who is at another's tills, or be asked for their screens.
			apart(t, pubA, []string{net.POSPresence(b), net.StoreScreen(b)})
			apart(t, subA, []string{net.AnyPOSPresence(), net.StoreScreen(b), net.OSGDeliver(), net.OSGArrived(), net.MSQPut(), net.OSGScreen(node)})
		}
		// Nor may a store publish what the centre or another store listens to or believes.
		apart(t, pubA, []string{net.Journal(), net.CustomersJournal(), net.ReceiptsPosted(), "$JS.>", "$SYS.>", "$KV.>",
			"$SRV.>", net.AnyHeartbeat(), net.Propose(node), net.FeedChanged(a), net.StoreScreen(a), "_INBOX.>",
			net.CPPActivity(), net.EPPMActivity(), net.CPPEnriched(), net.Relevant(), net.RelevantUnqualification(),
			net.Decided(), net.MSQDelete(), net.OSGDeliver(), net.OSGArrived(), net.OSGScreen(node), net.MSQPut(), subjects.StoreInbox(a) + ".>"})
		apart(t, subA, []string{net.Journal(), net.ReceiptsPosted(), net.AnyIngest(), net.AnyFeedPull(), net.AnyPOSLookup(),
			"_INBOX.>", "$JS.>", "$SYS.>"})
	})
}

func TestTillsCannotReachEachOther(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := subjects.Lane{Store: subjects.StoreID{Token: tokens().Draw(t, "storeA")}, Till: subjects.TillID{Token: tokens().Draw(t, "tillA")}}
		b := subjects.Lane{Store: subjects.StoreID{Token: tokens().Draw(t, "storeB")}, Till: subjects.TillID{Token: tokens().Draw(t, "tillB")}}
		pubA, subA := a.Permissions()
		all := slices.Concat(pubA, subA)
		if a != b {
			pubB, subB := b.Permissions()
			apart(t, all, slices.Concat(pubB, subB))
			apart(t, all, []string{b.Presence(), b.Screen(), b.Answer() + ".>"})
		}
		// Nor may a till speak or listen on the upper hop, whatever the store there is called, or on what stays on
		// a node.
		stores := []subjects.StoreID{b.Store}
		for _, between := range []string{"", "_", "-"} {
			if s, err := subjects.ParseStoreID(a.Store.String() + between + a.Till.String()); err == nil {
				stores = append(stores, s)
			}
		}
		for _, s := range stores {
			pubS, subS := net.StorePermissions(s)
			apart(t, all, slices.Concat(pubS, subS, subjects.StaysOnTill(), []string{net.Journal(), "_INBOX.>"}))
		}
	})
}

func apart(t *rapid.T, ours, theirs []string) {
	for _, a := range ours {
		if !server.IsValidSubject(a) || strings.Contains(a, "*") || strings.HasPrefix(a, ">") {
			t.Fatalf("%q is no exact prefix", a)
		}
		for _, b := range theirs {
			if server.SubjectsCollide(a, b) {
				t.Fatalf("%q collides with %q", a, b)
			}
		}
	}
}

// What a node must keep to itself covers everything of the lower hop, and nothing of the upper one.
func TestWhatStaysOnANode(t *testing.T) {
	pub, sub := net.StorePermissions(store)
	for _, e := range subjects.Catalogue() {
		lower := e.Group == subjects.GroupLane || e.Group == subjects.GroupPOS
		if got := slices.ContainsFunc(subjects.StaysHere(), func(p string) bool {
			return server.SubjectsCollide(p, fill.Replace(e.Pattern))
		}); got != lower {
			t.Errorf("%s stays on a store's node: %t, want %t", e.Pattern, got, lower)
		}
		pos := e.Group == subjects.GroupPOS
		if got := slices.ContainsFunc(subjects.StaysOnTill(), func(p string) bool {
			return server.SubjectsCollide(p, fill.Replace(e.Pattern))
		}); got != pos {
			t.Errorf("%s stays on a till's node: %t, want %t", e.Pattern, got, pos)
		}
		// And each hop's users may use all of their own hop.
		if e.Group == subjects.GroupStore {
			if s := fill.Replace(e.Pattern); !slices.ContainsFunc(slices.Concat(pub, sub), func(p string) bool { return matches(p, s) }) {
				t.Errorf("a store may not use %s", e.Pattern)
			}
		}
		if e.Group == subjects.GroupLane {
			pub, sub := lane.Permissions()
			if s := fill.Replace(e.Pattern); !slices.Contains(slices.Concat(pub, sub), s) {
				t.Errorf("a till may not use %s", e.Pattern)
			}
		}
	}
}
