package api

import "tillstream/kv/setting"

func (a *API) returnPolicy() setting.Returns {
	if a.cfg.Returns == nil {
		return setting.Returns{}
	}
	return a.cfg.Returns()
}

// What a cashier reads about a return that may not pass so.
const (
	textManager = "Call a manager: this return needs a manager's code."
	textReceipt = "Not without the receipt."
)

// mayGiveBlind holds a return that names no sale to the policy.
func (a *API) mayGiveBlind(p *setting.Returns, body *Return, total int64) error {
	switch p.Unlinked {
	case setting.ReturnRefuse:
		return &unlinkedError{"/of", "The chain takes nothing back without naming the sale.", textReceipt}
	case setting.ReturnReason, setting.ReturnManager:
		if body.UnlinkedReason == "" {
			return &unlinkedError{"/unlinked_reason", "Say why the sale is not named.", "Say why there is no receipt."}
		}
	}
	if p.Unlinked == setting.ReturnManager || over(total, p.UnlinkedLimit) {
		return a.wantManager(body)
	}
	return nil
}

// mayGiveUnverified holds a return whose sale nobody could give to the policy.
func (a *API) mayGiveUnverified(p *setting.Returns, body *Return, total int64) error {
	if p.Unverified == setting.ReturnRefuse {
		return &unlinkedError{"/of/rid", "Nobody could say in time what the sale was. Try again when there is a connection.",
			"The sale cannot be found just now. Try again later."}
	}
	if p.Unverified == setting.ReturnManager || over(total, p.UnverifiedLimit) {
		return a.wantManager(body)
	}
	return nil
}

func over(total, limit int64) bool { return limit > 0 && max(total, -total) > limit }

func (a *API) wantManager(body *Return) error {
	if a.isManager(body.ManagerCode) {
		return nil
	}
	return &unlinkedError{"/manager_code", "Send a manager's code as manager_code.", textManager}
}
