package api

import (
	"context"
	"net/http"
	"time"

	"tillstream/kv/record"
)

// Aside is what lies on this node and does not rise by itself.
type Aside struct {
	Aside []AsideChain `json:"aside"`
}

// AsideChain is what upstream refuses of a chain.
type AsideChain struct {
	Chain    string         `json:"chain"`
	Till     string         `json:"till"`
	Why      string         `json:"why"` // "fork" or "refused"
	Receipts []AsideReceipt `json:"receipts"`
}

// AsideReceipt is one of its receipts.
type AsideReceipt struct {
	RID    record.RID `json:"rid"`
	Kind   string     `json:"kind"`
	At     time.Time  `json:"at"`
	Points int64      `json:"points"`
}

// Rehomed says how many receipts were moved.
type Rehomed struct {
	Receipts int `json:"receipts"`
}

func (a *API) aside(context.Context, question) (answer, error) {
	all, err := a.cfg.Journal.Aside()
	if err != nil {
		return answer{}, err
	}
	out := &Aside{Aside: []AsideChain{}}
	for i := range all {
		c := AsideChain{Chain: all[i].Chain.String(), Till: all[i].Till.String(), Why: all[i].Status.String()}
		for k := range all[i].Receipts {
			h := &all[i].Receipts[k]
			c.Receipts = append(c.Receipts, AsideReceipt{h.RID, h.Kind.String(), time.UnixMilli(h.At).UTC(), h.Points})
		}
		out.Aside = append(out.Aside, c)
	}
	return answer{status: http.StatusOK, body: out}, nil
}

// rehome puts them on their way again. Whoever asks twice moves nothing twice.
func (a *API) rehome(ctx context.Context, q question) (answer, error) {
	var body struct{}
	if err := decode(q.body, &body); err != nil {
		return answer{}, err
	}
	n, err := a.cfg.Journal.Rehome(ctx)
	if n > 0 {
		a.cfg.Log.Warn("receipts that upstream refused go on in another chain", "receipts", n)
		for _, c := range a.cfg.Journal.Chains() {
			if c.Moved > 0 { // else they would be laid over the balance twice
				a.cfg.Cache.Leave(c.ID, c.Moved)
			}
		}
	}
	if err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusOK, body: &Rehomed{n}}, nil
}
