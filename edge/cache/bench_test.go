package cache_test

import (
	"encoding/binary"
	"testing"

	"tillstream/kv/record"
)

func account(n int) (a record.AccountID) {
	binary.BigEndian.PutUint64(a[:], uint64(n)*0x9e3779b97f4a7c15)
	return a
}

func BenchmarkShopper(b *testing.B) {
	const n = 100_000
	c := openNew(b)
	for i := 0; i < n; i += 1000 {
		p := page(uint64(i + 1))
		for k := range 1000 {
			p.Items = append(p.Items, item(account(i+k), record.Shopper{Balance: int64(k)}))
		}
		apply(b, c, p)
	}
	b.Run("1", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			if _, ok, err := c.Shopper(account(i * 7919 % n)); !ok || err != nil {
				b.Fatal(ok, err)
			}
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.RunParallel(func(pb *testing.PB) {
			for i := 0; pb.Next(); i++ {
				if _, ok, err := c.Shopper(account(i * 7919 % n)); !ok || err != nil {
					b.Error(ok, err)
				}
			}
		})
	})
}

func BenchmarkApply(b *testing.B) {
	for _, size := range []int{1, 20, 1000} {
		b.Run(map[int]string{1: "1", 20: "20", 1000: "1000"}[size], func(b *testing.B) {
			c := openNew(b)
			for i := 0; b.Loop(); i++ {
				p := counted(page(uint64(i+1)), here, uint64(i))
				for k := range size {
					p.Items = append(p.Items, item(account((i*size+k)%50_000), record.Shopper{Balance: int64(k)}))
				}
				apply(b, c, p)
			}
			b.ReportMetric(float64(b.N*size)/b.Elapsed().Seconds(), "items/s")
		})
	}
}

func BenchmarkOverlay(b *testing.B) {
	c := openNew(b)
	for i := 1; b.Loop(); i++ {
		c.Overlay([]record.Header{sale(here, uint64(i), account(i%10_000), 10)})
	}
}

func BenchmarkPage(b *testing.B) {
	c := openNew(b)
	p := page(1)
	for i := range 5000 {
		p.Items = append(p.Items, item(account(i), record.Shopper{Balance: 1}))
	}
	apply(b, c, p)
	for b.Loop() {
		if _, err := c.Page(record.Pull{Limit: 1000}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N*1000)/b.Elapsed().Seconds(), "items/s")
}
