package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"tillstream/central"
)

// A node in a process of its own, which answers lines on its standard input. It ends when its input does, so
// that none outlives a bench that is killed. A centre node says who writes and who leads, or hands the
// stream's leadership over; what a till's node says is in served.go.

// askHealth asks for a health; anything else names the node that shall lead the stream.
const askHealth = "health"

// health is what a node's process says, as a line of JSON.
type health struct {
	Error   string `json:"error,omitempty"`
	Writer  string `json:"writer"`  // node that writes the journal; empty: nobody
	Entry   uint64 `json:"entry"`   // last that this node has folded
	Leader  string `json:"leader"`  // node that leads the journal's stream
	Current int    `json:"current"` // replicas of the stream that are up to date, its leader among them
}

// obey runs the node of a configuration and answers lines until there are no more.
func obey(ctx context.Context, config string, in io.Reader, out io.Writer, log *slog.Logger) error {
	cfg, err := central.ReadConfig(config)
	if err != nil {
		return err
	}
	n, err := central.Open(cfg, log)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	ran := make(chan error, 1)
	var wg sync.WaitGroup
	wg.Go(func() { ran <- n.Run(ctx) })
	encoder := json.NewEncoder(out)
	for lines := bufio.NewScanner(in); lines.Scan() && err == nil; {
		h, herr := answer(ctx, n, &cfg, lines.Text())
		if herr != nil {
			h = health{Error: herr.Error()}
		}
		err = encoder.Encode(h)
	}
	cancel()
	wg.Wait()
	return errors.Join(err, <-ran, n.Close())
}

func answer(ctx context.Context, n *central.Node, cfg *central.Config, line string) (health, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	stream := cfg.Net().JournalStream()
	if line != askHealth {
		place := map[string]any{"placement": map[string]string{"preferred": line}}
		data, err := json.Marshal(place)
		if err != nil {
			return health{}, err
		}
		_, err = n.Conn().RequestWithContext(ctx, "$JS.API.STREAM.LEADER.STEPDOWN."+stream, data)
		return health{}, err
	}
	js, err := jetstream.New(n.Conn())
	if err != nil {
		return health{}, err
	}
	s, err := js.Stream(ctx, stream)
	if err != nil {
		return health{}, err
	}
	status := n.Replica().Status()
	h := health{Writer: status.Writer, Entry: status.Entry}
	if c := s.CachedInfo().Cluster; c != nil && c.Leader != "" {
		h.Leader, h.Current = c.Leader, 1
		for _, r := range c.Replicas {
			if r.Current && !r.Offline {
				h.Current++
			}
		}
	}
	return h, nil
}

// process is a node's process, seen from the bench.
type process struct {
	name   string
	flag   string // of this program, by which it knows what to run
	config string
	leaf   string // where stores join
	log    string // file of its standard error

	cmd *exec.Cmd // nil: it is down
	in  io.WriteCloser
	out *bufio.Reader
}

// start starts this binary once more, as a node.
func (p *process) start(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("start node %s: %w", p.name, err)
	}
	errs, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("start node %s: %w", p.name, err)
	}
	defer errs.Close() //nolint:errcheck // the process has its own
	cmd := exec.CommandContext(ctx, self, "bench", p.flag, p.config)
	cmd.Stderr = errs
	if p.in, err = cmd.StdinPipe(); err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	p.out = bufio.NewReader(out)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start node %s: %w", p.name, err)
	}
	p.cmd = cmd
	return nil
}

// say sends a line and reads what the process says to it, as JSON. Whoever waits is woken when ctx of start
// ends, as the process is killed then.
func (p *process) say(line string, to any) error {
	if p.cmd == nil {
		return fmt.Errorf("node %s is down", p.name)
	}
	if _, err := io.WriteString(p.in, line+"\n"); err != nil {
		return fmt.Errorf("ask node %s: %w", p.name, err)
	}
	b, err := p.out.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("node %s has ended, see %s: %w", p.name, p.log, err)
	}
	if err := json.Unmarshal(b, to); err != nil {
		return fmt.Errorf("node %s says %.100q: %w", p.name, b, err)
	}
	return nil
}

// ask asks a centre node.
func (p *process) ask(line string) (h health, err error) {
	if err = p.say(line, &h); err == nil && h.Error != "" {
		err = fmt.Errorf("node %s: %s", p.name, h.Error)
	}
	return h, err
}

// kill ends the process as kill -9 does, and waits for its end.
func (p *process) kill() error {
	if p.cmd == nil {
		return nil
	}
	err := p.cmd.Process.Kill()
	if errors.Is(err, os.ErrProcessDone) {
		err = nil
	}
	_ = p.cmd.Wait() // it says that the process was killed
	p.cmd = nil
	return err
}
