package api

import (
	"context"
	"net/http"
	"time"
)

// listAside gives what upstream refuses of what lies here.
func (a *API) listAside(context.Context, question) (answer, error) {
	all, err := a.cfg.Journal.Aside()
	if err != nil {
		return answer{}, err
	}
	out := &Aside{Aside: []AsideChain{}}
	for i := range all {
		c := AsideChain{Chain: all[i].Chain.String(), Till: all[i].Till.String(), Why: all[i].Status.String()}
		for k := range all[i].Receipts {
			h := &all[i].Receipts[k]
			c.Receipts = append(c.Receipts, AsideReceipt{
				RID: h.RID, Kind: h.Kind.String(), At: time.UnixMilli(h.At).UTC(), Points: h.Points,
			})
		}
		out.Aside = append(out.Aside, c)
	}
	return answer{status: http.StatusOK, body: out}, nil
}

// rehomeAside puts them on their way again. Whoever asks twice moves nothing twice.
func (a *API) rehomeAside(ctx context.Context, q question) (answer, error) {
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
