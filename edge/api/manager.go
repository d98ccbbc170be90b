package api

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/goccy/go-json/jsontext"

	"tillstream/kv/record"
)

// isManager reports whether a code is a manager's. After five wrong ones it believes none for a while.
func (a *API) isManager(code string) bool {
	var managers record.RID // no basket's: wrong codes of managers are counted under it, for the whole node
	if code == "" || a.guesses.spent(managers) {
		return false
	}
	if a.callers.manager(code) {
		return true
	}
	a.guesses.wrong(managers, code, a.cfg.Now())
	return false
}

// withoutManager takes the manager's code out of a document that is kept: what is kept is read for years, by people
// of the centre, and by every till of the store if it is a suspended basket. Sent again, it is the same document.
func withoutManager(body []byte, code string) ([]byte, error) {
	if code == "" {
		return body, nil
	}
	d := jsontext.NewDecoder(bytes.NewReader(body))
	_, err := d.ReadToken()
	for first := true; err == nil && d.PeekKind() == '"'; first = false {
		from := d.InputOffset()
		var name jsontext.Token
		if name, err = d.ReadToken(); err != nil {
			break
		}
		its := name.String() == "manager_code"
		if err = d.SkipValue(); err != nil || !its {
			continue
		}
		rest := body[d.InputOffset():]
		if first { // the comma behind it goes, otherwise that before it
			rest = bytes.TrimPrefix(bytes.TrimLeft(rest, " \t\r\n"), []byte(","))
		}
		return slices.Concat(body[:from], rest), nil
	}
	return nil, fmt.Errorf("take a manager's code out: %w", cmp.Or(err, errors.New("it is not found")))
}
