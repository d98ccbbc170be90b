package screen_test

import (
	"errors"
	"testing"
	"time"

	"tillstream/edge/api"
	"tillstream/kv/record"
)

// send has the till show a message to the shopper who is there.
func send(t *testing.T, till *api.API, m record.Screen) bool {
	t.Helper()
	m.Account, m.Expires = till.Shopper(), time.Now().Add(time.Hour).UnixMilli()
	if m.Account.IsZero() {
		t.Error("nobody is at the till")
		return false
	}
	shown, err := till.Screen(t.Context(), &m)
	must(t, err)
	return shown
}

// A shopper's messages come to the page over its stream: a toast, and the full screen. They are plain text, can be
// closed by the keyboard, and are marked; and the next shopper does not see them.
func TestMessagesOfAShopper(t *testing.T) {
	t.Parallel()
	till := alone(t)
	b := signOn(t, "http://"+till.Addr()+"/?currency=EUR&goods=20001:10.00:Vase")
	b.press("F1", "'"+shopper, "Enter")
	b.reads("#shopper", "nobody could say")
	b.until("a POS reads the till's messages", func() error {
		if !send(t, till, record.Screen{Try: uint64(time.Now().UnixNano()), ID: "a1", Title: "Danke!", Text: "Noch <b>ein</b> Stempel.", Code: "AUTUMN1", Language: "de"}) {
			return errors.New("not yet")
		}
		return nil
	})
	b.reads("#messages", "For the shopper:", "Danke!", "Noch <b>ein</b> Stempel.", "Code AUTUMN1")
	if lang := ask[string](b, `document.querySelector('#messages [lang]').lang`); lang != "de" {
		t.Errorf("the text's language is %q", lang)
	}
	b.focused() // a toast does not take the keys away
	b.looks("shopper-toast")
	b.until("it is marked as shown", func() error {
		if !till.Shown("a1") {
			return errors.New("not yet")
		}
		return nil
	})
	b.press("Escape")
	b.gone("#messages")
	b.focused()

	if !send(t, till, record.Screen{Try: 1, ID: "b2", Full: true, Title: "Reward!", Text: "A coffee is on us.", Code: "AUTUMN1"}) {
		t.Error("the full screen is not shown")
	}
	b.reads("dialog", "For the shopper: Reward!", "A coffee is on us.", "Code AUTUMN1")
	if !ask[bool](b, `document.querySelector('dialog').matches(':modal') && document.activeElement.closest('dialog') !== null`) {
		t.Error("the keys are not with the full screen")
	}
	b.looks("shopper-full")
	b.press("Escape")
	b.gone("dialog")
	b.focused()
	if !send(t, till, record.Screen{Try: 2, ID: "b2", Full: true, Title: "Reward!", Text: "A coffee is on us."}) {
		t.Error("the same message again is not told as shown")
	}
	b.gone("dialog")

	if !send(t, till, record.Screen{Try: 1, ID: "c3", Text: "Only for you."}) {
		t.Error("the second toast is not shown")
	}
	b.reads("#messages", "Only for you.")
	b.press("'20001", "Enter", "F2")
	b.reads("#total", "To pay")
	b.focused() // a key is not heard while another is at work
	b.press("F4")
	b.reads("dialog", "Pay")
	b.press("Enter")
	b.reads("#slip", "TOTAL")
	b.reads("#messages", "Only for you.") // they pack their bags
	account := till.Shopper()
	b.press("'20001", "Enter")
	b.gone("#messages")
	b.press("F2")
	b.reads("#total", "To pay")
	if !till.Shopper().IsZero() {
		t.Error("the shopper is still there when another basket has begun")
	}
	late := record.Screen{Account: account, Try: 1, ID: "d4", Text: "Too late.", Expires: time.Now().Add(time.Hour).UnixMilli()}
	if shown, err := till.Screen(t.Context(), &late); shown || err != nil {
		t.Errorf("a message for a shopper who has gone: shown %t, %v", shown, err)
	}
}
