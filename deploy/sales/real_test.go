package sales

import (
	"errors"
	"io/fs"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
)

// year is the real file, which stays out of the repository: it lies in the folder shared beside it.
var year = sync.OnceValues(func() ([]Receipt, Report) {
	path := filepath.Join("..", "..", "..", "shared", "data", "online_retail.csv.gz")
	receipts, report, err := Open(path, OnlineRetail())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, Report{}
	}
	if err != nil {
		panic(err)
	}
	return receipts, report
})

func readYear(t testing.TB) ([]Receipt, Report) {
	t.Helper()
	receipts, report := year()
	if receipts == nil {
		t.Skip("the Online Retail file is not beside the repository, in shared/data")
	}
	return receipts, report
}

// The figures come from a count in another language, on the same file.
func TestOnlineRetailYear(t *testing.T) {
	t.Parallel()
	receipts, report := readYear(t)
	lines, customers, returns, longest := 0, map[string]bool{}, 0, 0
	for i := range receipts {
		r := &receipts[i]
		lines += len(r.Lines)
		longest = max(longest, len(r.Lines))
		if r.Customer != "" {
			customers[r.Customer] = true
		}
		if r.Return {
			returns++
		}
	}
	c := CountPoints(receipts)
	for _, row := range []struct {
		what      string
		got, want int64
	}{
		{"lines read", int64(report.LinesRead), 541_909},
		{"rows refused", int64(report.RowsRefused), 0},
		{"receipts read", int64(report.ReceiptsRead), 25_900},
		{"receipts", int64(len(receipts)), 25_900},
		{"lines kept", int64(lines), 541_909},
		{"customers", int64(len(customers)), 4_372},
		{"customers counted", int64(len(c.Customers)), 4_372},
		{"returns", int64(returns), 3_836},
		{"lines of the longest", int64(longest), 1_114},
		{"anonymous", int64(c.Anonymous), 3_710},
		{"points issued", c.Issued, 8_902_670},
		{"points returned", c.Returned, 609_431},
		{"balances", c.Balance, 8_306_446},
		{"debt", c.Debt, 13_207},
	} {
		if row.got != row.want {
			t.Errorf("%s: got %d, want %d", row.what, row.got, row.want)
		}
	}
}

func BenchmarkReadYear(b *testing.B) {
	readYear(b)
	path := filepath.Join("..", "..", "..", "shared", "data", "online_retail.csv.gz")
	runtime.GC()
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := Open(path, OnlineRetail()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkBody(b *testing.B) {
	receipts, _ := readYear(b)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		receipts[i%len(receipts)].Body("0001", "01")
		i++
	}
}
