package pos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"tillstream/edge/api"
	"tillstream/edge/pricing"
	"tillstream/kv/record"
)

// Command is `tillstream till`.
type Command struct {
	Till      string `default:"http://127.0.0.1:8371" placeholder:"URL" help:"Where the till's node answers: http://host:port, or unix:/path."`
	TokenFile string `required:"" placeholder:"FILE" help:"File with the POS's token: the token alone, or the node's pos_tokens_file, of which the first is taken."`
	JSON      bool   `help:"Print each of the node's answers as it came, one a line, and nothing else."`

	Look   lookCommand   `cmd:"" help:"Who is this shopper?"`
	Quote  quoteCommand  `cmd:"" help:"What does this basket cost, and why? Has no effect."`
	Pay    payCommand    `cmd:"" help:"Quote a basket, set aside what it spends, and commit it as paid."`
	Return returnCommand `cmd:"" help:"Give back parts of a sale."`
	Find   findCommand   `cmd:"" help:"What became of a receipt?"`
}

type lookCommand struct{ shopperFlags }

type quoteCommand struct{ basketFlags }

type payCommand struct {
	basketFlags
	Tender   string `default:"cash" enum:"cash,card,voucher,other" help:"How it is paid: cash, card, voucher or other."`
	Happened bool   `help:"The money has changed hands: the sale is kept whatever its numbers."`
}

type returnCommand struct {
	Of     string   `arg:"" help:"The sale's rid."`
	Lines  []string `arg:"" placeholder:"LINE=QUANTITY" help:"Which of its lines come back, such as 1=2."`
	Tender string   `default:"cash" enum:"cash,card,voucher,other" help:"How the money goes back."`
	zoned
}

type findCommand struct {
	RID string `arg:"" help:"The receipt's rid."`
}

type shopperFlags struct {
	Card  string `xor:"who" help:"Number of the loyalty card."`
	Phone string `xor:"who" help:"Phone number, with + and the country."`
}

// zoned is what every document of a till has.
type zoned struct {
	Currency string `default:"EUR" help:"ISO 4217 code."`
}

type basketFlags struct {
	shopperFlags
	zoned
	Lines    []string `arg:"" placeholder:"ITEM[xQUANTITY]@PRICE" help:"What is bought, such as 8076800195057x4@129; the price is in cents for one piece, or for one kilo as 0.412kg@1190."`
	Coupons  []string `name:"coupon" help:"Code of a coupon; may be given again."`
	Points   string   `help:"Points to spend: a number, useful or all."`
	Age      int      `help:"The cashier has seen that the shopper is at least so old."`
	Training bool     `help:"Nothing of it is posted."`
}

// session is one run of a command.
type session struct {
	*Client
	out  io.Writer
	json bool
	now  func() time.Time
}

func (c *Command) session(out io.Writer) (*session, error) {
	token, err := ReadToken(c.TokenFile)
	if err != nil {
		return nil, err
	}
	s := &session{Client: NewClient(c.Till, token), out: out, json: c.JSON, now: time.Now}
	if c.JSON {
		s.heard = func(b json.RawMessage) { fmt.Fprintf(out, "%s\n", b) }
	}
	return s, nil
}

// say prints what a person reads.
func (s *session) say(format string, args ...any) {
	if !s.json {
		fmt.Fprintf(s.out, format+"\n", args...)
	}
}

// Run looks a shopper up.
func (l *lookCommand) Run(ctx context.Context, c *Command, out io.Writer) error {
	s, err := c.session(out)
	if err != nil {
		return err
	}
	who := l.who()
	if who == nil {
		return errors.New("look: whom? Give --card or --phone")
	}
	found, err := s.LookUp(ctx, *who.Identifier)
	if err != nil {
		return err
	}
	s.printShopper(found)
	return nil
}

// Run quotes a basket.
func (q *quoteCommand) Run(ctx context.Context, c *Command, out io.Writer) error {
	s, err := c.session(out)
	if err != nil {
		return err
	}
	b, err := q.basket(s.now())
	if err != nil {
		return err
	}
	quote, err := s.Quote(ctx, b)
	if err != nil {
		return err
	}
	s.printQuote(b, &quote)
	return nil
}

// Run pays a basket, in the order in which every POS does it.
func (p *payCommand) Run(ctx context.Context, c *Command, out io.Writer) error {
	s, err := c.session(out)
	if err != nil {
		return err
	}
	b, err := p.basket(s.now())
	if err != nil {
		return err
	}
	quote, err := s.Quote(ctx, b)
	if err != nil {
		return err
	}
	if !quote.Committable { // nothing is set aside for a sale that does not come
		return fmt.Errorf("pay: the cashier has to answer first: %s; see --age", strings.Join(quote.BlockedBy, ", "))
	}
	if quote.HoldNeeded {
		if quote, err = s.setAside(ctx, b, quote); err != nil {
			return err
		}
	}
	s.printQuote(b, &quote)
	now := s.now()
	b.At, b.BusinessDate, b.Happened = now.Format(time.RFC3339), now.Format(time.DateOnly), p.Happened
	b.Quote = &api.QuoteReference{Digest: quote.Digest, Revision: quote.Revision, Engine: quote.Engine, Context: quote.Context}
	b.Tenders = []api.Tender{{Kind: p.Tender, Amount: &quote.Totals.ToPay}}
	kept, err := s.Commit(ctx, b)
	if err != nil {
		return err
	}
	s.printCommitted(kept)
	return nil
}

// setAside holds what the quote spends. Where nobody can say, the sale goes on without.
func (s *session) setAside(ctx context.Context, b *api.Basket, quote api.Quote) (api.Quote, error) {
	key := record.NewRID(s.now()).String()
	hold, err := s.Hold(ctx, key, &api.HoldRequest{
		RID: b.RID, Shopper: b.Shopper, Points: quote.Points.ToSpend, Coupons: used(b, &quote), Training: b.Training,
	})
	if err == nil {
		b.Hold = hold.ID
		s.printHold(hold)
		return quote, nil
	}
	p, ok := errors.AsType[*ProblemError](err)
	if !ok || p.Action != "continue_without" && p.Action != "ask" {
		return quote, err
	}
	s.say("%s", p.CashierText)
	b.PointsToSpend, b.Coupons = nil, nil
	return s.Quote(ctx, b)
}

// used are the coupons that a quote has used: another one, used up or expired, would have the hold refused.
func used(b *api.Basket, quote *api.Quote) (out []api.CouponCode) {
	for i := range quote.Coupons {
		if slices.ContainsFunc(quote.Promotions, func(p pricing.Applied) bool { return p.Coupon == quote.Coupons[i].CodeMasked }) {
			out = append(out, b.Coupons[i])
		}
	}
	return out
}

// Run gives parts of a sale back.
func (r *returnCommand) Run(ctx context.Context, c *Command, out io.Writer) error {
	s, err := c.session(out)
	if err != nil {
		return err
	}
	now := s.now()
	body := &api.Return{
		RID: record.NewRID(now).String(), Of: &api.SaleReference{RID: r.Of}, Currency: r.Currency,
		At: now.Format(time.RFC3339), BusinessDate: now.Format(time.DateOnly),
	}
	for _, l := range r.Lines {
		line, quantity, ok := strings.Cut(l, "=")
		if !ok {
			return fmt.Errorf("return %s: want LINE=QUANTITY", l)
		}
		body.Lines = append(body.Lines, api.ReturnLine{LineID: line, Quantity: quantity})
	}
	kept, err := s.Return(ctx, body)
	if err != nil {
		return err
	}
	s.printCommitted(kept)
	return nil
}

// Run asks for a receipt.
func (f *findCommand) Run(ctx context.Context, c *Command, out io.Writer) error {
	s, err := c.session(out)
	if err != nil {
		return err
	}
	kept, err := s.Find(ctx, f.RID)
	if err != nil {
		return err
	}
	s.printCommitted(kept)
	return nil
}

func (f *shopperFlags) who() *api.Who {
	switch {
	case f.Card != "":
		return &api.Who{Identifier: &api.Identifier{Kind: "card", Value: f.Card, Entry: "keyed"}}
	case f.Phone != "":
		return &api.Who{Identifier: &api.Identifier{Kind: "phone", Value: f.Phone, Entry: "keyed"}}
	}
	return nil
}

func (f *basketFlags) basket(now time.Time) (*api.Basket, error) {
	b := &api.Basket{RID: record.NewRID(now).String(), Currency: f.Currency, Shopper: f.who()}
	if f.Training {
		b.Training = &f.Training
	}
	for i, text := range f.Lines {
		l, err := readLine(text)
		if err != nil {
			return nil, err
		}
		l.LineID = strconv.Itoa(i + 1)
		b.Lines = append(b.Lines, l)
	}
	for _, code := range f.Coupons {
		b.Coupons = append(b.Coupons, api.CouponCode{Code: code, Entry: "keyed"})
	}
	switch points, err := strconv.ParseInt(f.Points, 10, 64); {
	case f.Points == "":
	case err == nil:
		b.PointsToSpend = &api.PointsToSpend{Mode: "exact", Points: points}
	default:
		b.PointsToSpend = &api.PointsToSpend{Mode: f.Points}
	}
	if f.Age > 0 {
		b.Confirmed = &api.Confirmed{Age: f.Age, Method: "id_seen"}
	}
	return b, nil
}

// readLine reads ITEM[xQUANTITY]@PRICE.
func readLine(text string) (l api.Line, err error) {
	what, price, ok := strings.Cut(text, "@")
	cents, bad := strconv.ParseInt(price, 10, 64)
	if !ok || bad != nil {
		return l, fmt.Errorf("line %s: want ITEM[xQUANTITY]@PRICE, the price in cents", text)
	}
	l = api.Line{Item: what, Quantity: "1", Unit: "pc", UnitPrice: &cents}
	if i := strings.LastIndexByte(what, 'x'); i > 0 {
		l.Item, l.Quantity = what[:i], what[i+1:]
		for _, unit := range []string{"kg", "l", "m"} {
			if q, ok := strings.CutSuffix(l.Quantity, unit); ok {
				l.Quantity, l.Unit = q, unit
				break
			}
		}
	}
	return l, nil
}
