package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"tillstream/deploy/demo"
)

// onlineRetail plays the whole file of receipts through a chain of four stores, all of it on one disk, with the
// demo's faults, in a process of its own. The figure is from the first post to the last receipt posted; it is
// one only if the demo says that nothing is lost and that every balance is that of an independent count.
func (b *bench) onlineRetail(ctx context.Context) ([]Result, error) {
	if b.cmd.Receipts == "" {
		b.note("skipped: it wants the year of Online Retail, name it with --receipts")
		return nil, nil
	}
	rounds := b.size(3, 1)
	var posted, whole []float64
	for i := range rounds {
		if i > 0 && b.late() {
			b.note("%d of %d years: time is up", i, rounds)
			break
		}
		began := time.Now()
		g, err := b.year(ctx)
		if err != nil {
			return nil, err
		}
		whole = append(whole, time.Since(began).Seconds())
		posted = append(posted, g.WallSeconds)
		b.note("%d receipts posted, %d lost, %d sent again and not counted again; %d customers, the balances are those of the count",
			g.ReceiptsPosted, g.Lost, g.DuplicatesRefused, g.Customers)
	}
	return []Result{
		{Name: "online_retail", Value: median(posted), Unit: "s", goal: valueAtMost(12)},
		{Name: "online_retail_command", Value: median(whole), Unit: "s", detail: true},
	}, nil
}

// year plays the file once.
func (b *bench) year(ctx context.Context) (g demo.Figures, err error) {
	dir, err := b.place.onDisk("online_retail")
	if err != nil {
		return g, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // it goes with the rest of the place
	self, err := os.Executable()
	if err != nil {
		return g, fmt.Errorf("start the demo: %w", err)
	}
	figures := filepath.Join(dir, "figures.json")
	cmd := exec.CommandContext(ctx, self, "demo", "--receipts", b.cmd.Receipts, "--speed", "max", "--faults", "--exit",
		"--data", filepath.Join(dir, "data"), "--json", figures)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Run(); err != nil { // the books differ, for one
		return g, fmt.Errorf("demo: %w: %s", err, said.Bytes()[max(0, said.Len()-2000):])
	}
	text, err := os.ReadFile(figures)
	if err == nil {
		err = json.Unmarshal(text, &g)
	}
	if err == nil && (!g.BooksOK || g.Lost > 0 || g.ReceiptsPosted != g.ReceiptsRead) {
		err = fmt.Errorf("of %d receipts %d are posted and %d lost, books in order: %v", g.ReceiptsRead, g.ReceiptsPosted, g.Lost, g.BooksOK)
	}
	if err != nil {
		return g, fmt.Errorf("demo: %w", err)
	}
	return g, nil
}
