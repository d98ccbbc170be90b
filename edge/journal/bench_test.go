//go:build unix

package journal

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"tillstream/kv/record"
)

func cpu() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func benchBody() []byte {
	var b strings.Builder
	b.WriteString(`{"currency":"GBP","lines":[`)
	for i := range 21 {
		fmt.Fprintf(&b, `{"item":"%05d","text":"WHITE HANGING HEART T-LIGHT %d","qty":%d,"price":%d},`, 71053+i*37, i*i, i%7, 255+i*13)
	}
	b.WriteString(`{}]}`)
	return []byte(b.String())
}

func BenchmarkCommit(b *testing.B) {
	body := benchBody()
	for _, callers := range []int{1, 64} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			cfg := tillConfig(b)
			cfg.Log = nil
			cfg.Now = time.Now
			j := openT(b, cfg)
			var txs int
			j.file.fault = func(at string) error {
				if at == "kept" {
					txs++
				}
				return nil
			}
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			var left atomic.Int64
			left.Store(int64(b.N))
			runtime.GC()
			used := cpu()
			b.ResetTimer()
			var wg sync.WaitGroup
			for range callers {
				wg.Go(func() {
					for left.Add(-1) >= 0 {
						d := draft("")
						d.RID, d.Data = record.NewRID(time.Now()), body
						if _, _, err := j.Commit(b.Context(), d); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.StopTimer()
			b.ReportMetric(float64((cpu()-used).Microseconds())/float64(b.N), "cpu-us/op")
			b.ReportMetric(float64(b.N)/float64(txs), "receipts/tx")
		})
	}
}
