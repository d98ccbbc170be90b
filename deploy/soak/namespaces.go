package soak

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// The addresses of the test network; they exist inside our own namespaces only.
//
//	10.88.0.0/24    the WAN: switch .1, centre nodes .11 to .13, stores .101 and up
//	10.88.N.0/24    the LAN of store N, from 1: store .1, tills .11 and up, switch .254
const testNet = "10.88"

const (
	leafPort    = 7422
	clusterPort = 6222
	adminPort   = 8470
)

// namespaces is a network of network namespaces: one for each node, and one that is the switch, in which
// the conductor lives.
type namespaces struct {
	prefix        string
	stores, tills int
}

// ipWait bounds one command of ip.
const ipWait = 10 * time.Second

// canNamespaces says why namespaces cannot be made here, or nothing.
func canNamespaces(ctx context.Context) error {
	if os.Geteuid() != 0 {
		return errors.New("not root")
	}
	name := fmt.Sprintf("soak%d-try", os.Getpid())
	if err := ip(ctx, "netns", "add", name); err != nil {
		return err
	}
	// A bridge and a veth pair are what it takes; a kernel may have neither.
	err := ip(ctx, "-n", name, "link", "add", "name", "bridge0", "type", "bridge")
	if err == nil {
		err = ip(ctx, "-n", name, "link", "add", "name", "end0", "type", "veth", "peer", "name", "end1")
	}
	return errors.Join(err, ip(context.WithoutCancel(ctx), "netns", "del", name))
}

// ip runs iproute2's command.
func ip(ctx context.Context, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, ipWait)
	defer cancel()
	out, err := exec.CommandContext(ctx, "ip", args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}

func (n *namespaces) name(t target) string { return n.prefix + "-" + t.name() }
func (n *namespaces) hub() string          { return n.prefix + "-switch" }

// all are the nodes of the chain.
func all(stores, tills int) []target {
	var out []target
	for i := range 3 {
		out = append(out, target{atCentre, i, 0})
	}
	for i := range stores {
		out = append(out, target{atStore, i, 0})
		for k := range tills {
			out = append(out, target{atTill, i, k})
		}
	}
	return out
}

// build makes the namespaces, the bridges and the cables. What it has made when it fails, Close takes away.
func (n *namespaces) build(ctx context.Context) error {
	run := func(args ...string) error { return ip(ctx, args...) }
	hub := n.hub()
	if err := run("netns", "add", hub); err != nil {
		return err
	}
	if err := n.bridge(ctx, "wan", testNet+".0.1/24"); err != nil {
		return err
	}
	if err := run("-n", hub, "link", "set", "dev", "lo", "up"); err != nil {
		return err
	}
	for i := range n.stores {
		if err := n.bridge(ctx, lan(i), fmt.Sprintf("%s.%d.254/24", testNet, i+1)); err != nil {
			return err
		}
	}
	for _, t := range all(n.stores, n.tills) {
		if err := run("netns", "add", n.name(t)); err != nil {
			return err
		}
		if err := run("-n", n.name(t), "link", "set", "dev", "lo", "up"); err != nil {
			return err
		}
		if err := n.cable(ctx, t, "up", n.bridgeOf(t), upAddr(t)); err != nil {
			return err
		}
		if t.tier == atStore {
			if err := n.cable(ctx, t, "lan", lan(t.store), lanAddr(t)); err != nil {
				return err
			}
		}
	}
	return nil
}

func lan(store int) string { return fmt.Sprintf("lan%d", store+1) }

func (n *namespaces) bridgeOf(t target) string {
	if t.tier == atTill {
		return lan(t.store)
	}
	return "wan"
}

// upAddr is a node's address towards its upstream, or among the centre's nodes.
func upAddr(t target) string {
	switch t.tier {
	case atStore:
		return fmt.Sprintf("%s.0.%d", testNet, 101+t.store)
	case atTill:
		return fmt.Sprintf("%s.%d.%d", testNet, t.store+1, 11+t.till)
	}
	return fmt.Sprintf("%s.0.%d", testNet, 11+t.store)
}

// lanAddr is a store's address for its tills.
func lanAddr(t target) string { return fmt.Sprintf("%s.%d.1", testNet, t.store+1) }

func (n *namespaces) bridge(ctx context.Context, name, addr string) error {
	for _, args := range [][]string{
		{"link", "add", "name", name, "type", "bridge"},
		{"addr", "add", addr, "dev", name},
		{"link", "set", "dev", name, "up"},
	} {
		if err := ip(ctx, append([]string{"-n", n.hub()}, args...)...); err != nil {
			return err
		}
	}
	return nil
}

// cable joins a node to a bridge. Its end at the switch is named for the node.
func (n *namespaces) cable(ctx context.Context, t target, name, bridge, addr string) error {
	node, end := n.name(t), cableEnd(t, name)
	for _, args := range [][]string{
		{"-n", n.hub(), "link", "add", "name", end, "type", "veth", "peer", "name", name, "netns", node},
		{"-n", n.hub(), "link", "set", "dev", end, "master", bridge},
		{"-n", n.hub(), "link", "set", "dev", end, "up"},
		{"-n", node, "addr", "add", addr + "/24", "dev", name},
		{"-n", node, "link", "set", "dev", name, "up"},
	} {
		if err := ip(ctx, args...); err != nil {
			return err
		}
	}
	return nil
}

func cableEnd(t target, name string) string { return name + "-" + t.name() }

// Close takes all namespaces away, and with them what is in them.
func (n *namespaces) Close() error {
	ctx := context.Background() // also after an interrupt
	var errs []error
	for _, t := range all(n.stores, n.tills) {
		errs = append(errs, n.remove(ctx, n.name(t)))
	}
	return errors.Join(append(errs, n.remove(ctx, n.hub()))...)
}

func (n *namespaces) remove(ctx context.Context, name string) error {
	if _, err := os.Stat("/run/netns/" + name); errors.Is(err, os.ErrNotExist) {
		return nil // it was never made
	}
	return ip(ctx, "netns", "del", name)
}

func (n *namespaces) at(t target, argv []string) []string {
	return append([]string{"ip", "netns", "exec", n.name(t)}, argv...)
}

func (n *namespaces) addr(t target, d door) (string, error) {
	switch {
	case d == clusterDoor:
		return fmt.Sprintf("%s:%d", upAddr(t), clusterPort), nil
	case d == adminDoor:
		return fmt.Sprintf("%s:%d", upAddr(t), adminPort), nil
	case t.tier == atStore:
		return fmt.Sprintf("%s:%d", lanAddr(t), leafPort), nil
	}
	return fmt.Sprintf("%s:%d", upAddr(t), leafPort), nil
}

func (n *namespaces) relayHost(t target) string {
	if t.tier == atTill {
		return fmt.Sprintf("%s.%d.254", testNet, t.store+1)
	}
	return testNet + ".0.1"
}

// pull takes the link down at the switch's end: the node sees its carrier go.
func (n *namespaces) pull(t target) error { return n.set(t, "down") }
func (n *namespaces) plug(t target) error { return n.set(t, "up") }

func (n *namespaces) set(t target, state string) error {
	return ip(context.Background(), "-n", n.hub(), "link", "set", "dev", cableEnd(t, "up"), state)
}
