package demo

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"tillstream/deploy/fleet"
)

// showProgress shows how far the receipts have come until ctx ends: a bar on a terminal, else a line
// now and then.
func showProgress(ctx context.Context, out io.Writer, f *fleet.Fleet, d *drive) {
	if file, ok := out.(*os.File); ok {
		if info, err := file.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
			showBar(ctx, out, f, d)
			return
		}
	}
	for sleep(ctx, 2*time.Second) {
		fmt.Fprintf(out, "%d of %d receipts, %s, %s\n", d.done(), len(d.receipts), d.rate(), state(f))
	}
}

func showBar(ctx context.Context, out io.Writer, f *fleet.Fleet, d *drive) {
	p := mpb.New(mpb.WithOutput(out), mpb.WithWidth(40))
	bar := p.AddBar(int64(len(d.receipts)),
		mpb.PrependDecorators(decor.CountersNoUnit("%d/%d"), decor.Any(func(decor.Statistics) string { return " " + d.rate() + " " })),
		mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return d.eta() + " " + state(f) })))
	for sleep(ctx, 100*time.Millisecond) {
		bar.SetCurrent(d.done())
	}
	bar.SetCurrent(d.done())
	bar.Abort(false)
	p.Wait()
}

// rate is receipts a second since the start.
func (d *drive) rate() string {
	return fmt.Sprintf("%.0f receipts/s", float64(d.done())/max(time.Since(d.began).Seconds(), 0.001))
}

// eta is how long the rest takes at the rate so far.
func (d *drive) eta() string {
	done := d.done()
	if done == 0 {
		return "ETA -"
	}
	left := time.Since(d.began) * time.Duration(int64(len(d.receipts))-done) / time.Duration(done)
	return "ETA " + left.Round(time.Second).String()
}

// state says which records wait in each store and its tills, and who is cut or down.
func state(f *fleet.Fleet) string {
	var b strings.Builder
	b.WriteString("waiting")
	for _, s := range f.Stores() {
		waiting, down := 0, ""
		if n := s.Node(); n != nil {
			waiting, _ = n.Waiting()
		} else {
			down = " down"
		}
		for _, t := range s.Tills() {
			if n := t.Node(); n != nil {
				w, _ := n.Waiting()
				waiting += w
			} else {
				down += " till " + t.Name() + " down"
			}
		}
		fmt.Fprintf(&b, " %s:%d%s", s.Name(), waiting, down)
		if s.IsCut() {
			b.WriteString(" CUT")
		}
	}
	for _, c := range f.Centre() {
		if c.Node() == nil {
			b.WriteString(" " + c.Name() + " down")
		}
	}
	return b.String()
}
