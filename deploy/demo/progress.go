package demo

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"tillstream/deploy/fleet"
)

// progress shows how far the receipts have come: a bar on a terminal, else a line now and then.
type progress struct {
	out io.Writer
	f   *fleet.Fleet
	d   *drive
	bar *mpb.Progress // nil: no terminal
	mu  sync.Mutex    // makes one line after the other
}

func newProgress(out io.Writer, f *fleet.Fleet, d *drive) *progress {
	p := &progress{out: out, f: f, d: d}
	if file, ok := out.(*os.File); ok {
		if info, err := file.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
			p.bar = mpb.New(mpb.WithOutput(out), mpb.WithWidth(24))
		}
	}
	return p
}

// say prints a line above the bar.
func (p *progress) say(text string) {
	w := p.out
	if p.bar != nil {
		w = p.bar
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(w, "%5.1f s  %s\n", time.Since(p.d.began).Seconds(), text)
}

// run shows until ctx ends.
func (p *progress) run(ctx context.Context) {
	if p.bar == nil {
		for sleep(ctx, 2*time.Second) {
			p.mu.Lock()
			fmt.Fprintf(p.out, "%d of %d receipts, %s, %s, %s\n", p.d.done(), len(p.d.receipts), p.d.rate(), p.d.eta(), state(p.f))
			p.mu.Unlock()
		}
		return
	}
	text := func(f func() string) decor.Decorator { return decor.Any(func(decor.Statistics) string { return f() }) }
	bar := p.bar.AddBar(int64(len(p.d.receipts)),
		mpb.PrependDecorators(decor.CountersNoUnit("%d/%d "), text(p.d.rate), text(func() string { return " " })),
		mpb.AppendDecorators(text(func() string { return p.d.eta() + " " + state(p.f) })))
	for sleep(ctx, 100*time.Millisecond) {
		bar.SetCurrent(p.d.done())
	}
	bar.SetCurrent(p.d.done())
	bar.Abort(false)
	p.bar.Wait()
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
	left := time.Since(d.began).Seconds() * float64(int64(len(d.receipts))-done) / float64(done)
	return fmt.Sprintf("ETA %.0f s", left)
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
