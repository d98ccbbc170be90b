package edge

import (
	"tillstream/edge/scan"
	"tillstream/kv/record"
)

// scanning is the scanner made of one revision of the setting.
type scanning struct {
	entry   uint64 // of the setting; 0: there was none
	scanner *scan.Scanner
}

// Scanner reads codes as the chain's setting says, as it is now. A setting that cannot be gone by is
// logged, and the one before it holds.
func (n *Node) Scanner() *scan.Scanner {
	held := n.scanning.Load()
	doc, _ := n.cache.Catalogue().Document(record.RefSetting, scan.Setting)
	if doc.Entry == held.entry {
		return held.scanner
	}
	next := &scanning{doc.Entry, held.scanner}
	if s, err := n.scannerOf(doc.JSON); err != nil {
		n.log.Error("the setting is not gone by: put another revision", "setting", scan.Setting, "entry", doc.Entry, "err", err)
	} else {
		next.scanner = s
	}
	n.scanning.CompareAndSwap(held, next)
	return next.scanner
}

// scannerOf makes the scanner of a setting, or without one that of the node's own card prefixes.
func (n *Node) scannerOf(document []byte) (*scan.Scanner, error) {
	if document == nil {
		var cfg scan.Config
		for _, p := range n.cfg.CardPrefixes {
			cfg.Cards = append(cfg.Cards, scan.Cards{Prefix: p, Check: scan.CheckNone})
		}
		return scan.New(cfg)
	}
	cfg, err := scan.ReadConfig(document)
	if err != nil {
		return nil, err
	}
	return scan.New(cfg)
}
