package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"tillstream/kv/record"
)

// errNotAsked means that there was nobody to ask, or no time.
var errNotAsked = errors.New("upstream is not asked")

// Who knew a shopper.
const (
	sourceLocal = "local"
	sourceStore = "store"
)

func (r *reader) lookup(b []byte) (who *Identifier, wait time.Duration, err error) {
	var body Lookup
	if err := decode(b, &body); err != nil {
		return nil, 0, err
	}
	if field := body.Identifier.paymentCard("/identifier", r.own); field != "" {
		return nil, 0, &cardError{field}
	}
	if body.Identifier == nil {
		return nil, 0, invalid("/identifier", "is needed")
	}
	ms := int64(defaultWait)
	if body.WaitMS != nil {
		ms = *body.WaitMS
	}
	if ms < 0 || ms > maxWait {
		return nil, 0, invalid("/wait_ms", "want 0 to 2000")
	}
	return body.Identifier, time.Duration(ms) * time.Millisecond, nil
}

func (a *API) lookUpShopper(ctx context.Context, q question) (answer, error) {
	id, wait, err := a.read.lookup(q.body)
	if err != nil {
		return answer{}, err
	}
	if id.Kind == kindToken {
		return answer{}, a.noToken(id)
	}
	value, account, err := a.read.identify("/identifier", id, nil)
	if err != nil {
		return answer{}, err
	}
	if !q.caller.training {
		a.site.looked(account)
	}
	s := Shopper{
		ID: account, CardMasked: mask(value), Source: sourceLocal, Known: true, Points: new(Points),
		Training: q.caller.training,
	}
	if err := a.find(ctx, &s, account, wait); err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusOK, body: &s}, nil
}

// noToken says that nobody is known by a payment token: nobody links tokens with shoppers yet. A token is no
// account of its own, or everybody who pays by card would have one without having asked.
func (a *API) noToken(id *Identifier) error {
	if !isCode(id.Value) {
		return invalid("/identifier/value", "want 1 to 64 printable ASCII characters without blanks")
	}
	if err := oneOf("/identifier/entry", id.Entry, "", "scanned", "keyed", "tapped"); err != nil {
		return err
	}
	a.meters.lookup("unknown")
	return errCardUnknown
}

// find fills in what is known here, or upstream within wait.
func (a *API) find(ctx context.Context, s *Shopper, account record.AccountID, wait time.Duration) error {
	here, ok := a.cached(account)
	if ok && here.AsOf > 0 {
		s.Stale = a.stale()
		a.tellShopper(s, here)
		a.meters.lookup(s.Source)
		return nil
	}
	there, source, found, err := a.ask(ctx, account, wait)
	s.Stale = source == "store" && a.stale() // its word is as old as the centre's to it
	switch {
	case err != nil:
		// Not a problem of the POS: the sale goes on, and the receipt's points count.
		a.cfg.Log.Debug("upstream did not say who a shopper is", "account", account, "err", err)
		a.meters.lookup("none")
		s.Known, s.Stale, s.Missing, s.Points = false, true, []string{"points"}, pending(here, ok)
		return nil
	case found && there.AsOf == 0: // upstream, too, has receipts only
		s.Source = source
		s.Known, s.Missing, s.Points = false, []string{"points"}, pending(there, true)
	case found:
		s.Source = source
		a.tellShopper(s, there)
	case ok: // a new card, whose first receipts lie here
		a.tellShopper(s, here)
	default:
		a.meters.lookup("unknown")
		return errCardUnknown
	}
	a.meters.lookup(s.Source)
	return nil
}

func (a *API) tellShopper(s *Shopper, r record.Shopper) {
	a.balance(s.Points, s.ID, &r)
	if r.AsOf > 0 {
		at := time.UnixMilli(r.AsOf).UTC()
		s.AsOf = &at
	}
}

// pending is what can be said of a shopper of whom this node has receipts only, and no balance.
func pending(s record.Shopper, ok bool) *Points {
	if !ok {
		return nil
	}
	return &Points{Pending: &s.Pending}
}

// cached asks the node's own cache. A cache that cannot be read knows nobody: it is disposable, and
// whoever owns it mends it.
func (a *API) cached(account record.AccountID) (record.Shopper, bool) {
	s, ok, err := a.cfg.Cache.Shopper(account)
	if err != nil {
		a.cfg.Log.Warn("the cache does not answer", "account", account, "err", err)
		return record.Shopper{}, false
	}
	return s, ok
}

// ask asks upstream within wait and remembers what it says. An error is "nobody could say".
func (a *API) ask(ctx context.Context, account record.AccountID, wait time.Duration) (record.Shopper, string, bool, error) {
	if a.cfg.Ask == nil || wait == 0 {
		return record.Shopper{}, "", false, errNotAsked
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	s, source, found, err := a.cfg.Ask(ctx, account)
	if err != nil || !found {
		return record.Shopper{}, "", false, err
	}
	if source == "" {
		source = sourceStore
	}
	if err := a.cfg.Cache.Learn(account, s); err != nil {
		a.cfg.Log.Warn("the cache does not learn a shopper", "account", account, "err", err)
	}
	return s, source, true, nil
}

// stale reports whether the centre has been silent for so long that a balance may be another by now.
func (a *API) stale() bool {
	last := a.cfg.Centre().Heard
	return last.IsZero() || a.cfg.Now().Sub(last) > a.cfg.StaleAfter
}
