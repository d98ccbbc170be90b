package leaf

import (
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
)

// Settings of the links; DESIGN §1.
const (
	reconnectEvery = 250 * time.Millisecond // the server adds as much again at random
	pingEvery      = 2 * time.Second
	pingsOut       = 2
	dialWithin     = 3 * time.Second // the server's own 1 s is too short on a mobile link
	maxPayload     = 1 << 20         // bytes; packs are at most 768 KiB
	maxPending     = 16 << 20        // bytes waiting for one slow client before it is dropped
	maxSubs        = 4096            // subscriptions of one connection
	reportEvery    = 240             // dials that fail between two lines in the log: one or two minutes
)

// ports are what the doors are bound to. A reload must repeat them, not the 0 they were asked with.
type ports struct{ client, leaf int }

// options builds the server's options. They are made anew for each reload, since the server keeps and
// changes what it is given; all but disabled must come out the same each time.
//
// SystemAccount stays unset on purpose: with it set, and no account but the default one, the server
// makes a user of its own for those who bring no credentials.
func (l *Leaf) options(bound ports, disabled bool) (*server.Options, error) {
	o := &server.Options{
		ServerName:            l.name,
		DontListen:            l.cfg.Listen == "",
		NoSigs:                true,
		MaxPayload:            maxPayload,
		MaxPending:            maxPending,
		MaxSubs:               maxSubs,
		PingInterval:          pingEvery,
		MaxPingsOut:           pingsOut,
		ConnectErrorReports:   reportEvery,
		ReconnectErrorReports: reportEvery,
		Nkeys: []*server.NkeyUser{{
			Nkey:                   l.ownKey,
			AllowedConnectionTypes: only(jwt.ConnectionTypeInProcess),
		}},
		LeafNode: server.LeafNodeOpts{
			ReconnectInterval:       reconnectEvery,
			DialTimeout:             dialWithin,
			NoAdvertise:             true,
			IsolateLeafnodeInterest: true,
		},
	}
	if err := l.doors(o, bound); err != nil {
		return nil, err
	}
	return o, l.upward(o, disabled)
}

// doors adds the two listeners and the users who may come in.
func (l *Leaf) doors(o *server.Options, bound ports) (err error) {
	if l.cfg.Listen != "" {
		if o.Host, o.Port, err = hostPort(l.cfg.Listen); err != nil {
			return fmt.Errorf("listen address: %w", err)
		}
		o.Port = pick(o.Port, bound.client)
		o.Users = []*server.User{{
			Username:               POSUser,
			Password:               l.posHash,
			AllowedConnectionTypes: only(jwt.ConnectionTypeStandard),
			Permissions:            allow(l.cfg.POSPublish, l.cfg.POSSubscribe),
		}}
	}
	if l.cfg.Accept == "" {
		return nil
	}
	n := &o.LeafNode
	if n.Host, n.Port, err = hostPort(l.cfg.Accept); err != nil {
		return fmt.Errorf("accept address: %w", err)
	}
	n.Port = pick(n.Port, bound.leaf)
	n.TLSConfig = l.cfg.AcceptTLS
	n.Compression.Mode = server.CompressionAccept // as the till wishes: none
	for _, u := range l.cfg.Downstream {
		o.Nkeys = append(o.Nkeys, &server.NkeyUser{
			Nkey:                   u.Nkey,
			AllowedConnectionTypes: only(jwt.ConnectionTypeLeafnode),
			Permissions:            allow(u.Publish, u.Subscribe),
		})
	}
	return nil
}

// upward adds the one remote.
func (l *Leaf) upward(o *server.Options, disabled bool) error {
	urls, err := l.cfg.upstreams()
	if err != nil || len(urls) == 0 {
		return err
	}
	if l.life > 0 {
		// The server tells remotes apart by their URLs. With a fragment, which it does not use, this is a
		// remote that it has never seen: it drops the one before, and dials.
		for _, u := range urls {
			u.Fragment = strconv.Itoa(l.life)
		}
	}
	mode := l.cfg.Compression
	if mode == "" {
		mode = server.CompressionOff
	}
	o.LeafNode.Remotes = []*server.RemoteLeafOpts{{
		URLs:                    urls,
		Nkey:                    l.cfg.UpstreamSeed,
		TLS:                     l.cfg.UpstreamTLS != nil,
		TLSConfig:               l.cfg.UpstreamTLS,
		Compression:             server.CompressionOpts{Mode: mode},
		DenyExports:             append([]string(nil), l.cfg.DenyUp...),
		DenyImports:             append([]string(nil), l.cfg.DenyUp...),
		FirstInfoTimeout:        dialWithin,
		IgnoreDiscoveredServers: true,
		Disabled:                disabled,
	}}
	return nil
}

// pick gives the port to ask for: the one that is bound, else the one of the configuration, where 0 is
// what the server calls -1.
func pick(asked, bound int) int {
	switch {
	case bound != 0:
		return bound
	case asked == 0:
		return server.RANDOM_PORT
	default:
		return asked
	}
}

func only(kind string) map[string]struct{} { return map[string]struct{}{kind: {}} }

// allow makes the permissions of a user from its allow-lists.
func allow(publish, subscribe []string) *server.Permissions {
	return &server.Permissions{
		Publish:   &server.SubjectPermission{Allow: append([]string(nil), publish...)},
		Subscribe: &server.SubjectPermission{Allow: append([]string(nil), subscribe...)},
	}
}
