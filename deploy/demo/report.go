package demo

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"tillstream/central/books"
	"tillstream/deploy/fleet"
	"tillstream/deploy/sales"
)

// Figures are what --json writes.
type Figures struct {
	ReceiptsRead      int     `json:"receipts_read"`
	LinesRead         int     `json:"lines_read"`
	RowsRefused       int     `json:"rows_refused"`
	ReceiptsRefused   int64   `json:"receipts_refused"`   // by a till
	ReceiptsCommitted int64   `json:"receipts_committed"` // a till has answered for them, in this run or before
	ReceiptsPosted    int     `json:"receipts_posted"`    // of this file, in the books now
	ReceiptsAnonymous int     `json:"receipts_anonymous"`
	DuplicatesRefused int64   `json:"duplicates_refused"` // sent again and not counted again, at a till or in the books
	Lost              int     `json:"lost"`               // a till has answered for them, the books do not have them
	Customers         int     `json:"customers"`
	PointsIssued      int64   `json:"points_issued"`
	PointsReturned    int64   `json:"points_returned"`
	PointsBalance     int64   `json:"points_balance"`
	PointsDebt        int64   `json:"points_debt"`
	BooksTransactions uint64  `json:"books_transactions"`
	BooksDigest       string  `json:"books_digest"`
	BooksOK           bool    `json:"books_ok"`
	WallSeconds       float64 `json:"wall_seconds"` // first post to last posted
	ReceiptsPerSecond float64 `json:"receipts_per_second"`
	CommitP50         int64   `json:"commit_p50_us"` // first post to the till's answer
	CommitP99         int64   `json:"commit_p99_us"`
	PostedP50         float64 `json:"posted_p50_ms"` // first post to the posted event
	PostedP99         float64 `json:"posted_p99_ms"`

	Quotes *QuoteFigures `json:"quotes,omitempty"` // of a run with --quotes
}

// read calls fn with the books of a centre node, held still.
func (r *run) read(ctx context.Context, fn func(*books.Books)) error {
	n := r.f.Centre()[0].Node()
	return n.Replica().Read(ctx, 0, func(uint64) { fn(n.Books()) })
}

func (r *run) totals(ctx context.Context) (t books.Totals, err error) {
	err = r.read(ctx, func(b *books.Books) { t = b.Totals() })
	return t, err
}

// figures counts, and says what differs from what must be.
func (r *run) figures(ctx context.Context, wall time.Duration) (Figures, error) {
	verified, err := r.f.CheckBooks(ctx)
	t, readErr := r.totals(ctx)
	count := r.drive.count()
	g := Figures{
		ReceiptsRead: r.report.ReceiptsRead, LinesRead: r.report.LinesRead, RowsRefused: r.report.RowsRefused,
		ReceiptsRefused: r.drive.refused.Load(), ReceiptsCommitted: r.drive.kept.Load(),
		ReceiptsAnonymous: count.Anonymous, Customers: len(count.Customers),
		DuplicatesRefused: r.drive.repeated.Load() + int64(t.Repeats-r.before),
		PointsIssued:      -t.Issued, PointsReturned: t.Returned, PointsBalance: t.Shopper, PointsDebt: -t.Debt,
		BooksTransactions: t.Transactions, WallSeconds: wall.Seconds(),
	}
	if len(verified.Nodes) > 0 {
		g.BooksDigest = verified.Nodes[0].Digest.String()
	}
	errs := []error{err, readErr, r.compare(ctx, &g, t, count)}
	g.ReceiptsPerSecond = float64(g.ReceiptsCommitted) / max(wall.Seconds(), 1e-9)
	p50, p99 := percentiles(r.drive.answered)
	g.CommitP50, g.CommitP99 = p50.Microseconds(), p99.Microseconds()
	p50, p99 = percentiles(r.watch.posted)
	g.PostedP50, g.PostedP99 = p50.Seconds()*1e3, p99.Seconds()*1e3
	if q := r.drive.quotes; q != nil {
		if g.Quotes = q.figures(r.drive); g.Quotes.Differ > 0 {
			errs = append(errs, fmt.Errorf("%w: %d answers have other prices or points than the independent count", ErrDiffers, g.Quotes.Differ))
		}
	}
	err = errors.Join(errs...)
	g.BooksOK = err == nil
	return g, err
}

// compare holds the books to the receipts: each that a till answered for is posted; and every
// customer has what an independent count of those gives, unless the books hold other receipts too.
func (r *run) compare(ctx context.Context, g *Figures, t books.Totals, count sales.Count) error {
	var errs []error
	wrong, same := 0, t.Posted == uint64(r.drive.kept.Load())
	err := r.read(ctx, func(b *books.Books) {
		for i := range r.receipts {
			switch posted := b.Posted(r.receipts[i].RID); {
			case posted:
				g.ReceiptsPosted++
			case r.drive.answered[i].Load() != 0:
				g.Lost++
			}
		}
		if !same {
			return
		}
		for customer, want := range count.Customers {
			got, _ := b.Shopper(r.f.Cards().Account(customer))
			if got.Balance != want.Points || got.Debt != want.Debt {
				wrong++
			}
		}
	})
	if g.Lost > 0 {
		errs = append(errs, fmt.Errorf("%w: %d receipts are lost", ErrDiffers, g.Lost))
	}
	if wrong > 0 {
		errs = append(errs, fmt.Errorf("%w: %d customers have another balance than the independent count", ErrDiffers, wrong))
	}
	if n := r.drive.silent.Load(); n > 0 {
		errs = append(errs, fmt.Errorf("%w: %d receipts could not be sold", ErrDiffers, n))
	}
	switch {
	case same && (-t.Issued != count.Issued || t.Returned != count.Returned):
		errs = append(errs, fmt.Errorf("%w: issued %d and returned %d, the independent count is %d and %d",
			ErrDiffers, -t.Issued, t.Returned, count.Issued, count.Returned))
	case !same:
		fmt.Fprintf(r.out, "the books hold %d receipts, %d of them are this run's: balances are not compared with its count\n",
			t.Posted, g.ReceiptsPosted)
	}
	return errors.Join(append(errs, err)...)
}

// percentiles gives the 50th and the 99th of the values that are not zero.
func percentiles(values []atomic.Int64) (p50, p99 time.Duration) {
	got := make([]int64, 0, len(values))
	for i := range values {
		if v := values[i].Load(); v != 0 {
			got = append(got, v)
		}
	}
	if len(got) == 0 {
		return 0, 0
	}
	slices.Sort(got)
	return time.Duration(got[len(got)/2]), time.Duration(got[len(got)*99/100])
}

func (r *run) print(g Figures) {
	for _, text := range r.drive.said {
		fmt.Fprintln(r.out, text)
	}
	fmt.Fprintf(r.out, "%d receipts read, %d posted, %d lost, %d duplicates refused, in %.1f s: %.0f receipts/s\n",
		g.ReceiptsRead, g.ReceiptsPosted, g.Lost, g.DuplicatesRefused, g.WallSeconds, g.ReceiptsPerSecond)
	fmt.Fprintf(r.out, "answered p50 %d us, p99 %d us; posted p50 %.1f ms, p99 %.1f ms\n", g.CommitP50, g.CommitP99, g.PostedP50, g.PostedP99)
	fmt.Fprintf(r.out, "%d customers: %d points issued, %d returned; balances %d, debt %d\n",
		g.Customers, g.PointsIssued, g.PointsReturned, g.PointsBalance, g.PointsDebt)
	if g.Quotes != nil {
		g.Quotes.print(r.out)
	}
	verdict := "the books are in order on every node"
	if !g.BooksOK {
		verdict = "THE BOOKS DIFFER"
	}
	fmt.Fprintf(r.out, "%s (digest %.16s)\n", verdict, g.BooksDigest)
}

func (r *run) write(ctx context.Context, g Figures) error {
	if r.cmd.JSON != "" {
		if err := writeJSON(r.cmd.JSON, g); err != nil {
			return err
		}
	}
	if r.cmd.Balances != "" {
		return r.writeBalances(ctx, r.cmd.Balances)
	}
	return nil
}

// writeJSON writes a file whole or not at all: whoever waits for it may read it as soon as it is there.
// What is there and no file, such as /dev/stdout, is written to as it is.
func writeJSON(path string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	target := path + ".new"
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		target = path
	}
	err = os.WriteFile(target, append(b, '\n'), 0o644)
	if err == nil && target != path {
		err = os.Rename(target, path)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// writeBalances writes every customer of a receipt that was sold, with what the books have for them.
func (r *run) writeBalances(ctx context.Context, path string) error {
	seen := map[string]bool{}
	var customers []string
	sold := r.drive.keptReceipts()
	for i := range sold {
		if c := sold[i].Customer; c != "" && !seen[c] {
			seen[c] = true
			customers = append(customers, c)
		}
	}
	slices.Sort(customers)
	out, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("write balances: %w", err)
	}
	rows := [][]string{{"customer", "points", "debt"}}
	err = r.read(ctx, func(b *books.Books) {
		for _, c := range customers {
			s, _ := b.Shopper(r.f.Cards().Account(c))
			rows = append(rows, []string{c, strconv.FormatInt(s.Balance, 10), strconv.FormatInt(s.Debt, 10)})
		}
	})
	if err := errors.Join(err, csv.NewWriter(out).WriteAll(rows), out.Close()); err != nil {
		return fmt.Errorf("write balances %s: %w", path, err)
	}
	return nil
}

// endpoints are the URLs of every node.
type endpoints struct {
	Centre []endpoint      `json:"centre"`
	Stores []storeEndpoint `json:"stores"`
}

type endpoint struct {
	Name string `json:"name"`
	URL  string `json:"url"`
}

type storeEndpoint struct {
	Store string         `json:"store"`
	URL   string         `json:"url"`
	Tills []tillEndpoint `json:"tills"`
}

type tillEndpoint struct {
	Till string `json:"till"`
	URL  string `json:"url"`
	NATS string `json:"nats,omitempty"`
}

func writeEndpoints(path string, f *fleet.Fleet) error {
	if path == "" {
		return nil
	}
	var e endpoints
	for _, c := range f.Centre() {
		e.Centre = append(e.Centre, endpoint{c.Name(), c.Node().URL()})
	}
	for _, s := range f.Stores() {
		se := storeEndpoint{Store: s.Name(), URL: s.URL()}
		for _, t := range s.Tills() {
			se.Tills = append(se.Tills, tillEndpoint{t.Config().Till.String(), t.URL(), "nats://" + t.Config().NATSListen})
		}
		e.Stores = append(e.Stores, se)
	}
	return writeJSON(path, e)
}
