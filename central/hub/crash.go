package hub

import (
	"crypto/rand"

	"github.com/nats-io/nats-server/v2/server"
)

// Crash ends the server as nearly as one in this process can to how a killed process ends: the other
// nodes see their routes close, and are not told who should lead now. The server's own Shutdown steps
// down first; so Crash changes the cluster's secret and forgets the routes, upon which the server drops
// them, and then ends it. What was acknowledged is on disk either way. For tests.
func (h *Hub) Crash() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	srv := h.server.Load()
	if srv == nil {
		return
	}
	if h.cfg.ClusterListen != "" {
		if err := h.isolate(srv); err != nil {
			h.log.Warn("crash is an orderly stop", "err", err)
		}
	}
	srv.Shutdown()
}

func (h *Hub) isolate(srv *server.Server) error {
	o, err := h.options(h.bound, h.brands)
	if err != nil {
		return err
	}
	// The server compares old users with new ones, and so reads the counters of their accounts, which it counts on
	// with meanwhile. Users that are the very same are not looked into.
	o.Nkeys = h.told
	o.Routes = nil
	o.Cluster.Password = rand.Text()
	return srv.ReloadOptions(o)
}
