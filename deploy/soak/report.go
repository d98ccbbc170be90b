package soak

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"tillstream/deploy/laws"
)

// report prints what there was.
func (w *world) report(h laws.History) {
	out := func(format string, args ...any) { fmt.Fprintf(w.cfg.Out, format+"\n", args...) }
	c := w.counts
	c.mu.Lock()
	defer c.mu.Unlock()
	all, answered := w.sent.totals()
	out("")
	out("receipts   %d sent, %d answered in %d posts, %d of them as had before", all, answered, c.tries, c.repeated)
	out("answers    %d posts at tills that were up and left alone: p50 %s, p99 %s, p99.9 %s, slowest %s; %d late, %d refused",
		c.tries16.Number, short(part(c.took, 500)), short(part(c.took, 990)), short(part(c.took, 999)), short(c.tries16.Slowest),
		len(c.tries16.Late), len(c.tries16.Refused))
	total := 0
	var lines []string
	for _, f := range slices.Sorted(maps.Keys(c.faults)) {
		total += c.faults[f]
		lines = append(lines, fmt.Sprintf("%d %s", c.faults[f], strings.TrimSuffix(string(f), ",")))
	}
	out("faults     %d: %s", total, strings.Join(lines, "; "))
	for _, t := range []tier{atCentre, atStore, atTill} {
		s := c.starts[t]
		out("starts     %d of %ss, to the first answer: p50 %s, p99 %s, slowest %s", len(s), target{tier: t}.kind(),
			short(part(s, 500)), short(part(s, 990)), short(part(s, 1000)))
	}
	out("rest       %d receipts were left to post when all was whole again, which took %s", h.Settled.Backlog, short(h.Settled.Took))
	out("acts       %s", list(c.acts))
	w.reportDisks(h)
	out("%s", strings.Replace(laws.Summary(h), "journal:", "journal   ", 1))
}

// list writes counts down.
func list(counts map[string]int) string {
	var lines []string
	for _, what := range slices.Sorted(maps.Keys(counts)) {
		lines = append(lines, fmt.Sprintf("%d %s", counts[what], what))
	}
	return strings.Join(lines, "; ")
}

// reportDisks says what went with disks, and what that law allows.
func (w *world) reportDisks(h laws.History) {
	out := func(format string, args ...any) { fmt.Fprintf(w.cfg.Out, format+"\n", args...) }
	posted := h.Posted()
	may, lost := map[int]int{}, map[int]int{}
	total := 0
	for rid := range h.Excused {
		step := w.disks.excused[rid].by.step
		may[step]++
		if posted[rid] == 0 {
			lost[step]++
			total++
		}
	}
	out("disks      %d answered receipts had their last copy on a disk that was taken away; %d of them are lost", len(h.Excused), total)
	for _, step := range slices.Sorted(maps.Keys(may)) {
		out("           step %d: %d, lost %d", step, may[step], lost[step])
	}
	out("           (may be lost: what a till had answered for and lay on the old disk, not in the image that took its place,")
	out("           on no other disk of the store, and beyond every mark on the old disk of what the centre has posted)")
}

func short(d time.Duration) string {
	switch {
	case d < 10*time.Millisecond:
		return d.Round(10 * time.Microsecond).String()
	case d < time.Second:
		return d.Round(100 * time.Microsecond).String()
	}
	return d.Round(10 * time.Millisecond).String()
}
