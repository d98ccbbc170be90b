package daemon

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"tillstream/edge"
	"tillstream/edge/api"
)

// askWait bounds a question to a node on the same computer.
const askWait = 10 * time.Second

// which names a node: by its file, or by its address.
type which struct {
	Config string `placeholder:"FILE" xor:"node" required:"" help:"The node's configuration: its address is asked, or, if it does not run, its directory."`
	URL    string `name:"url" placeholder:"URL" xor:"node" required:"" help:"Address of a node that runs: http://host:port, or unix:/path."`
	JSON   bool   `help:"Print the answer as JSON."`
}

// errStopped means that nobody answers at the node's address.
var errStopped = errors.New("the node does not run")

// door asks a running node.
type door struct {
	base   string
	client http.Client
	token  string // "": none is shown
}

func openDoor(address string) *door {
	d := &door{base: strings.TrimRight(address, "/"), client: http.Client{Timeout: askWait}}
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		d.base = "http://node"
		d.client.Transport = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", path)
		}}
	} else if !strings.Contains(address, "://") {
		d.base = "http://" + d.base
	}
	return d
}

// ask gives errStopped if nobody listens there.
func (d *door) ask(ctx context.Context, method, path string, answer any) error {
	req, err := http.NewRequestWithContext(ctx, method, d.base+path, bytes.NewReader([]byte("{}")))
	if err != nil {
		return fmt.Errorf("ask %s: %w", path, err)
	}
	req.Header.Set("Content-Type", "application/json")
	if d.token != "" {
		req.Header.Set("Authorization", "Bearer "+d.token)
	}
	res, err := d.client.Do(req)
	if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ENOENT) {
		return errStopped
	}
	if err != nil {
		return fmt.Errorf("ask %s: %w", path, err)
	}
	defer d.client.CloseIdleConnections()
	defer res.Body.Close() //nolint:errcheck // read to its end or given up
	b, err := io.ReadAll(io.LimitReader(res.Body, 64<<20))
	if err != nil {
		return fmt.Errorf("ask %s: %w", path, err)
	}
	if res.StatusCode != http.StatusOK {
		var p api.Problem
		if err := json.Unmarshal(b, &p); err != nil || p.Type == "" {
			return fmt.Errorf("ask %s: %s: this is not a tillstream node", path, res.Status)
		}
		return fmt.Errorf("ask %s: %s: %s", path, p.Title, p.Detail)
	}
	if err := json.Unmarshal(b, answer); err != nil {
		return fmt.Errorf("ask %s: %w: this is not a tillstream node", path, err)
	}
	return nil
}

// open gives the node's door, and its configuration if it was named by that.
func (w *which) open() (*door, edge.Config, error) {
	if w.Config == "" {
		return openDoor(w.URL), edge.Config{}, nil
	}
	cfg, err := edge.ReadConfig(w.Config)
	return openDoor(cfg.Listen), cfg, err
}

// print writes an answer, as JSON or as text makes it.
func (w *which) print(out io.Writer, answer any, text func(*bytes.Buffer)) error {
	var b bytes.Buffer
	if w.JSON {
		e := json.NewEncoder(&b)
		e.SetIndent("", "  ")
		if err := e.Encode(answer); err != nil {
			return fmt.Errorf("print: %w", err)
		}
	} else {
		text(&b)
	}
	if _, err := out.Write(b.Bytes()); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}
