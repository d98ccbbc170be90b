package screen_test

import (
	"errors"
	"strings"
	"testing"
)

// receipt asks for a return of a receipt, and once more where the centre took longer to say what it was than a till
// waits.
func (b *tab) receipt(text string) {
	b.t.Helper()
	b.until("the sale is known", func() error {
		b.press("F10")
		b.reads("dialog", "Return or void")
		b.press("'"+text, "Enter")
		b.until("the page has asked", func() error {
			if d := b.text("dialog"); strings.Contains(d, "Receipt "+text[:8]) || strings.Contains(d, "sold") || d == "" && b.text("#problem") != "" {
				return nil
			}
			return errors.New("not yet")
		})
		if strings.Contains(b.text("#problem"), "Nobody who could be asked") {
			b.press("Escape")
			b.gone("dialog")
			return errors.New("nobody could say")
		}
		return nil
	})
}

// Goods come back where nobody has sold them: in another store, by the rid on the paper, and at the till that has
// forgotten them, by their number. Each page sees what the other has taken back.
func TestGoodsComeBackAnywhere(t *testing.T) {
	t.Parallel()
	f := chainOf(t, 2)
	here, there := f.Store(0).Till(0), f.Store(1).Till(0)
	b := signOn(t, here.URL()+"/?"+goods)
	b.press("'3*20001", "Enter", "'20002", "Enter")
	b.points("new")
	b.press("F2")
	b.reads("#total", "To pay", "19.50") // one mug of three is free
	b.press("F4")
	b.reads("dialog", "Pay 19.50")
	b.press("Enter")
	b.reads("#slip", "TOTAL GBP 19.50")
	paper := strings.Fields(b.text("#slip"))
	number, rid := paper[0], paper[len(paper)-1]
	settle(t, f)

	t.Log("in another store, by its rid")
	other := signOn(t, there.URL()+"/?currency=GBP")
	other.receipt(rid)
	other.reads("dialog", "Receipt "+number, "Red tin mug (3 sold)", "Doormat (1 sold)")
	other.looks("return-elsewhere")
	other.press("'1", "Enter")
	other.reads("dialog", "goes back to the shopper")
	other.press("Enter")
	other.reads("#slip", "1 Red tin mug", "BACK GBP")
	if text := other.text("#slip"); strings.Contains(text, "not known") {
		t.Errorf("the sale was not found: %s", text)
	}
	settle(t, f)

	t.Log("at the till that sold it, in a new tab, by its number: what is left comes back")
	again := signOn(t, here.URL()+"/?currency=GBP")
	again.press("F10")
	again.reads("dialog", "Return or void")
	again.press("'no such number", "Enter")
	again.reads("#problem", "no such number")
	again.receipt(number)
	again.reads("dialog", "Receipt "+number, "Red tin mug (3 sold, 2 left)", "Doormat (1 sold)")
	again.press("F1")
	again.reads("dialog", "goes back to the shopper")
	again.press("Enter")
	again.reads("#slip", "2 Red tin mug", "1 Doormat", "BACK GBP")
	settle(t, f)
	inBooks(t, f, 0, 0) // what was earned is gone with the goods

	other.receipt(rid)
	other.reads("#problem", "All of it has come back already")
	posted(t, f, 3)
}

// A sale that nobody knows goes back as its paper has it. Of a price that is none nothing is given back: it is asked
// for again.
func TestGoodsComeBackByTheirPaper(t *testing.T) {
	t.Parallel()
	till := alone(t)
	b := signOn(t, "http://"+till.Addr()+"/?currency=EUR")
	give := func(price string) {
		b.press("F10")
		b.reads("dialog", "Return or void")
		b.press("'0199c1b2-7c40-7d7e-9a52-3f6f0b1c2d3e", "Enter")
		b.reads("dialog", "Receipt 0199c1b2", "Line on the paper")
		b.press("'1", "Tab", "Tab", "'20001", "Tab", "'"+price, "Enter")
	}
	give("six")
	b.reads("#problem", "with a code its price")
	b.focused()
	give("6.00")
	b.reads("dialog", "6.00 EUR goes back")
	b.press("Enter")
	b.reads("#slip", "BACK EUR 6.00", "Sale not known here: unverified")
	b.looks("return-by-paper")
}
