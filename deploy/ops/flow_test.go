package ops_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tillstream/central/gateway"
	"tillstream/central/stage"
	"tillstream/deploy/ops"
)

// took is a histogram of 1, 10 and 100 ms with so many in each.
func took(counts ...uint64) stage.Histogram {
	h := stage.Histogram{}
	for i, seconds := range []float64{0.001, 0.01, 0.1} {
		h.Count += counts[i]
		h.Buckets = append(h.Buckets, stage.Bucket{Seconds: seconds, Count: h.Count})
	}
	h.Count += counts[3] // and longer
	return h
}

var noon = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

// says is a node that says one thing after the other of the flow, the last again and again.
func says(t *testing.T, looks ...gateway.Flow) (url string, asked *atomic.Int64) {
	t.Helper()
	asked = new(atomic.Int64)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := int(asked.Add(1))
		if r.URL.Path != "/v1/flow" {
			t.Errorf("asked for %s", r.URL.Path)
		}
		if err := json.NewEncoder(w).Encode(looks[min(n, len(looks))-1]); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(srv.Close)
	return srv.URL, asked
}

// look is what a node says of two stages after so many seconds.
func look(node string, seconds int, in uint64, h stage.Histogram) gateway.Flow {
	until := noon.Add(10 * time.Minute)
	return gateway.Flow{
		Node: node, At: noon.Add(time.Duration(seconds) * time.Second), Events: 12345,
		Stages: []gateway.FlowStage{
			{
				Stage: "dec", Pending: 70, UnderWay: 5, DeadLetters: 2, Oldest: &gateway.Unhandled{ID: "aa", Age: 93.2},
				Counts: stage.Counts{In: in, Out: in / 2, Again: in / 10, Took: h},
			},
			{Stage: "tim", PausedUntil: &until},
		},
		Parts: []stage.Part{{From: "cpp", To: "dec", Took: h}},
	}
}

// Rates are of the time between two looks, at each node by its own clock; latencies of all nodes together.
func TestFlowTable(t *testing.T) {
	t.Parallel()
	one, _ := says(t, look("c1", 0, 1000, took(40, 40, 10, 0)), look("c1", 2, 1200, took(50, 40, 10, 0)))
	other, _ := says(t, look("c2", 0, 500, took(0, 0, 0, 0)), look("c2", 4, 40, took(0, 50, 40, 10))) // started anew
	args := []string{"--centre", one, "--centre", other, "flow", "--every", "1ms"}
	out, err := tool(t, args...)
	if err != nil {
		t.Fatal(err)
	}
	const want = `2026-11-27T12:00:02Z  c1 c2  12345 events kept

STAGE  IN/S   OUT/S  AGAIN/S  PENDING  UNDER WAY  OLDEST  P50  P90   P99    DEAD  PAUSED UNTIL
dec    110.0  55.0   11.0     70       5          1m33.2s  6.0  82.0  100.0  2     -
tim    0.0    0.0    0.0      0        0          -        -    -     -      0     2026-11-27T12:10:00Z

FROM  TO   EVENTS  P50  P90   P99
cpp   dec  200     6.0  82.0  100.0

latency in milliseconds, since the nodes started
`
	if squeezed(out) != squeezed(want) {
		t.Errorf("got\n%s\nwant\n%s", out, want)
	}
	var table ops.FlowTable
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	out, err = tool(t, "--centre", one, "--centre", gone.URL, "--json", "flow", "--once", "--every", "1ms")
	fails(t, err, gone.URL, "Is the node up?")
	if err := json.Unmarshal([]byte(out), &table); err != nil || len(table.Nodes) != 1 || len(table.Stages) != 2 || table.Stages[0].Took.Count != 100 {
		t.Errorf("one of two nodes: %+v, %v", table, err)
	}
	_, err = tool(t, "--centre", gone.URL, "flow")
	fails(t, err, gone.URL, "Is the node up?")
}

// squeezed leaves out how wide columns are.
func squeezed(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	return strings.Join(lines, "\n")
}

// On a terminal it goes on until it is told to stop, also while no node answers, and that is no error.
func TestFlowLive(t *testing.T) {
	t.Parallel()
	node, asked := says(t, look("c1", 0, 1, took(1, 0, 0, 0)), look("c1", 1, 2, took(2, 0, 0, 0)), gateway.Flow{})
	terminal, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0) // a device of characters, as a terminal is
	if err != nil {
		t.Fatal(err)
	}
	defer terminal.Close() //nolint:errcheck // nothing was kept
	ctx, stop := context.WithCancel(within(t, time.Minute))
	defer stop()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	done := make(chan error, 1)
	go func() { done <- toolTo(ctx, t, terminal, "--centre", node, "flow", "--every", "1ms") }()
	for asked.Load() < 5 {
		select {
		case <-tick.C:
		case err := <-done:
			t.Fatalf("it ended: %v", err)
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestNoFlowHere(t *testing.T) {
	t.Parallel()
	url := centre(t, settings(t), asItIs).URL()
	for _, args := range [][]string{
		{"flow"}, {"flow", "pause", "dec"}, {"flow", "resume", "dec"}, {"flow", "settings", "show"}, {"flow", "templates", "ls"},
		{"trace", "x"}, {"dlq", "ls"}, {"dlq", "show", "1"}, {"dlq", "replay", "1"}, {"dlq", "discard", "1"}, {"progress", "ls"},
	} {
		_, err := tool(t, append([]string{"--centre", url}, args...)...)
		fails(t, err, "409 no-flow", "set flow: true", "Name a node of a centre that runs the flow")
	}
}

func TestTracePrinted(t *testing.T) {
	t.Parallel()
	trace := gateway.Trace{
		ID: "aa", From: noon, Read: 2_000_000, Stopped: "after 2000000 events, of which 2 belong to it", Next: 77,
		Ways: []gateway.Way{{
			Account: "a0", Promo: "STAMPS", Attempt: "2026-W48", Status: "REWARD_AWARDED",
			Events: []gateway.TracedEvent{
				{Sequence: 3, Subject: "eu1.acme.cpp.activity", ID: "aa", From: "cpp", Stage: "dec", State: gateway.Handled},
				{Sequence: 4, Subject: "acme.decided.events", ID: "bb", From: "fred", Stage: "bcg", State: gateway.Given, Again: true},
			},
			Passed: []gateway.Passed{
				{Point: "cpp", At: noon}, {Point: "dec", At: noon.Add(1500 * time.Microsecond), Millis: 1.5},
				{Point: "osg", At: noon.Add(time.Second), Millis: 998.5},
			},
			Outcome: gateway.Outcome{Text: "its message was shown", Message: "cc", Claim: json.RawMessage(`{"shown":true}`), Tombstone: json.RawMessage(`{}`)},
		}},
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if got := r.URL.String(); got != "/v1/flow/trace/a%2Fb?after=5&since=6h0m0s" {
			t.Errorf("asked for %s", got)
		}
		if err := json.NewEncoder(w).Encode(trace); err != nil {
			t.Error(err)
		}
	}))
	defer srv.Close()
	out, err := tool(t, "--centre", srv.URL, "trace", "a/b", "--since", "6h", "--after", "5")
	if err != nil {
		t.Fatal(err)
	}
	const want = `STAMPS 2026-W48 REWARD_AWARDED, account a0

SEQUENCE FROM SUBJECT TO STATE EVENT
3 cpp eu1.acme.cpp.activity dec handled aa
4 fred acme.decided.events bcg given out, came again bb

PASSED AT AFTER
cpp 2026-11-27T12:00:00.000Z -
dec 2026-11-27T12:00:00.001Z 1.5 ms
osg 2026-11-27T12:00:01.000Z 998.5 ms
in all 1000.0 ms

its message was shown
message cc, claim {"shown":true}, deleted {}

2000000 events looked at, from 2026-11-27T12:00:00Z on
the flow's stream was not read to its end: stopped after 2000000 events, of which 2 belong to it; go on with --after 77`
	if squeezed(out) != squeezed(want) {
		t.Errorf("got\n%s\nwant\n%s", out, want)
	}
}
