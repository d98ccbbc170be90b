package screen_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"tillstream/deploy/fleet"
)

const shopper = "2000017"

// goods are on the page's keys.
const goods = "currency=GBP&goods=20001:6.00:Red%20tin%20mug,20002:9.50:Doormat&cards=" + shopper

// signOn opens a till's page at an address and signs on.
func signOn(t *testing.T, url string) *tab {
	t.Helper()
	b := visit(t, url)
	b.reads("dialog", "Sign on", "Token")
	b.press("'"+fleet.Token(), "Enter")
	b.focused()
	return b
}

// A cashier's day, by keyboard and scanner alone: sales with and without a card, connected and cut off, a reload,
// goods that come back, a basket put aside, training.
func TestTillPage(t *testing.T) {
	t.Parallel()
	f, till := chain(t)
	b := visit(t, till.URL()+"/?"+goods)
	b.reads("dialog", "Sign on", "Token")
	b.looks("sign-on")
	b.press("'not-the-token-of-this-till", "Enter")
	b.reads("dialog", "does not take this token")
	b.press("'"+fleet.Token(), "Enter")
	b.reads("#place", "0001-01")
	b.reads("#age", "Centre")
	b.focused()
	b.looks("empty")

	t.Log("goods, a card, Calculate")
	b.press("'2*20001", "Enter")
	b.reads("#lines", "Red tin mug", "2 × 6.00", "12.00")
	b.reads("#total", "Shelf prices", "12.00 GBP")
	b.press("'77001", "Enter")
	b.reads("dialog", "What is 77001?")
	b.looks("what-is-it")
	b.press("Enter")
	b.reads("dialog", "Price of 77001")
	b.press("'7.30", "Tab", "'Garden gnome", "Enter")
	b.reads("#lines", "Garden gnome", "7.30")
	b.press("F1")
	b.reads("dialog", "Card", shopper)
	b.looks("card")
	b.press("F1")
	b.reads("#shopper", "******017")                               // as the node masks it
	b.until("the centre says that the card is new", func() error { // it has 150 ms, which a busy machine may not give it
		if b.focused(); strings.Contains(b.text("#shopper"), "a new card") {
			return nil
		}
		b.press("F1", "F1")
		return errors.New(b.text("#shopper"))
	})
	b.reads("#problem", "not known yet")
	b.press("F2")
	b.reads("#lines", "Mugs 2 for 1", "−6.00")
	b.reads("#total", "To pay", "13.30 GBP", "saved 6.00", "+13 points")
	b.looks("calculated")

	t.Log("a coupon is refused, with its reason")
	b.press("F3", "'NO-SUCH", "Enter")
	b.reads("#coupons", "refused", "No such coupon")
	b.reads("#total", "13.30 GBP") // it changes nothing
	b.looks("coupon-refused")

	t.Log("a reload in the middle of the basket")
	b.run(chromedp.Reload())
	b.reads("#total", "13.30 GBP")
	b.reads("#coupons", "refused")
	b.focused()

	t.Log("pay")
	b.press("F4")
	b.reads("dialog", "Pay 13.30 GBP")
	b.looks("pay")
	b.press("'20", "Enter")
	b.reads("#slip", "TOTAL GBP", "13.30", "Change", "6.70", "Points earned", "+13", "YOU SAVED 6.00")
	b.focused()
	b.looks("paid")
	settle(t, f)
	first := b.text("#slip")

	t.Log("the balance has changed")
	b.press("F1", "'"+shopper, "Enter")
	b.reads("#shopper", "13 points", "own disk")
	b.gone("#slip")
	b.press("'20002", "Enter", "F2")
	b.reads("#total", "9.50 GBP", "+9 points")

	t.Log("put aside, another, taken up again")
	b.press("F9")
	b.reads("dialog", "Put aside", "Drop")
	b.press("Enter")
	b.reads("#total", "Nothing to pay")
	b.press("F9")
	b.reads("dialog", "Which one goes on?", "1 line")
	b.looks("take-up")
	b.press("F1")
	b.reads("#lines", "Doormat")
	b.reads("#shopper", "13 points")

	t.Log("the WAN is cut: the sale goes on, and the light says so")
	f.Store(0).Cut()
	b.reads("#age", "Store", "the centre is away")
	b.reads("#lamp-store", "●")
	b.reads("#lamp-centre", "○")
	b.press("F4")
	b.reads("dialog", "Pay 9.50 GBP")
	b.press("F1")
	b.reads("#slip", "TOTAL GBP", "9.50", "Points earned", "+9")
	b.reads("#age", "1 not posted yet")
	b.looks("cut")
	f.Store(0).Heal()
	b.reads("#lamp-centre", "●")
	b.reads("#age", "Centre")

	t.Log("half of the first comes back")
	b.press("F10")
	b.reads("dialog", "Return or void", "13.30")
	b.looks("return")
	b.press("F2")
	b.reads("dialog", "Red tin mug (2 sold)")
	b.looks("return-lines")
	b.press("'1", "Enter")
	b.reads("dialog", "3.00 GBP goes back")
	b.press("Enter")
	b.reads("#slip", "-6.00", "offer undone 3.00", "BACK GBP 3.00", "Points taken back")
	b.looks("returned")
	settle(t, f)

	t.Log("and the rest is voided")
	b.press("F10")
	b.reads("dialog", "Return or void")
	b.press("F2")
	b.reads("dialog", "(2 sold, 1 left)", "Void the sale")
	b.press("F2")
	b.reads("dialog", "10.30 GBP goes back")
	b.press("Enter")
	b.focused()
	b.press("F10")
	b.reads("dialog", "Return or void")
	b.press("F2")
	b.reads("#problem", "This sale is void")
	settle(t, f)

	t.Log("training has its colour and its words, and nothing of it is posted")
	b.press("Escape", "Shift+F1")
	b.reads("#training", "TRAINING")
	b.press("'20001", "Enter", "F2")
	b.reads("#total", "6.00 GBP")
	b.reads("#near", "Nearly: Mugs 2 for 1", "1 more")
	b.looks("training")
	b.press("F4")
	b.reads("dialog", "no money changes hands")
	b.press("Enter")
	b.reads("#slip", "*** TRAINING ***", "TOTAL GBP")
	b.looks("training-paid")
	if unconfirmed, unposted := till.Node().Waiting(); unconfirmed+unposted > 0 {
		t.Errorf("%d unconfirmed and %d unposted after training", unconfirmed, unposted)
	}
	if first == "" {
		t.Error("the first paper was empty")
	}
	posted(t, f, 4) // two sales, a return and a void
}

// The node goes away while a sale is paid. The paper comes all the same, and the receipt follows once, under
// its one rid.
func TestTillPageWithoutItsNode(t *testing.T) {
	t.Parallel()
	f, till := chain(t)
	b := signOn(t, till.URL()+"/?"+goods)
	b.scan("20001")
	b.press("F2")
	b.reads("#total", "6.00 GBP")
	must(t, till.Crash())
	b.reads("#age", "The node does not answer")
	b.scan("20002") // a scan works on, from what is known here
	b.reads("#lines", "Doormat")
	b.press("F2")
	b.reads("#problem", "does not answer")
	b.looks("no-node")
	b.press("F4") // a till never refuses a sale
	b.reads("dialog", "Pay 15.50", "shelf prices")
	b.press("Enter")
	b.reads("#slip", "TOTAL GBP", "15.50")
	b.reads("#age", "1 receipt waits here")
	b.looks("receipt-follows")
	b.focused()
	b.press("Shift+F2")
	b.reads("#problem", "would be lost")
	must(t, till.Start())
	b.reads("#age", "Centre")
	b.until("nothing waits", func() error { return has(b.text("#age"), "waits here") })

	b.press("'20002", "Enter", "F4")
	b.reads("dialog", "Pay 9.50", "when the money is there")
	must(t, till.Crash())
	b.press("Enter")
	b.reads("#slip", "TOTAL GBP", "9.50")
	b.reads("#age", "1 receipt waits here")
	must(t, till.Start())
	b.until("nothing waits", func() error { return has(b.text("#age"), "waits here") })
	settle(t, f)
	posted(t, f, 2)
}

// lose has the page lose a question about a receipt, then an answer; sent are the bodies that it sent.
const lose = `(() => {
	const real = window.fetch;
	window.sent = [];
	window.fetch = async (url, o) => {
		if (url !== '/v1/receipts') return real(url, o);
		const n = window.sent.push(o.headers['Idempotency-Key'] + o.body);
		if (n === 1) throw new TypeError('the question is lost');
		const answer = await real(url, o);
		if (n === 2) throw new TypeError('the answer is lost');
		return answer;
	};
	return true;
})()`

// What is lost on the way of a payment, asked or answered, makes no second receipt: the same bytes go again,
// under the same rid, until it is known what became of them. A quote that does not come out again is a question,
// and a sale that has happened is kept.
func TestPaymentsAreKeptOnce(t *testing.T) {
	t.Parallel()
	f, till := chain(t)
	b := signOn(t, till.URL()+"/?"+goods)
	ask[bool](b, lose)
	b.press("'20001", "Enter", "F4")
	b.reads("dialog", "Pay 6.00")
	b.press("Enter")
	b.reads("#slip", "TOTAL GBP", "6.00")
	if got := ask[[]string](b, "window.sent"); len(got) != 2 || got[0] != got[1] {
		t.Errorf("sent %q, want the same twice", got)
	}

	b.press("'20002", "Enter", "F2")
	b.reads("#total", "To pay", "9.50")
	ask[bool](b, `(() => {
		const basket = JSON.parse(sessionStorage.getItem('basket'));
		basket.quote.context = 'AAAA';
		sessionStorage.setItem('basket', JSON.stringify(basket));
		return true;
	})()`)
	b.run(chromedp.Reload())
	b.reads("#total", "To pay", "9.50")
	b.focused()
	b.press("F4")
	b.reads("dialog", "Pay 9.50")
	b.press("Enter")
	b.reads("dialog", "The total has changed")
	b.looks("changed")
	b.press("F1") // the money has changed hands
	b.reads("#problem", "Kept, and flagged")
	b.reads("#slip", "TOTAL GBP", "9.50")
	settle(t, f)
	posted(t, f, 2)
}

// A scanner works in whatever state the page is, and a token for training makes a training till.
func TestScannerInAnyState(t *testing.T) {
	t.Parallel()
	_, till := chain(t)
	file, err := os.OpenFile(till.Config().POSTokens, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = file.WriteString("school the-token-of-the-school training\n"); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	b := visit(t, till.URL()+"/?currency=GBP&goods=200011:6.00:Red%20tin%20mug,200022:9.50:Doormat")
	b.until("the node takes the new token", func() error {
		b.reads("dialog", "Sign on")
		b.press("'the-token-of-the-school", "Enter")
		if !ask[bool](b, `new Promise((done) => setTimeout(() => done(!document.querySelector('main').hidden), 300))`) {
			return errors.New("not yet")
		}
		return nil
	})
	b.reads("#training", "TRAINING")
	b.scan("200011")
	b.reads("#lines", "Red tin mug")
	ask[bool](b, `(document.activeElement.blur(), true)`)
	b.scan("200022")
	b.reads("#lines", "Doormat")
	b.press("F3")
	b.reads("dialog", "Coupon")
	b.scan("200011")
	b.gone("dialog")
	b.press("F2")
	b.reads("#total", "19.50 GBP")
	b.press("F4")
	b.reads("dialog", "Pay")
	b.scan("200022") // one more while the shopper looks for the purse
	b.gone("dialog")
	b.reads("#total", "31.00 GBP")
	b.press("F6", "'99", "Tab")
	b.scan("200022") // waits until the price is keyed; the field is as it was
	b.reads("dialog", "Key goods")
	b.press("'1.25", "Enter")
	b.reads("#total", "41.75 GBP")
	b.focused()
}
