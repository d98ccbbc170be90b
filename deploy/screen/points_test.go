package screen_test

import (
	"fmt"
	"strings"
	"testing"

	"tillstream/deploy/fleet"
	"tillstream/kv/record"
)

// inBooks waits until the books say of the shopper what a test wants.
func inBooks(t *testing.T, f *fleet.Fleet, balance, held int64) {
	t.Helper()
	id := f.Cards().Account(shopper)
	await(t, fmt.Sprintf("%d points in the books, %d set aside", balance, held), func() error {
		var s record.Shopper
		n := f.Centre()[0].Node()
		must(t, n.Replica().Read(t.Context(), 0, func(uint64) { s, _ = n.Books().Shopper(id) }))
		if s.Balance != balance || s.Held != held || s.Debt != 0 {
			return fmt.Errorf("they say %+v", s)
		}
		return nil
	})
}

// points scans the shopper's card until the till shows so many points, and nothing of them on its way.
func (b *tab) points(want string) {
	b.t.Helper()
	b.until("the till shows "+want+" points", func() error {
		b.press("F1")
		b.reads("dialog", "Card")
		b.press("'"+shopper, "Enter")
		b.gone("dialog")
		b.focused()
		text := b.text("#shopper")
		if err := has(text, "on the way"); err != nil {
			return err
		}
		if err := has(text, "set aside"); err != nil {
			return err
		}
		if !strings.Contains(text, want) {
			return fmt.Errorf("it says %q", text)
		}
		return nil
	})
}

// A shopper's points go round: earned, set aside in the books while the rest is paid, given back when the basket is
// abandoned, spent, refused while the store is cut off, and back again with the goods.
func TestPointsGoRound(t *testing.T) {
	t.Parallel()
	f, till := chain(t)
	b := signOn(t, till.URL()+"/?"+goods)

	t.Log("earn")
	b.press("'2*20002", "Enter")
	b.points("new") // a card of which nobody has heard yet
	b.press("F4")
	b.reads("dialog", "Pay 19.00")
	b.press("Enter")
	b.reads("#slip", "Points earned", "+19")
	settle(t, f)
	inBooks(t, f, 19, 0)

	t.Log("an abandoned basket: what was set aside comes back")
	b.press("'20002", "Enter")
	b.points("19")
	b.press("F7")
	b.reads("dialog", "19 points can be spent")
	b.looks("points")
	b.press("F2")
	b.reads("#total", "7.60 GBP", "19 points pay 1.90", "+7 points")
	b.looks("points-calculated")
	b.press("F4")
	b.reads("dialog", "Pay 7.60", "19 points pay 1.90")
	inBooks(t, f, 0, 19)
	b.looks("points-held")
	b.press("Escape")
	inBooks(t, f, 19, 0)

	t.Log("and is set aside again, and spent")
	b.press("F4")
	b.reads("dialog", "Pay 7.60")
	inBooks(t, f, 0, 19)
	b.press("Enter")
	b.reads("#slip", "Points 19", "-1.90", "TOTAL GBP 7.60", "Points spent", "-19", "Points earned", "+7")
	b.looks("points-paid")
	settle(t, f)
	inBooks(t, f, 7, 0)

	t.Log("cut off: refused with its reason, and the sale goes on")
	b.press("'20002", "Enter")
	b.points("7")
	f.Store(0).Cut()
	b.reads("#lamp-centre", "○")
	b.press("F7")
	b.reads("dialog", "7 points can be spent")
	b.press("F3")
	b.reads("#total", "9.50 GBP", "no points: no connection")
	b.reads("#near", "Points cannot be spent just now", "They stay safe")
	b.looks("points-cut")
	b.press("F4")
	b.reads("dialog", "Pay 9.50")
	b.press("Enter")
	b.reads("#slip", "TOTAL GBP 9.50", "Points earned", "+9")
	f.Store(0).Heal()
	settle(t, f)
	inBooks(t, f, 16, 0)

	t.Log("what was bought with them comes back: they do too, and those that it earned go")
	b.reads("#lamp-centre", "●")
	b.press("F10")
	b.reads("dialog", "Return or void", "7.60")
	b.press("F2")
	b.reads("dialog", "Doormat (1 sold)")
	b.press("F1")
	b.reads("dialog", "7.60 GBP goes back")
	b.press("Enter")
	b.reads("#slip", "-9.50", "had been paid with points 1.90", "BACK GBP 7.60", "Points taken back", "-7", "Points given back", "+19")
	b.looks("points-returned")
	settle(t, f)
	inBooks(t, f, 28, 0)
	b.points("28")
	posted(t, f, 4)
}
