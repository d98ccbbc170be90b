package ops

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
)

// defaultCentre is asked when no node is named: the port of the README's example.
const defaultCentre = "http://127.0.0.1:8470"

// Command is `tillstream ops`.
type Command struct {
	Centre    []string `placeholder:"URL" sep:"none" xor:"centre" help:"Admin API of a centre node; once for each node. Without it and --endpoints: http://127.0.0.1:8470."`
	Endpoints string   `placeholder:"FILE" xor:"centre" help:"Take the nodes from the file that the demo wrote with its --endpoints."`
	TokenFile string   `placeholder:"FILE" help:"File with the admin API's bearer token."`
	JSON      bool     `help:"Print the nodes' answers as JSON."`

	Status    statusCommand    `cmd:"" help:"What every node has folded, and who writes the journal."`
	Streams   streamsCommand   `cmd:"" help:"The streams: what differs from what should be, and its mending."`
	Incidents incidentsCommand `cmd:"" help:"What the books have noted for a person: old disk images, copies of tills, chains that are refused, sales whose hold was gone, returns beyond their sale."`
	Books     booksCommand     `cmd:"" help:"The books: their verification, their making again from the journal, one account."`
	Archive   archiveCommand   `cmd:"" help:"The archive of the journal: the centre's backup."`
	Scrub     scrubCommand     `cmd:"" help:"Every node's own copy of the journal: read through, and repaired."`

	Items      itemsCommand      `cmd:"" help:"The item master: its import, what is in it."`
	Promotions promotionsCommand `cmd:"" help:"Promotions: put, list, show, stop."`
	Sets       documentsCommand  `cmd:"" help:"Product sets that promotions name: put, list, show, remove."`
	Settings   documentsCommand  `cmd:"" help:"Settings that fall to every till: put, list, show, remove."`

	Trace    traceCommand    `cmd:"" help:"A receipt's way through the event flow, or an event's, with the time at each stage and what came of it."`
	Flow     flowCommand     `cmd:"" help:"The event flow: how its stages stand, live; their pause; its settings and templates."`
	DLQ      dlqCommand      `cmd:"" name:"dlq" help:"Dead letters, events that a stage can never handle: list, show, replay, discard."`
	Progress progressCommand `cmd:"" help:"Progress promotions: put, list, show, a shopper's opt-in and progress."`
}

// client gives the client that the flags describe.
func (c *Command) client() (Client, error) {
	urls := c.Centre
	if len(urls) == 0 {
		urls = []string{defaultCentre}
	}
	if c.Endpoints != "" {
		var err error
		if urls, err = readEndpoints(c.Endpoints); err != nil {
			return Client{}, err
		}
	}
	var out Client
	for _, text := range urls {
		u, err := url.Parse(text)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return Client{}, fmt.Errorf("node %q: want http://host:port, as in the node's line \"centre node is up\"", text)
		}
		out.URLs = append(out.URLs, strings.TrimRight(text, "/"))
	}
	if c.TokenFile == "" {
		return out, nil
	}
	b, err := os.ReadFile(c.TokenFile)
	if err != nil {
		return Client{}, fmt.Errorf("read token: %w", err)
	}
	if out.Token = strings.TrimSpace(string(b)); out.Token == "" {
		return Client{}, fmt.Errorf("read token: %s is empty", c.TokenFile)
	}
	return out, nil
}

// print writes an answer, as JSON or as text makes it.
func (c *Command) print(w io.Writer, answer any, text func(*bytes.Buffer)) error {
	var b bytes.Buffer
	if c.JSON {
		e := json.NewEncoder(&b)
		e.SetIndent("", "  ")
		if err := e.Encode(answer); err != nil {
			return fmt.Errorf("print: %w", err)
		}
	} else {
		text(&b)
	}
	if _, err := w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

// readEndpoints gives the centre's nodes from the file of the demo's --endpoints.
func readEndpoints(path string) ([]string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read endpoints: %w", err)
	}
	var file struct {
		Centre []struct {
			URL string `json:"url"`
		} `json:"centre"`
	}
	if err := json.Unmarshal(b, &file); err != nil {
		return nil, fmt.Errorf("read endpoints %s: %w: want the file that the demo wrote with its --endpoints", path, err)
	}
	if len(file.Centre) == 0 {
		return nil, fmt.Errorf("read endpoints %s: %w in it", path, errNoNode)
	}
	var urls []string
	for _, n := range file.Centre {
		urls = append(urls, n.URL)
	}
	return urls, nil
}
