package sales

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"tillstream/kv/record"
)

var newYear = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func TestGenerateIsTheSameForASeed(t *testing.T) {
	t.Parallel()
	a, b, c := Generate(300, 1, newYear), Generate(300, 1, newYear), Generate(300, 2, newYear)
	if !reflect.DeepEqual(a, b) {
		t.Error("the same seed gives other receipts")
	}
	if reflect.DeepEqual(a[0].Lines, c[0].Lines) || a[0].RID == c[0].RID {
		t.Error("another seed gives the same receipts")
	}
	if n := len(Generate(0, 1, newYear)); n != 0 {
		t.Errorf("none wanted, got %d", n)
	}
	if n := len(Generate(1, 1, newYear)); n != 1 {
		t.Errorf("one wanted, got %d", n)
	}
}

// The mix must have all that the real year has, or a demo without the file shows less.
func TestGenerateMix(t *testing.T) {
	t.Parallel()
	const n = 6000
	receipts := Generate(n, 42, newYear)
	var lines, returns, anonymous, corrections, longest, weighed int
	rids, numbers := map[record.RID]bool{}, map[string]bool{}
	var last time.Time
	for i := range receipts {
		r := &receipts[i]
		rids[r.RID], numbers[r.Number] = true, true
		lines += len(r.Lines)
		longest = max(longest, len(r.Lines))
		if r.Return {
			returns++
		}
		if r.Customer == "" {
			anonymous++
		}
		if r.At.Before(last) || r.Currency != "GBP" || len(r.Lines) == 0 || r.Return != strings.HasPrefix(r.Number, "C") {
			t.Fatalf("receipt %d: %+v", i, r)
		}
		last = r.At
		for _, l := range r.Lines {
			if strings.Contains(l.Quantity, ".") {
				weighed++
			}
			if strings.HasPrefix(l.Quantity, "-") {
				corrections++
			}
			if r.Return && l.Amount < 0 {
				t.Fatalf("return %s gives %+v", r.Number, l)
			}
		}
	}
	if len(rids) != n || len(numbers) != n {
		t.Errorf("%d rids and %d numbers of %d receipts", len(rids), len(numbers), n)
	}
	for _, c := range []struct {
		what           string
		got, low, high int
	}{
		{"lines a receipt", lines / n, 17, 25},
		{"lines of the longest", longest, 400, record.MaxLines},
		{"returns", returns, n * 12 / 100, n * 18 / 100},
		{"anonymous", anonymous, n * 11 / 100, n * 18 / 100},
		{"corrections", corrections, n * 3 / 100, n * 7 / 100},
		{"weighed lines", weighed, 1, lines / 20},
	} {
		if c.got < c.low || c.got > c.high {
			t.Errorf("%s: got %d, want %d to %d", c.what, c.got, c.low, c.high)
		}
	}
}

// What comes back of a sale is never more than was sold, and of each sale only once.
func TestGeneratedReturnsComeOfSales(t *testing.T) {
	t.Parallel()
	receipts := Generate(3000, 3, newYear)
	sold := map[string]map[Line]int{}
	linked, unlinked := 0, 0
	for i := range receipts {
		r := &receipts[i]
		if r.Customer == "" {
			continue
		}
		if sold[r.Customer] == nil {
			sold[r.Customer] = map[Line]int{}
		}
		known := false
		for _, l := range r.Lines {
			if !r.Return {
				sold[r.Customer][l]++
			} else if sold[r.Customer][l] > 0 {
				sold[r.Customer][l]--
				known = true
			}
		}
		if r.Return && known {
			linked++
		} else if r.Return {
			unlinked++
		}
	}
	if linked < 3*unlinked || unlinked == 0 {
		t.Errorf("%d returns of sales, %d of what was bought before", linked, unlinked)
	}
}

func TestCountPoints(t *testing.T) {
	t.Parallel()
	sale := func(customer string, amounts ...int64) Receipt {
		r := Receipt{Customer: customer, Currency: "GBP"}
		for _, a := range amounts {
			r.Lines = append(r.Lines, Line{Quantity: "1", Amount: a})
		}
		return r
	}
	back := func(customer string, amounts ...int64) Receipt {
		r := sale(customer, amounts...)
		r.Return = true
		return r
	}
	got := CountPoints([]Receipt{
		back("debtor", 1099),      // takes 10 there are not
		sale("debtor", 350, 349),  // gives 6 that repay
		sale("a", 99),             // nothing
		sale("b", 1000, -1, -500), // 4: the sum counts, not the lines
		sale("c", -5000),          // nothing is taken by a sale
		sale("", 100_000),         // to nobody
		sale("d", 10_000), back("d", 9_950), back("d", 49),
	})
	want := Count{
		Customers: map[string]Account{"debtor": {Debt: 4}, "a": {}, "b": {Points: 4}, "c": {}, "d": {Points: 1}},
		Issued:    110, Returned: 109, Balance: 5, Debt: 4, Anonymous: 1,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestCountOfGeneratedIsConsistent(t *testing.T) {
	t.Parallel()
	for seed := range uint64(5) {
		receipts := Generate(1000, seed, newYear)
		c := CountPoints(receipts)
		var points, debt int64
		for customer, a := range c.Customers {
			if a.Points < 0 || a.Debt < 0 || a.Points > 0 && a.Debt > 0 {
				t.Errorf("customer %s has %+v", customer, a)
			}
			points += a.Points
			debt += a.Debt
		}
		if points != c.Balance || debt != c.Debt || c.Balance-c.Debt != c.Issued-c.Returned {
			t.Errorf("seed %d: %d points and %d debt in accounts, the count says %d, %d, %d issued, %d returned",
				seed, points, debt, c.Balance, c.Debt, c.Issued, c.Returned)
		}
		if c.Issued == 0 || c.Returned == 0 || c.Debt == 0 || c.Anonymous == 0 {
			t.Errorf("seed %d shows too little: %+v", seed, c)
		}
		for i, j := 0, len(receipts)-1; i < j; i, j = i+1, j-1 {
			receipts[i], receipts[j] = receipts[j], receipts[i]
		}
		if !reflect.DeepEqual(CountPoints(receipts), c) {
			t.Error("the order of receipts matters")
		}
	}
}
