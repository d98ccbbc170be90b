package demo_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tillstream/deploy/demo"
	"tillstream/deploy/sales"
	"tillstream/edge/journal"
	"tillstream/kv/record"
	"tillstream/kv/seal"
	"tillstream/subjects"
)

// What cannot be played is said before anything is started.
func TestBadFlags(t *testing.T) {
	t.Parallel()
	for want, spoil := range map[string]func(*demo.Command){
		"--speed fast: want":        func(c *demo.Command) { c.Speed = "fast" },
		"--speed 0: want":           func(c *demo.Command) { c.Speed = "0" },
		"--speed -3: want":          func(c *demo.Command) { c.Speed = "-3" },
		"--speed NaN: want":         func(c *demo.Command) { c.Speed = "NaN" },
		"--speed Inf: want":         func(c *demo.Command) { c.Speed = "Inf" },
		"--speed : want":            func(c *demo.Command) { c.Speed = "" },
		"--stores 0: want 1 to 100": func(c *demo.Command) { c.Stores = 0 },
		"--stores 101: want 1":      func(c *demo.Command) { c.Stores = 101 },
		"--tills 0: want 1 to 20":   func(c *demo.Command) { c.Tills = 0 },
		"--tills 21: want 1":        func(c *demo.Command) { c.Tills = 21 },
		"--generate 0: want 1":      func(c *demo.Command) { c.Generate = 0 },
		"--generate 10000001: want": func(c *demo.Command) { c.Generate = 10_000_001 },
		"--map is for --receipts":   func(c *demo.Command) { c.Map = "map.yaml" },
		"read map: open nowhere":    func(c *demo.Command) { c.Map, c.Receipts = "nowhere.yaml", "nowhere.csv" },
	} {
		c := command(t)
		spoil(&c)
		failsEarly(t, c, want)
	}
}

// failsEarly wants a run to end with an error before there is a fleet, and gives the error.
func failsEarly(t *testing.T, c demo.Command, want string) error {
	t.Helper()
	var out output
	err := c.Run(t.Context(), &out, logger(t))
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q", err, want)
	}
	for _, path := range []string{c.Data, c.JSON, c.Balances} {
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: something was begun: %v", want, err)
		}
	}
	return err
}

// A file that cannot be read to its end sells nothing.
func TestBadFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	good, err := os.ReadFile("testdata/broken.csv")
	if err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write(bytes.Repeat(good, 200)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	head, _, _ := strings.Cut(string(good), "\n")
	for name, c := range map[string]struct {
		file, text string
		is         error
		want       string
	}{
		"missing column": {"a.csv", strings.ReplaceAll(string(good), "UnitPrice", "Price"), sales.ErrHeader, `column "UnitPrice" (unit_price) is not in it`},
		"empty":          {"b.csv", "", sales.ErrEmpty, "b.csv"},
		"header only":    {"c.csv", head + "\n", sales.ErrEmpty, "nothing below the header"},
		"all refused":    {"d.csv", head + "\n1,A,MUG,many,2026-01-05 09:00:00,1.00,1\n2,A\n", sales.ErrEmpty, "all 2 rows are refused"},
		"truncated":      {"e.csv.gz", packed.String()[:packed.Len()/2], sales.ErrPartial, "e.csv"},
		"of another map": {"f.csv", "a;b\n1;2\n", sales.ErrHeader, "it has: a;b"},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := command(t)
			cmd.Receipts = filepath.Join(dir, c.file)
			if err := os.WriteFile(cmd.Receipts, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := failsEarly(t, cmd, c.want); !errors.Is(err, c.is) {
				t.Errorf("got %v, want %v", err, c.is)
			}
		})
	}
	cmd := command(t)
	cmd.Receipts = filepath.Join(dir, "nowhere.csv")
	if err := failsEarly(t, cmd, "nowhere.csv"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	cmd.Receipts, cmd.Map = filepath.Join(dir, "a.csv"), filepath.Join(dir, "map.yaml")
	if err := os.WriteFile(cmd.Map, []byte("currency: EUR\ncolums: {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	failsEarly(t, cmd, "[2:1]")
}

// Rows that cannot be read are named and counted, a receipt that a till refuses too, and the rest goes on
// and is held to an independent count.
func TestBrokenRows(t *testing.T) {
	begin(t)
	c := command(t)
	c.Receipts = "testdata/broken.csv"
	got, printed := play(t, c)
	// 2 x 5.25 + 0.75 = 11.25 and 15.75 give 11 and 15 points; the return takes 5; 8 gives 5.
	wantFigures(t, got, map[string]any{
		"lines_read": 10, "rows_refused": 3, "receipts_read": 6, "receipts_refused": 1, "receipts_committed": 5, "receipts_posted": 5,
		"receipts_anonymous": 1, "customers": 3, "lost": 0, "points_issued": 31, "points_returned": 5, "points_balance": 26, "books_ok": true,
	})
	wantBalances(t, c.Balances, map[string]sales.Account{"17850": {Points: 6}, "17851": {Points: 15}, "CARD,17852": {Points: 5}})
	for _, want := range []string{"line 3: ", "line 5: ", "line 6: ", "receipt 6: till ", "422", "payment-card-refused"} {
		if !strings.Contains(printed, want) {
			t.Errorf("nothing is said of %q:\n%s", want, printed)
		}
	}
	if strings.Contains(printed, "4111111111111111") {
		t.Errorf("the payment card's number is printed:\n%s", printed)
	}
}

// A file that names its stores and tills keeps them together: the receipts of one till come to one till,
// those of one store to one store.
func TestNamedStoresAndTills(t *testing.T) {
	begin(t)
	c := command(t)
	c.Map, c.Receipts = "testdata/shops.yaml", filepath.Join(t.TempDir(), "shops.csv")
	text, n := strings.Builder{}, 0
	text.WriteString("Bon;Filiale;Kasse;Zeit;Karte;Artikel;Menge;Betrag;Art\n")
	of := map[string]string{} // receipt -> store/till in the file
	for _, store := range []string{"nord", " Nord", "sued", "west", "ost"} {
		for till := range 3 {
			for range 2 {
				n++
				fmt.Fprintf(&text, "%d;%s;%d;05.01.2026 09:%02d;K%d;A;1;12,34;V\n", n, store, till, n, n%7)
				fmt.Fprintf(&text, "R%d;%s;%d;05.01.2026 10:%02d;K%d;A;1;1,50;R\n", n, store, till, n, n%7)
				at := fmt.Sprintf("%s/%d", strings.ToLower(strings.TrimSpace(store)), till)
				of[fmt.Sprint(n)], of[fmt.Sprintf("R%d", n)] = at, at
			}
		}
	}
	if err := os.WriteFile(c.Receipts, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	got, _ := play(t, c)
	wantFigures(t, got, map[string]any{
		"receipts_posted": 2 * n, "customers": 7, "points_issued": 12 * n, "points_returned": n, "points_balance": 11 * n, "books_ok": true,
	})
	where := sold(t, c)
	if len(where) != 2*n {
		t.Errorf("%d receipts lie in the tills' journals, want %d", len(where), 2*n)
	}
	tills, stores := map[string]string{}, map[string]string{}
	for number, till := range where {
		store, _, _ := strings.Cut(till, "-")
		named, _, _ := strings.Cut(of[number], "/")
		if before, ok := tills[of[number]]; ok && before != till {
			t.Errorf("till %s of the file is %s and %s", of[number], before, till)
		}
		if before, ok := stores[named]; ok && before != store {
			t.Errorf("store %s of the file is %s and %s", named, before, store)
		}
		tills[of[number]], stores[named] = till, store
	}
}

// sold gives the till, as store-till, whose journal has each receipt, by its number.
func sold(t *testing.T, c demo.Command) map[string]string {
	t.Helper()
	found := map[string]string{}
	for s := range c.Stores {
		for k := range c.Tills {
			store, till := fmt.Sprintf("%04d", s+1), fmt.Sprintf("%02d", k+1)
			for number := range kept(t, filepath.Join(c.Data, "edge", store+"-"+till), store, till) {
				found[number] = store + "-" + till
			}
		}
	}
	return found
}

// kept gives the numbers of the receipts in a till's journal.
func kept(t *testing.T, dir, store, till string) map[string]bool {
	t.Helper()
	ring, err := seal.OpenRing(filepath.Join(dir, "keyring"))
	if err != nil {
		t.Fatal(err)
	}
	j, err := journal.Open(journal.Config{
		Path: filepath.Join(dir, "journal.db"), Ring: ring,
		Store: subjects.StoreID{Token: subjects.MustToken(store)}, Till: subjects.TillID{Token: subjects.MustToken(till)},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	}()
	found := map[string]bool{}
	for _, chain := range j.Chains() {
		for rec, err := range j.After(chain.ID, 0) {
			if err != nil {
				t.Fatal(err)
			}
			if rec.Kind == record.KindStart {
				continue
			}
			var body struct {
				Number string `json:"receipt_number"`
			}
			if err := json.Unmarshal(rec.Data, &body); err != nil {
				t.Error(err)
			}
			found[body.Number] = true
		}
	}
	return found
}

// A year of a real shop, with every fault, held to figures that were counted in another language.
func TestOnlineRetail(t *testing.T) {
	begin(t)
	c := command(t)
	c.Receipts = filepath.Join("..", "..", "..", "shared", "data", "online_retail.csv.gz")
	if _, err := os.Stat(c.Receipts); errors.Is(err, fs.ErrNotExist) {
		t.Skip("the Online Retail file is not beside the repository, in shared/data")
	}
	if testing.Short() {
		t.Skip("a year of receipts takes 10 s and more")
	}
	c.Stores, c.Faults = 4, true
	got, _ := play(t, c)
	wantFigures(t, got, map[string]any{
		"receipts_read": 25900, "lines_read": 541909, "rows_refused": 0, "receipts_refused": 0, "receipts_committed": 25900,
		"receipts_posted": 25900, "lost": 0, "customers": 4372, "points_issued": 8902670, "points_returned": 609431,
		"points_balance": 8306446, "points_debt": 13207, "books_ok": true,
	})
	receipts, _, err := sales.Open(c.Receipts, sales.OnlineRetail())
	if err != nil {
		t.Fatal(err)
	}
	wantBalances(t, c.Balances, sales.CountPoints(receipts).Customers)
}
