package screen_test

import (
	"fmt"
	"strings"
	"testing"
)

// Somebody tries coupon codes: after five wrong ones the page wants a manager, tells a code that is none, goes on
// without the coupon when nobody comes, and takes it when somebody does, to the receipt.
func TestGuessesNeedAManager(t *testing.T) {
	t.Parallel()
	till := alone(t)
	b := signOn(t, "http://"+till.Addr()+"/?currency=EUR&goods=20001:10.00:Vase")
	b.press("'20001", "Enter")
	b.reads("#lines", "Vase")
	for i := range 5 {
		b.press("F3", fmt.Sprintf("'NO-SUCH-%d", i), "Enter")
		b.until("the code is refused", func() error {
			if text := b.text("#coupons"); strings.Count(text, "No such coupon") != i+1 {
				return fmt.Errorf("it says %q", text)
			}
			return nil
		})
		b.focused()
	}
	b.press("F3", "'AUTUMN1", "Enter")
	b.reads("dialog", "Manager", "Call a manager")
	b.looks("manager")
	b.press("Escape")
	b.reads("#problem", "Too many wrong coupon codes")
	if text := b.text("#coupons"); strings.Contains(text, "AU***") {
		t.Errorf("a coupon that was not looked at stays: %s", text)
	}
	b.press("F2")
	b.reads("#total", "To pay", "10.00 EUR") // the sale goes on

	b.press("F3", "'AUTUMN1", "Enter")
	b.reads("dialog", "Manager")
	b.press("'1234", "Enter")
	b.reads("dialog", "That is no manager", "Call a manager")
	b.press("'"+managerCode, "Enter")
	b.reads("#coupons", "AU***", "Can be used")
	b.press("F2")
	b.reads("#total", "9.00 EUR", "saved 1.00")
	b.press("F4") // without a card: the coupon is held for the basket
	b.reads("dialog", "Pay 9.00 EUR")
	b.press("Enter")
	b.reads("#slip", "Coupon -10% -1.00", "TOTAL EUR 9.00")
	if left := ask[string](b, `sessionStorage.getItem('basket')`); strings.Contains(left, managerCode) {
		t.Errorf("the manager's code is in the next basket: %s", left)
	}
}

// An offer over two lines stands in full at the first and by its name at the second; what the cashier gives off is
// the till's own. The paper has each once, and its lines add up to its total.
func TestOfferOverTwoLines(t *testing.T) {
	t.Parallel()
	till := alone(t)
	b := signOn(t, "http://"+till.Addr()+"/?currency=EUR&goods=20001:10.00:Vase,20002:8.00:Cup,20003:7.00:Plate")
	b.press("'20002", "Enter", "'20001", "Enter", "F8")
	b.reads("dialog", "Vase", "Discount at the till")
	b.press("Tab", "Tab", "'1", "Enter")
	b.gone("dialog")
	b.press("'20003", "Enter", "F2")
	b.reads("#total", "19.00 EUR")
	lines := b.text("#lines")
	for _, want := range []string{"Cup and plate 12.00 −3.00", "✦ part of Cup and plate 12.00", "Discount at the till −1.00"} {
		if strings.Count(lines, want) != 1 {
			t.Errorf("the lines say %q, want %q once", lines, want)
		}
	}
	b.reads("#offers", "2.00 off 20.00", "−2.00")
	b.looks("offer-over-lines")
	b.press("F4")
	b.reads("dialog", "Pay 19.00 EUR")
	b.press("Enter")
	b.reads("#slip", "Cup and plate 12.00 -3.00", "Discount -1.00", "2.00 off 20.00 -2.00", "TOTAL EUR 19.00")
	b.looks("offer-over-lines-paid")
	paper := b.text("#slip")
	for _, once := range []string{"-3.00", "-1.00", "-2.00"} {
		if strings.Count(paper, once) != 1 {
			t.Errorf("%s is not once on %q", once, paper)
		}
	}
}

// A label with a price in it is of one piece: "2*" before it would sell two for the price of one. A price that the
// cashier keys instead is what is paid.
func TestLabelsAndKeyedPrices(t *testing.T) {
	t.Parallel()
	till := alone(t)
	const label = "2512340004900" // 4.90
	b := signOn(t, "http://"+till.Addr()+"/?currency=EUR")
	b.press("'2*"+label, "Enter")
	b.reads("#problem", "scan each")
	b.reads("#total", "Nothing to pay")
	b.scan(label)
	b.reads("#total", "4.90 EUR")
	b.press("F8")
	b.reads("dialog", "Price, EUR")
	b.press("Tab", "'4.00", "Enter", "F2")
	b.reads("#total", "To pay", "4.00 EUR")
	b.press("F4")
	b.reads("dialog", "Pay 4.00 EUR")
	b.press("Enter")
	b.reads("#slip", "TOTAL EUR 4.00")
}
