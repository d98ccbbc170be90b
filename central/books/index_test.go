package books

import (
	"encoding/binary"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

// Numbers that come and go, with many keys to a slot: each is found while it is there, and no longer.
func TestIndexDrops(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		x := newIndex()
		keys := map[uint64]uint32{} // by hash: few, so that they lie in each other's way
		is := func(uint32) bool { return true }
		for n := range rapid.IntRange(1, 200).Draw(rt, "steps") {
			var key [16]byte
			binary.BigEndian.PutUint64(key[:], rapid.Uint64Range(0, 40).Draw(rt, "key"))
			hash := binary.BigEndian.Uint64(key[:])<<36 | 7 // all in one part
			if number, there := keys[hash]; there && rapid.Bool().Draw(rt, "drop") {
				x.drop(hash, number+1) // not there: nothing happens
				x.drop(hash, number)
				delete(keys, hash)
			} else {
				before, had := x.put(hash, uint32(2*n), is)
				if had != there || had && before != number {
					rt.Fatalf("had %d, %v; want %d, %v", before, had, number, there)
				}
				keys[hash] = uint32(2 * n)
			}
			for k := range uint64(41) {
				got, ok := x.find(k<<36|7, is)
				if want, there := keys[k<<36|7]; ok != there || ok && got != want {
					rt.Fatalf("key %d: %d, %v; want %d, %v", k, got, ok, want, there)
				}
			}
		}
	})
}

// Readers share the lock: what they read writes nothing, as the race detector sees.
func TestReadersDoNotMeet(t *testing.T) {
	l := moneyLedger(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 20 {
				l.Shopper(account_(1))
				l.LotsOf(account_(1))
				l.HoldsOf(account_(1))
				l.DueHolds(func(*Held) bool { return true })
				l.Hold(storeID("0001"), rid(51))
				l.Sale(rid(4))
				l.Feed(storeID("0001"), 0, 100)
				l.Digest()
			}
		})
	}
	wg.Wait()
}
