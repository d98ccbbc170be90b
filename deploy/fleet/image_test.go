package fleet_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tillstream/deploy/fleet"
	"tillstream/deploy/ops"
	"tillstream/deploy/sales"
)

// How many records an image is old, at most. The whole range takes minutes.
var oldest = flag.Int("oldest", 1000, "records that restored disk images are old, at most")

// image copies a node's disk while it is off.
func image(t *testing.T, e *fleet.Edge) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "image")
	must(t, os.CopyFS(path, os.DirFS(e.Config().Data)))
	return path
}

// restore puts an image in the place of a node's disk, and starts the node from it.
func restore(t *testing.T, e *fleet.Edge, image string) {
	t.Helper()
	must(t, e.Crash())
	must(t, e.Wipe())
	must(t, os.CopyFS(e.Config().Data, os.DirFS(image)))
	must(t, e.Start())
}

// ofTill gives the receipts that fall to one till.
func ofTill(f *fleet.Fleet, till *fleet.Till, all []sales.Receipt) (own []sales.Receipt) {
	for i := range all {
		if place(f, &all[i]) == till {
			own = append(own, all[i])
		}
	}
	return own
}

// One image, 1 to 10,000 records old, is put into a till again and again, the link down or up. Each time
// the till sells on; what it was told after the image was made is at its store, and nothing is doubled.
func TestTillRestoredAgainAndAgain(t *testing.T) {
	for _, age := range []int{1, 10, 100, 1000, 10_000} {
		if age > *oldest {
			continue
		}
		for _, linked := range []bool{true, false} {
			if age >= 1000 && !linked {
				continue
			}
			t.Run(fmt.Sprintf("%d records, linked %v", age, linked), func(t *testing.T) {
				f := open(t, fleet.Config{Stores: 1, Tills: 1})
				till := f.Store(0).Till(0)
				all := generate(50+age+60, uint64(40+age))
				sell(t, f, all[:50])
				settle(t, f, all[:50])
				must(t, till.Crash())
				disk := image(t, &till.Edge)
				must(t, till.Start())
				sell(t, f, all[50:50+age])
				settle(t, f, all[:50+age])
				sold := 50 + age
				for round := range 3 {
					if !linked {
						till.Cut()
					}
					restore(t, &till.Edge, disk)
					sell(t, f, all[sold:sold+20])
					sold += 20
					if !linked {
						till.Heal()
					}
					settle(t, f, all[:sold])
					if found := incidents(t, f); len(found) != round+1 || !strings.Contains(found[round], "till 01") {
						t.Errorf("after %d restorations: incidents %q", round+1, found)
					}
				}
				if all, err := (ops.Client{URLs: []string{f.Centre()[0].Node().URL()}}).Incidents(t.Context()); err != nil ||
					len(all.Incidents) != 3 || !strings.Contains(all.Incidents[0].Text, "old disk image") || all.Incidents[0].Entry < all.Incidents[2].Entry {
					t.Errorf("ops incidents: %+v, %v", all, err)
				}
				n := postForgotten(t, f, till, lastOf(all[50:50+age], 200))
				settle(t, f, all)
				if got := repeats(t, f); got != uint64(n) {
					t.Errorf("%d repeats, want the %d that the POS has posted again", got, n)
				}
			})
		}
	}
}

func lastOf(all []sales.Receipt, n int) []sales.Receipt { return all[max(0, len(all)-n):] }

// The same at a store: its tills send what it has forgotten and the centre has not posted.
func TestStoreRestoredAgainAndAgain(t *testing.T) {
	for _, age := range []int{1, 100, 1000, 10_000} {
		if age > *oldest {
			continue
		}
		t.Run(fmt.Sprintf("%d records", age), func(t *testing.T) {
			f := open(t, fleet.Config{Stores: 1, Tills: 2})
			s := f.Store(0)
			all := generate(50+age+120, uint64(60+age))
			sell(t, f, all[:50])
			settle(t, f, all[:50])
			must(t, s.Crash())
			disk := image(t, &s.Edge)
			must(t, s.Start())
			sell(t, f, all[50:50+age])
			settle(t, f, all[:50+age])
			sold := 50 + age
			for round := range 4 {
				if cut := round%2 == 1; cut { // what the tills had confirmed is only there once more
					s.Cut()
					sell(t, f, all[sold:sold+15])
					acknowledged(t, s)
					restore(t, &s.Edge, disk)
					sell(t, f, all[sold+15:sold+30])
					s.Heal()
				} else {
					restore(t, &s.Edge, disk)
					sell(t, f, all[sold:sold+30])
				}
				sold += 30
				settle(t, f, all[:sold])
			}
			if n := repeats(t, f); n != 0 {
				t.Errorf("%d records came a second time in another chain", n)
			}
			everybodySees(t, f, all)
		})
	}
}
