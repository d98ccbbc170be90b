package trial_test

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tillstream/deploy/fleet"
	"tillstream/deploy/sales"
	"tillstream/edge"
	"tillstream/edge/journal"
	"tillstream/kv/record"
	"tillstream/kv/seal"
	"tillstream/subjects"
)

var (
	role  = flag.String("role", "", "for tests only: this process is no test but a node that is to lose its power")
	data  = flag.String("data", "", "for tests only: where that node keeps its files")
	nodes = flag.Int("nodes", 1, "for tests only: of the centre")
)

// TestMain runs the tests, or, as a process that a test started, a node that sells to itself until it is
// killed. It writes a line for each receipt that the node has acknowledged: its rid. When it reads a
// line, fsync does nothing from then on, and it writes "lies".
func TestMain(m *testing.M) {
	flag.Parse()
	if *role == "" {
		os.Exit(m.Run())
	}
	if err := play(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func play(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	var wg sync.WaitGroup
	run := func(part func(context.Context) error) {
		wg.Go(func() {
			if err := part(ctx); err != nil {
				cancel(err)
			}
		})
	}
	run(func(context.Context) error {
		if lines := bufio.NewScanner(os.Stdin); !lines.Scan() {
			return errors.New("whoever started this node has ended")
		}
		if err := lie(*data); err != nil {
			return err
		}
		fmt.Println("lies")
		return nil
	})
	act := map[string]func(context.Context, func(func(context.Context) error)) error{
		"till": playTill, "store": playStore, "centre": playCentre,
	}[*role]
	if err := act(ctx, run); err != nil {
		return err
	}
	<-ctx.Done() // not waited for: the rest ends with the process
	return context.Cause(ctx)
}

// playTill is a till's node that sells over HTTP at four POS terminals.
func playTill(_ context.Context, run func(func(context.Context) error)) error {
	key := filepath.Join(*data, "card.key")
	if err := os.WriteFile(key, []byte(strings.Repeat("c4", seal.KeySize)), 0o600); err != nil {
		return err
	}
	tokens, err := fleet.TokensFile(*data)
	if err != nil {
		return err
	}
	n, err := edge.Open(edge.Config{
		DC: brand.DC, Env: brand.Env, Brand: brand.Brand, Store: shop, Till: first,
		Data: *data, Listen: "127.0.0.1:0", CardKey: key, POSTokens: tokens,
	}, "trial", slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	run(n.Run)
	for range 4 {
		run(func(ctx context.Context) error {
			pos := fleet.NewPOS(n.URL())
			for i := 0; ; i++ {
				now := time.Now().UTC()
				r := sales.Receipt{
					Number: fmt.Sprint(i), At: now, Customer: fmt.Sprintf("card-%d", i%50), Currency: "GBP", RID: record.NewRID(now),
					Lines: []sales.Line{{Item: "20001", Description: "RED TIN MUG", Quantity: "1", Amount: 250}},
				}
				insist(ctx, func() error {
					a, err := pos.Post(ctx, false, r.RID, r.Body(shop.String(), first.String()))
					if err == nil && !a.Kept() {
						err = fmt.Errorf("receipt %s: %d %s", r.RID, a.Status, a.Body)
					}
					return err
				})
				fmt.Println(r.RID)
			}
		})
	}
	return nil
}

// playStore is a store's journal that takes packs of four tills.
func playStore(_ context.Context, run func(func(context.Context) error)) error {
	j, err := openCopy(*data, subjects.TillID{})
	if err != nil {
		return err
	}
	for i := range 4 {
		run(func(ctx context.Context) error {
			c := begin(shop, i)
			for n := 1; ; n = n%7 + 1 {
				pack := c.pack(n)
				insist(ctx, func() error {
					marks, err := j.Accept(ctx, []record.Run{record.PackRun(pack)})
					if err == nil && (marks[0].Status != record.StatusHeld || marks[0].Held != c.tip.Seq) {
						err = fmt.Errorf("marks %+v", marks)
					}
					return err
				})
				acknowledge(pack)
			}
		})
	}
	return nil
}

// openCopy opens a till's or a store's journal in a node's directory.
func openCopy(dir string, till subjects.TillID) (*journal.Journal, error) {
	ring, err := seal.OpenRing(filepath.Join(dir, "keyring"))
	if err != nil {
		return nil, err
	}
	return journal.Open(journal.Config{Path: filepath.Join(dir, "journal.db"), Ring: ring, Store: shop, Till: till})
}

// playCentre is a whole centre that takes packs of four stores.
func playCentre(ctx context.Context, run func(func(context.Context) error)) error {
	f, err := fleet.Open(ctx, fleet.Config{Dir: *data, Nodes: *nodes})
	if err != nil {
		return err
	}
	// The keys are the fleet's, not a node's: nobody claims that they are safe from the first moment on.
	keys, err := filepath.Glob(filepath.Join(*data, "keys", "*"))
	if err != nil {
		return err
	}
	keys = append(keys, filepath.Join(*data, "keys"), filepath.Join(*data, "stores.yaml"), *data)
	if out, err := exec.Command("sync", keys...).CombinedOutput(); err != nil {
		return fmt.Errorf("sync: %w: %s", err, out)
	}
	if err := f.Ready(ctx); err != nil {
		return err
	}
	for i := range 4 {
		run(func(ctx context.Context) error {
			store := subjects.StoreID{Token: subjects.MustToken(fmt.Sprintf("1%03d", i))}
			nc := f.Centre()[i%*nodes].Node().Conn()
			c := begin(store, 1)
			for n := 1; ; n = n%7 + 1 {
				pack := c.pack(n)
				body := (&record.Pack{Runs: []record.Run{record.PackRun(pack)}}).Append(nil)
				insist(ctx, func() error {
					m, err := nc.Request(f.Net().Ingest(store), body, 5*time.Second)
					if err != nil {
						return err
					}
					marks, err := record.ReadMarks(m.Data)
					if err != nil || len(marks) != 1 || marks[0].Status != record.StatusHeld || marks[0].Posted != c.tip.Seq {
						return fmt.Errorf("marks %+v, header %v, error %w", marks, m.Header, err)
					}
					return nil
				})
				acknowledge(pack)
			}
		})
	}
	return nil
}

// insist tries again until it is answered: while its disk is looked at, the node stands still for seconds,
// and a question that was under way then may be given up.
func insist(ctx context.Context, try func() error) {
	for err := try(); err != nil && ctx.Err() == nil; err = try() {
		fmt.Fprintln(os.Stderr, "tries again:", err)
		<-time.After(10 * time.Millisecond)
	}
}

// acknowledge says which receipts of a pack have been acknowledged.
func acknowledge(pack []record.Receipt) {
	var b strings.Builder
	for i := range pack {
		if pack[i].Kind != record.KindStart {
			fmt.Fprintln(&b, pack[i].RID)
		}
	}
	fmt.Print(b.String())
}
