package edge

import (
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tillstream/edge/catalogue"
	"tillstream/edge/programme"
	"tillstream/edge/scan"
	"tillstream/kv/record"
)

// measure registers what this node alone knows; the parts register their own.
func (n *Node) measure(registry *prometheus.Registry) {
	gauge := func(name, help string, f func() float64) {
		registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, f))
	}
	n.measureDisk(gauge)
	gauge("tillstream_unconfirmed_records", "Records that the upstream has not confirmed.", func() float64 {
		records, _ := n.journal.Unconfirmed()
		return float64(records)
	})
	gauge("tillstream_unconfirmed_oldest_seconds", "Age of the oldest of them. Page someone when it grows.", func() float64 {
		if records, oldest := n.journal.Unconfirmed(); records > 0 {
			return time.Since(oldest).Seconds()
		}
		return 0
	})
	gauge("tillstream_reference_revision", "Revision of items, promotions and settings that this node has.", func() float64 {
		return float64(n.cache.Catalogue().Revision())
	})
	gauge("tillstream_programme_revision", "Revision of them that baskets are priced by; 1: the base programme.", func() float64 {
		return float64(n.rules.State().Revision)
	})
	gauge("tillstream_programme_faults", "Promotions, sets and settings of the newest revision that cannot be gone by. Page someone.", func() float64 {
		return float64(len(n.rules.State().Faults))
	})
	gauge("tillstream_reference_items", "Items of the item master that this node knows.", func() float64 {
		return float64(n.cache.Catalogue().Items())
	})
	gauge("tillstream_feed_age_seconds", "Age of the feed's last answer. Page someone when it grows.", func() float64 {
		return n.feed.Age().Seconds()
	})
}

// URL is where the POS is answered.
func (n *Node) URL() string {
	if addr := n.api.Addr(); strings.HasPrefix(addr, "unix:") {
		return addr
	}
	return "http://" + n.api.Addr()
}

// LeafAddr is where tills join.
func (n *Node) LeafAddr() string { return n.leaf.LeafAddr() }

// NATSAddr is the POS door over NATS.
func (n *Node) NATSAddr() string { return n.leaf.ClientAddr() }

// Linked reports whether the link upward is up.
func (n *Node) Linked() bool { _, up := n.leaf.Link(); return up }

// LastAnswer is when the upstream answered last, on the way up or down.
func (n *Node) LastAnswer() time.Time {
	up, down := n.uplink.LastAnswer(), n.feed.LastAnswer()
	if down.After(up) {
		return down
	}
	return up
}

// Waiting tells how many records the upstream has not confirmed, and how many the centre has not posted.
func (n *Node) Waiting() (unconfirmed, unposted int) {
	unconfirmed, _ = n.journal.Unconfirmed()
	unposted, _ = n.journal.Unposted()
	return unconfirmed, unposted
}

// Catalogue is what every store gets, as this node has it.
func (n *Node) Catalogue() *catalogue.Catalogue { return n.cache.Catalogue() }

// Rules are what this node prices by, now and in the last 24 hours.
func (n *Node) Rules() *programme.Revisions { return n.rules }

// Scanner reads codes as the chain's are, by the revision that baskets are priced by.
func (n *Node) Scanner() *scan.Scanner { return n.rules.Now().Scanner() }

// Cursor is how far this node's feed has come.
func (n *Node) Cursor() record.Cursor { return n.cache.Cursor() }
