package daemon

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"tillstream/edge"
	"tillstream/edge/api"
	"tillstream/edge/journal"
	"tillstream/kv/seal"
)

// EdgeStatus is `tillstream edge status`.
type EdgeStatus struct {
	which `embed:""`
}

// Status is what a store keeper asks before touching a node.
type Status struct {
	Running bool       `json:"running"`
	Node    api.Health `json:"node"` // of a node that does not run: what its files say
	Damaged []string   `json:"damaged,omitempty"`
	Safe    bool       `json:"safe_to_wipe"`
	Verdict string     `json:"verdict"`

	config string // file of the configuration, for what is said
}

// ErrNotSafe is the exit status 1 of a node that should not be wiped.
var ErrNotSafe = errors.New("not safe to wipe")

// quietAfter is the age of the upstream's last answer from which the link counts as down.
const quietAfter = time.Minute

// Run prints the status, and ends with ErrNotSafe unless everything on the node's disk is elsewhere too.
func (e *EdgeStatus) Run(ctx context.Context, stdout io.Writer) error {
	door, cfg, err := e.open()
	if err != nil {
		return err
	}
	s := &Status{Running: true, config: e.Config}
	err = door.ask(ctx, "GET", "/v1/health", &s.Node)
	switch {
	case errors.Is(err, errStopped) && e.Config != "":
		s.Running = false
		s.stopped(cfg)
	case err != nil:
		return err
	default:
		s.judge()
	}
	if e.Config != "" {
		s.damaged(cfg.Data)
	}
	if err := e.print(stdout, s, s.print); err != nil {
		return err
	}
	if !s.Safe {
		return ErrNotSafe
	}
	return nil
}

// stopped looks at the files of a node that does not run.
func (s *Status) stopped(cfg edge.Config) {
	h := &s.Node
	h.Store, h.Till, h.Upstream.None = cfg.Store.String(), cfg.Till.String(), len(cfg.Upstream) == 0
	path, keys := filepath.Join(cfg.Data, "journal.db"), filepath.Join(cfg.Data, "keyring")
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		s.Safe, s.Verdict = true, "there is no journal here, nothing to lose"
		return
	}
	if _, err := os.Stat(keys); err != nil {
		s.Verdict = "NOT safe to wipe: the key ring cannot be read, so nobody knows what the journal holds. Start the node: it asks its upstream for the keys."
		return
	}
	ring, err := seal.OpenRing(keys)
	if err == nil {
		err = journal.Read(journal.Config{Path: path, Ring: ring, Store: cfg.Store, Till: cfg.Till}, s.read)
	}
	switch {
	case errors.Is(err, journal.ErrLocked):
		s.Verdict = "NOT safe to wipe: the node runs, but does not answer at its address. Ask again, or name its address with --url."
	case errors.Is(err, journal.ErrDamaged):
		s.Verdict = "NOT safe to wipe: the journal is damaged. Start the node: it saves what can be read, and says what it could not."
	case err != nil:
		s.Verdict = fmt.Sprintf("NOT safe to wipe: %v", err)
	default:
		s.judge()
	}
}

// read takes from a journal what a running node's health says of it.
func (s *Status) read(j *journal.Journal) {
	backlog := func(records int, oldest time.Time) api.Backlog {
		b := api.Backlog{Records: records}
		if records > 0 {
			ms := time.Since(oldest).Milliseconds()
			b.OldestAgeMS = &ms
		}
		return b
	}
	s.Node.Unconfirmed = backlog(j.Unconfirmed())
	s.Node.Unposted = backlog(j.Unposted())
	s.Node.Aside.Records, _ = j.AsideRecords() // the file was read whole just now
}

func (s *Status) upstream() string {
	if s.Node.Till == "" {
		return "the centre"
	}
	return "the store's server"
}

// judge says in one sentence whether the disk may go, and what to do if not.
func (s *Status) judge() {
	h := &s.Node
	// What came aside at a store is no chain's record here, and counts beside.
	only := max(h.Unconfirmed.Records, h.Aside.Records)
	switch {
	case only == 0 && h.Unposted.Records > 0:
		s.Safe, s.Verdict = true, fmt.Sprintf("0 unconfirmed, safe to wipe; but not %s too, before the centre has posted the %d that it holds",
			s.upstream(), h.Unposted.Records)
	case only == 0:
		s.Safe, s.Verdict = true, "0 unconfirmed, safe to wipe"
	case h.Upstream.None:
		s.Verdict = fmt.Sprintf("NOT safe to wipe: %d records are only here, and the node has no upstream", only)
	case h.Aside.Records > 0:
		s.Verdict = fmt.Sprintf("NOT safe to wipe: %d records are only here, %s refuses %d of them; see them with `tillstream edge aside%s`, and have them posted with --rehome",
			only, s.upstream(), h.Aside.Records, s.named())
	default:
		s.Verdict = fmt.Sprintf("NOT safe to wipe: %d records are only here; %s", only, s.advice())
	}
}

func (s *Status) named() string {
	if s.config == "" {
		return ""
	}
	return " --config " + s.config
}

// advice is how they get away from here.
func (s *Status) advice() string {
	switch age := s.Node.Upstream.LastAnswerAgeMS; {
	case !s.Running:
		return "start the node with the link to " + s.upstream() + " up, and ask again. If it cannot run: keep journal.db and keyring, and give them to the node that replaces it"
	case age == nil || time.Duration(*age)*time.Millisecond > quietAfter:
		return s.upstream() + " does not answer: mend the link, and ask again. If that cannot be: stop the node, keep journal.db and keyring, and give them to the node that replaces it"
	}
	return "they are on their way to " + s.upstream() + ": ask again in a moment"
}

// damaged lists what a salvage has kept.
func (s *Status) damaged(dir string) {
	names, err := filepath.Glob(filepath.Join(dir, "journal.db.damaged-*"))
	if err == nil { // the pattern is right
		s.Damaged = names
	}
}

func (s *Status) print(b *bytes.Buffer) {
	h := &s.Node
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	line := func(name, format string, args ...any) { fmt.Fprintf(t, name+"\t"+format+"\n", args...) }
	line("store", "%s", h.Store)
	if h.Till != "" {
		line("till", "%s", h.Till)
	}
	if s.Running {
		line("runs", "version %s", h.Version)
		switch {
		case h.Upstream.None:
			line("upstream", "none")
		default:
			line("upstream", "%s, last answer %s", s.upstream(), ago(h.Upstream.LastAnswerAgeMS))
		}
		line("cache", "%d records, %.1f MB, last answer of the feed %s", h.Cache.Items, float64(h.Cache.Bytes)/1e6, ago(h.Cache.LastAnswerAgeMS))
		line("prices", "by revision %d, %d items", h.Programme.Revision, h.Programme.Items)
		for _, f := range h.Programme.Faults {
			line("fault", "%s %s of entry %d: %s; put another revision at the centre", f.Kind, f.ID, f.Entry, strings.ReplaceAll(f.Error, "\n", "; "))
		}
		disk := "ok"
		if h.Disk.Full {
			disk = "FULL: receipts go to the reserve"
		}
		line("disk", "%s, %.1f MB free, %.1f MB in reserve for receipts", disk, float64(max(h.Disk.FreeBytes, 0))/1e6, float64(h.Disk.ReserveBytes)/1e6)
		line("keys", "%s", map[bool]string{true: "a sealed copy is at " + s.upstream(), false: "only here"}[h.Keyring.AtUpstream])
	} else {
		line("runs", "no: this is what its files say")
	}
	line("unconfirmed", "%d%s", h.Unconfirmed.Records, since(h.Unconfirmed.OldestAgeMS))
	line("not posted", "%d%s", h.Unposted.Records, since(h.Unposted.OldestAgeMS))
	line("set aside", "%d", h.Aside.Records)
	for _, name := range s.Damaged {
		line("damaged", "%s: what a salvage could not read is in it", name)
	}
	_ = t.Flush() // a buffer takes everything
	fmt.Fprintf(b, "%s.\n", s.Verdict)
}

func ago(ms *int64) string {
	if ms == nil {
		return "never"
	}
	return (time.Duration(*ms) * time.Millisecond).Round(time.Second).String() + " ago"
}

func since(ms *int64) string {
	if ms == nil {
		return ""
	}
	return ", the oldest since " + (time.Duration(*ms) * time.Millisecond).Round(time.Second).String()
}
