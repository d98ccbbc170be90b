package relay_test

import (
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"tillstream/central/hub"
	"tillstream/edge/leaf"
	"tillstream/subjects"
)

func TestCutAndHeal(t *testing.T) {
	t.Parallel()
	c := newChain(t)
	serve(t, c.centre, "centre", acme.AnyIngest())
	answer(t, c.shop, acme.Ingest(s1), "centre")
	for range 3 {
		start := time.Now()
		c.wan.Cut()
		eventually(t, "the cut is noticed", func() bool { return !c.store.Up() })
		t.Logf("cut noticed after %v", time.Since(start))
		if _, err := c.shop.Request(acme.Ingest(s1), nil, time.Second); !errors.Is(err, nats.ErrNoResponders) {
			t.Fatalf("asked while cut: %v, want no responders at once", err)
		}
		if !c.till.Up() {
			t.Fatal("the till was thrown out of its store")
		}
		start = time.Now()
		c.wan.Heal()
		eventually(t, "the link is back", c.store.Up)
		t.Logf("up %v after heal", time.Since(start))
		answer(t, c.shop, acme.Ingest(s1), "centre")
		t.Logf("answered %v after heal", time.Since(start))
	}
}

func TestSilenceIsNoticed(t *testing.T) {
	t.Parallel()
	c := newChain(t)
	serve(t, c.centre, "centre", acme.AnyIngest())
	answer(t, c.shop, acme.Ingest(s1), "centre")
	start := time.Now()
	c.wan.Silence()
	eventually(t, "the silence is noticed", func() bool { return !c.store.Up() })
	t.Logf("silence noticed after %v", time.Since(start))
	start = time.Now()
	c.wan.Heal()
	answer(t, c.shop, acme.Ingest(s1), "centre")
	t.Logf("answered %v after heal", time.Since(start))
}

func TestStoresComeAndGoWithoutRestart(t *testing.T) {
	t.Parallel()
	c := newChain(t)
	serve(t, c.centre, "centre", acme.AnyIngest())
	answer(t, c.shop, acme.Ingest(s1), "centre")
	c.wan.SetTarget("") // from here on a link that is lost does not come back

	young := newIdentity(t)
	second := openLeaf(t, leaf.Config{
		Name: "acme-0002", Upstreams: []string{"nats-leaf://" + c.hub.LeafAddr()}, UpstreamSeed: young.seed,
	})
	both := []hub.StoreUser{c.user, {Store: s2, Nkey: young.public}}
	if err := c.hub.SetStores(acme.Brand, both); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the new store is up", second.Up)
	nc := connectLeaf(t, second, subjects.StoreInbox(s2))
	answer(t, nc, acme.Ingest(s2), "centre")
	silence(t, nc, acme.Ingest(s1))
	if _, err := c.shop.Request(acme.Ingest(s1), nil, time.Second); err != nil {
		t.Fatalf("the first store: %v", err)
	}

	if err := c.hub.SetStores(acme.Brand, both[:1]); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the new store is out", func() bool { return !second.Up() })
	silence(t, nc, acme.Ingest(s2))
	if _, err := c.shop.Request(acme.Ingest(s1), nil, time.Second); err != nil {
		t.Fatalf("the first store: %v", err)
	}
	if err := c.hub.SetStores(subjects.BrandID{}, nil); !errors.Is(err, hub.ErrBrand) {
		t.Fatalf("unknown brand: %v, want ErrBrand", err)
	}
	if err := c.hub.SetStores(acme.Brand, []hub.StoreUser{{Store: s1, Nkey: "x"}}); err == nil {
		t.Fatal("a key that is none is taken")
	}
}
