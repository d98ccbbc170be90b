package hub

import (
	"fmt"
	"slices"

	"github.com/nats-io/nats-server/v2/server"

	"tillstream/subjects"
)

// SetStores replaces the stores that may join in brand, on this node only: call it on each. Stores that
// stay keep their links. Those that are gone, or have changed, are disconnected. For some milliseconds
// this node's JetStream API has no responders.
func (h *Hub) SetStores(brand subjects.BrandID, stores []StoreUser) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	brands := clone(h.brands)
	i := slices.IndexFunc(brands, func(b Brand) bool { return b.Net.Brand == brand })
	if i < 0 {
		return fmt.Errorf("set stores of brand %s: %w", brand, ErrBrand)
	}
	before := brands[i].Stores
	brands[i].Stores = slices.Clone(stores)
	if err := checkBrands(brands); err != nil {
		return fmt.Errorf("set stores of brand %s: %w", brand, err)
	}
	srv := h.server.Load()
	if srv == nil { // the next one is told
		h.brands = brands
		return nil
	}
	o, err := h.options(h.bound, brands)
	if err != nil {
		return fmt.Errorf("set stores of brand %s: %w", brand, err)
	}
	if err := srv.ReloadOptions(o); err != nil {
		return fmt.Errorf("set stores of brand %s: %w", brand, err)
	}
	h.brands, h.told = brands, o.Nkeys
	return h.disconnect(srv, before, stores)
}

// disconnect ends the links of users that are no longer as they were. The server itself does that for
// clients when it reloads, but not for leafs: a removed store would go on until its line breaks.
func (h *Hub) disconnect(srv *server.Server, before, after []StoreUser) error {
	gone := map[string]subjects.StoreID{}
	for _, u := range before {
		if !slices.Contains(after, u) {
			gone[u.Nkey] = u.Store
		}
	}
	if len(gone) == 0 {
		return nil
	}
	z, err := srv.Leafz(nil)
	if err != nil {
		return fmt.Errorf("list leafs: %w", err)
	}
	for _, l := range z.Leafs {
		c := srv.GetLeafNode(l.ID)
		if c == nil {
			continue // has left meanwhile
		}
		if store, ok := gone[c.GetOpts().Nkey]; ok {
			h.log.Info("store is no longer allowed, disconnecting it", "store", store)
			_ = srv.DisconnectClientByID(l.ID) // an error means it has left meanwhile
		}
	}
	return nil
}
