package hub

import (
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"

	"tillstream/subjects"
)

// Domain is the name of the centre's JetStream.
const Domain = "central"

const (
	routeUser   = "centre"
	routePing   = time.Second
	leafPing    = 10 * time.Second
	pingsOut    = 2
	dialWithin  = 3 * time.Second
	maxPayload  = 1 << 20  // bytes; a journal message is at most 768 KiB
	maxPending  = 64 << 20 // bytes waiting for one slow client before it is dropped
	maxSubs     = 4096     // subscriptions of one connection; a store needs some twenty
	maxStore    = 1 << 60  // bytes of streams: Guard watches the disk instead, see doc.go
	reportEvery = 60       // dials of a route that fail between two lines in the log: about a minute
)

// ports are what the doors are bound to. A reload must repeat them, not the 0 they were asked with.
type ports struct{ client, cluster, leaf int }

// options builds the server's options for brands. They are made anew for each reload, since the server
// keeps and changes what it is given.
//
// SystemAccount stays unset on purpose: the server makes one itself, and with it set it would in some
// set-ups make a user for those who bring no credentials.
func (h *Hub) options(bound ports, brands []Brand) (*server.Options, error) {
	o, err := accounts(brands)
	if err != nil {
		return nil, err
	}
	o.ServerName = h.cfg.Node.String()
	h.clients(o, bound)
	o.NoSigs = true
	o.MaxPayload = maxPayload
	o.MaxPending = maxPending
	o.MaxSubs = maxSubs
	o.PingInterval = leafPing
	o.MaxPingsOut = pingsOut
	o.ConnectErrorReports = reportEvery
	o.ReconnectErrorReports = reportEvery
	o.JetStream = true
	o.JetStreamDomain = Domain
	o.JetStreamMaxStore = maxStore
	o.DisableJetStreamBanner = true
	o.StoreDir = h.cfg.DataDir
	o.SyncAlways = !h.cfg.lazySync
	h.users(o, brands)
	if err := h.cluster(o, bound); err != nil {
		return nil, err
	}
	return o, h.leafs(o, bound)
}

// users adds this node's own user of each brand, and the stores.
func (h *Hub) users(o *server.Options, brands []Brand) {
	byName := map[string]*server.Account{}
	for _, a := range o.Accounts {
		byName[a.Name] = a
	}
	for _, b := range brands {
		account := byName[b.Net.Brand.String()]
		o.Nkeys = append(o.Nkeys, &server.NkeyUser{
			Nkey:                   h.own[b.Net.Brand].public,
			Account:                account,
			AllowedConnectionTypes: only(jwt.ConnectionTypeInProcess),
		})
		for _, u := range b.Stores {
			o.Nkeys = append(o.Nkeys, &server.NkeyUser{
				Nkey:                   u.Nkey,
				Account:                byName[storesOf(b)],
				AllowedConnectionTypes: only(jwt.ConnectionTypeLeafnode),
				Permissions:            permissions(b.Net, u.Store),
			})
		}
	}
}

// permissions are what a store's leaf may send here and receive.
func permissions(n subjects.Net, s subjects.StoreID) *server.Permissions {
	publish, subscribe := n.StorePermissions(s)
	return &server.Permissions{
		Publish:   &server.SubjectPermission{Allow: publish},
		Subscribe: &server.SubjectPermission{Allow: subscribe},
	}
}

// clients closes the door of clients: those of this node connect in process. A server in a cluster never
// binds its routes without that door, so it is one that only this host finds, and behind it no user of
// ours may come in.
func (h *Hub) clients(o *server.Options, bound ports) {
	if h.cfg.ClusterListen == "" {
		o.DontListen = true
		return
	}
	o.Host, o.Port = "127.0.0.1", pick(0, bound.client)
}

func (h *Hub) cluster(o *server.Options, bound ports) (err error) {
	if h.cfg.ClusterListen == "" {
		return nil
	}
	c := &o.Cluster
	if c.Host, c.Port, err = hostPort(h.cfg.ClusterListen); err != nil {
		return fmt.Errorf("cluster address: %w", err)
	}
	c.Port = pick(c.Port, bound.cluster)
	c.Name = h.cfg.ClusterName
	c.Username, c.Password = routeUser, h.cfg.ClusterSecret
	c.TLSConfig = h.cfg.ClusterTLS
	c.NoAdvertise = true
	c.PingInterval, c.MaxPingsOut = routePing, pingsOut
	c.Compression.Mode = server.CompressionOff // the journal's messages are compressed
	c.Permissions = h.ownCopies()
	o.Routes, err = h.cfg.routes()
	return err
}

// ownCopies keeps questions for a journal's copy on the node where they are asked: see subjects.StreamCopy.
func (h *Hub) ownCopies() *server.RoutePermissions {
	var deny []string
	for _, b := range h.cfg.Brands {
		own := subjects.StreamCopy(b.Net.JournalStream())
		deny = append(deny, own, own+".>")
	}
	return &server.RoutePermissions{
		Import: &server.SubjectPermission{Deny: deny}, Export: &server.SubjectPermission{Deny: deny},
	}
}

func (h *Hub) leafs(o *server.Options, bound ports) (err error) {
	if h.cfg.LeafListen == "" {
		return nil
	}
	n := &o.LeafNode
	if n.Host, n.Port, err = hostPort(h.cfg.LeafListen); err != nil {
		return fmt.Errorf("leaf address: %w", err)
	}
	n.Port = pick(n.Port, bound.leaf)
	n.TLSConfig = h.cfg.LeafTLS
	n.NoAdvertise = true
	n.IsolateLeafnodeInterest = true
	n.DialTimeout = dialWithin
	n.Compression.Mode = server.CompressionAccept // as the store wishes
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

// clone copies brands, so that neither the caller nor the server changes what the hub holds.
func clone(brands []Brand) []Brand {
	c := slices.Clone(brands)
	for i := range c {
		c[i].Stores = slices.Clone(c[i].Stores)
	}
	return c
}
