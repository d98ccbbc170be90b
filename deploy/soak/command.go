package soak

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"tillstream/deploy/laws"
)

// Command is `tillstream soak`.
type Command struct {
	Minutes  float64       `default:"2" placeholder:"N" help:"How long faults go on (2). Coming to rest and the examination take some seconds more."`
	Seed     uint64        `placeholder:"N" help:"Decides everything that happens; the same again for the same sizes. Without it one is drawn, and printed."`
	Stores   int           `default:"3" placeholder:"N" help:"Stores, 1 to 50 (3)."`
	Tills    int           `default:"2" placeholder:"N" help:"Tills in each, 1 to 20 (2)."`
	Rate     int           `default:"90" placeholder:"N" help:"Receipts per second over all tills (90)."`
	Centre   bool          `help:"Only the centre suffers: its nodes are killed, frozen and cut off, one, two or all at a time."`
	Deadline time.Duration `default:"5s" placeholder:"TIME" help:"Within which a till that is up and left alone has to answer (5s)."`
	Dir      string        `placeholder:"DIR" help:"Keep everything there: logs, disks, configurations. Must be empty or missing."`
	Keep     bool          `help:"Keep the directory also when nothing was wrong."`
	Loopback bool          `help:"All nodes on loopback, also where network namespaces could be made."`
	Nodes    string        `name:"log" default:"info" placeholder:"LEVEL" help:"Least level that the nodes log (info)."`

	Inside string `hidden:"" help:"Prefix of the namespaces in whose switch this process runs."`
}

func (c *Command) check() error {
	switch {
	case c.Minutes <= 0 || c.Minutes > 7*24*60:
		return errors.New("--minutes: want more than 0, and at most a week")
	case c.Stores < 1 || c.Stores > 50 || c.Tills < 1 || c.Tills > 20:
		return errors.New("--stores: want 1 to 50; --tills: want 1 to 20")
	case c.Rate < 1 || c.Rate > 1000:
		return errors.New("--rate: want 1 to 1000")
	case c.Deadline <= 0:
		return errors.New("--deadline: want more than 0")
	}
	return nil
}

// Run runs the soak. Where namespaces can be made it makes them, and runs itself again in the one that is
// the switch.
func (c *Command) Run(ctx context.Context, stdout io.Writer, log *slog.Logger) error {
	if err := c.check(); err != nil {
		return err
	}
	if c.Inside != "" {
		return c.soak(ctx, stdout, log)
	}
	for c.Seed == 0 {
		c.Seed = rand.Uint64() >> 32 // short enough to be typed
	}
	fmt.Fprintf(stdout, "seed %d: again by: %s\n", c.Seed, c.line())
	fresh, err := c.directory()
	if err != nil {
		return err
	}
	err = c.somewhere(ctx, stdout, log)
	if fresh && err == nil && !c.Keep {
		return os.RemoveAll(c.Dir)
	}
	fmt.Fprintf(stdout, "seed %d; what there is, is in %s\n", c.Seed, c.Dir)
	return err
}

// line is the command that plays this script again.
func (c *Command) line() string {
	text := fmt.Sprintf("make soak MINUTES=%g SEED=%d", c.Minutes, c.Seed)
	if c.Centre {
		text += " CENTRE=yes"
	}
	if c.Stores != 3 || c.Tills != 2 {
		text = fmt.Sprintf("tillstream soak --minutes %g --seed %d --stores %d --tills %d", c.Minutes, c.Seed, c.Stores, c.Tills)
		if c.Centre {
			text += " --centre"
		}
	}
	return text
}

// directory makes the soak's directory, and reports whether it was made for this soak alone.
func (c *Command) directory() (fresh bool, err error) {
	if c.Dir == "" {
		if c.Dir, err = os.MkdirTemp("", "soak-"); err != nil {
			return false, fmt.Errorf("make the soak's directory: %w", err)
		}
		return true, nil
	}
	entries, err := os.ReadDir(c.Dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return false, fmt.Errorf("the soak's directory: %w", err)
	}
	if len(entries) > 0 {
		return false, fmt.Errorf("the soak's directory %s is not empty", c.Dir)
	}
	return false, nil
}

// somewhere runs the soak in namespaces, or else on loopback.
func (c *Command) somewhere(ctx context.Context, stdout io.Writer, log *slog.Logger) error {
	if c.Loopback {
		fmt.Fprintln(stdout, "on loopback, as asked: cables are relays, and the centre's nodes have none")
		return c.soak(ctx, stdout, log)
	}
	if err := canNamespaces(ctx); err != nil {
		fmt.Fprintf(stdout, "on loopback, since network namespaces cannot be made (%v): cables are relays, and the centre's nodes have none\n", err)
		return c.soak(ctx, stdout, log)
	}
	n := &namespaces{prefix: fmt.Sprintf("soak%d", os.Getpid()), stores: c.Stores, tills: c.Tills}
	fmt.Fprintf(stdout, "in network namespaces %s-*: each node has a cable that can be pulled\n", n.prefix)
	err := n.build(ctx)
	if err == nil {
		err = c.again(ctx, n, stdout)
	}
	return errors.Join(err, n.Close())
}

// again runs this command in the switch's namespace.
func (c *Command) again(ctx context.Context, n *namespaces, stdout io.Writer) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	args := []string{
		"netns", "exec", n.hub(), self, "soak", "--inside", n.prefix, "--dir", c.Dir, "--log", c.Nodes,
		"--minutes", strconv.FormatFloat(c.Minutes, 'f', -1, 64), "--seed", strconv.FormatUint(c.Seed, 10),
		"--deadline", c.Deadline.String(), "--stores", strconv.Itoa(c.Stores), "--tills", strconv.Itoa(c.Tills), "--rate", strconv.Itoa(c.Rate),
	}
	if c.Centre {
		args = append(args, "--centre")
	}
	cmd := exec.CommandContext(ctx, "ip", args...)
	cmd.Stdout, cmd.Stderr = stdout, os.Stderr
	// Ctrl-C reaches it once, through this process: a second signal would end it without manners.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr = attributes()
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = time.Minute
	err = cmd.Run()
	if ctx.Err() != nil {
		return fmt.Errorf("the soak is interrupted: %w", context.Cause(ctx))
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() == 1 {
		return laws.ErrBroken // it has said which
	}
	if err != nil {
		return fmt.Errorf("soak in namespace %s: %w", n.hub(), err)
	}
	return nil
}

// soak runs the soak here.
func (c *Command) soak(ctx context.Context, stdout io.Writer, log *slog.Logger) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	found, err := Run(ctx, Config{
		For: time.Duration(c.Minutes * float64(time.Minute)), Seed: c.Seed, Stores: c.Stores, Tills: c.Tills, Rate: c.Rate,
		Centre: c.Centre, Deadline: c.Deadline,
		Dir: c.Dir, Binary: self, LogLevel: c.Nodes, Network: c.Inside, Out: stdout, Log: log,
	})
	for _, v := range found {
		fmt.Fprintf(stdout, "VIOLATION  %s\n", v)
	}
	if err != nil {
		return err
	}
	if len(found) > 0 {
		return fmt.Errorf("seed %d: %d violations: %w", c.Seed, len(found), laws.ErrBroken)
	}
	fmt.Fprintf(stdout, "seed %d: all %d laws hold\n", c.Seed, len(laws.Laws()))
	return nil
}
