package ops

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
)

// advise adds to an error what the operator can do about it.
func (c *Command) advise(err error) error {
	advice := ""
	if p, ok := errors.AsType[*Problem](err); ok {
		advice = c.adviceOn(p)
	} else if _, ok := errors.AsType[*net.OpError](err); ok {
		advice = "Is the node up? Name it with --centre URL (the node's setting admin_listen says where), or the demo's file with --endpoints FILE."
	}
	if advice == "" {
		return err
	}
	return fmt.Errorf("%w\n%s", err, advice)
}

func (c *Command) adviceOn(p *Problem) string {
	switch {
	case p.Type == "":
		return "This is not a centre node's admin API: its address is the node's setting admin_listen."
	case p.Status == http.StatusUnauthorized && c.TokenFile == "":
		return "Name the file with the node's token with --token-file FILE: what the file of the node's setting admin_token_file holds."
	case p.Status == http.StatusUnauthorized:
		return "What " + c.TokenFile + " holds is not the node's token: it has to be what the file of the node's setting admin_token_file holds."
	case p.Type == "/problems/not-found" && strings.HasPrefix(p.Detail, "account "):
		return "Nothing has been posted for it in this brand. Check the number; a receipt that is still on its way is counted when its store is connected."
	case p.Type == "/problems/no-archive":
		return "Name a node that keeps one with --centre URL: ops status shows which do."
	case p.Type == "/problems/no-flow":
		return "Name a node of a centre that runs the flow with --centre URL."
	case p.Type == "/problems/not-replayable":
		return "ops dlq show prints it whole; ops dlq discard takes it away."
	case p.Type == "/problems/unsafe":
		return "Nothing was changed. Repair one node at a time, with the other two up, level and clean."
	case p.Type == "/problems/busy":
		return "Somebody has asked for it before: wait for that to end (GET /v1/scrub tells how far it has come)."
	case p.Type == "/problems/behind":
		return "Ask again in a moment, or name more nodes with --centre."
	}
	return ""
}
