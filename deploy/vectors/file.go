package vectors

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"tillstream/edge/pricing"
	"tillstream/kv/promotion"
)

// file is a file of vectors.
type file struct {
	Schema  string            `json:"schema"`
	Note    string            `json:"note"`
	Vectors []json.RawMessage `json:"vectors"`
}

// vector is one basket and what it must give.
type vector struct {
	Name       string          `json:"name"`
	Why        string          `json:"why"`
	Policy     policy          `json:"policy"`
	Items      map[string]item `json:"items"`
	Sets       map[string]set  `json:"sets"`
	Promotions json.RawMessage `json:"promotions"`
	Quote      basket          `json:"quote"`
	Returns    [][]returned    `json:"returns"`
	Expected   expected        `json:"expected"`
	Back       [][]back        `json:"expected_returns"`
}

type policy struct {
	Currency          string  `json:"currency"`
	MaxLineDiscount   *string `json:"max_line_discount"`
	MaxBasketDiscount *string `json:"max_basket_discount"`
	Points            *struct {
		Earn *struct {
			Points   int64 `json:"points"`
			PerSpend int64 `json:"per_spend"`
		} `json:"earn"`
		Value *struct {
			Points int64 `json:"points"`
			Amount int64 `json:"amount"`
		} `json:"value"`
		Block    int64   `json:"block"`
		MinSpend int64   `json:"min_spend"`
		MaxShare *string `json:"max_share"`
	} `json:"points"`
}

type item struct {
	Name       string   `json:"name"`
	Category   string   `json:"category"`
	Tags       []string `json:"tags"`
	FloorPrice int64    `json:"floor_price"`
	NoDiscount bool     `json:"no_discount"`
	NoPoints   bool     `json:"no_points"`
	MinAge     int64    `json:"min_age"`
	Weighed    bool     `json:"weighed"`
}

type set struct {
	ID       string  `json:"id"`
	Revision int64   `json:"revision"`
	Include  *filter `json:"include"`
	Exclude  *filter `json:"exclude"`
}

type filter struct {
	Items      []string `json:"items"`
	Categories []string `json:"categories"`
	Tags       []string `json:"tags"`
}

type basket struct {
	At           time.Time `json:"at"`
	TimeZone     string    `json:"time_zone"`
	BusinessDate string    `json:"business_date"`
	Store        string    `json:"store"`
	StoreSets    []string  `json:"store_sets"`
	Till         string    `json:"till"`
	Channel      string    `json:"channel"`
	Currency     string    `json:"currency"`
	Lines        []line    `json:"lines"`
	Shopper      *shopper  `json:"shopper"`
	Coupons      []coupon  `json:"coupons"`
	Spend        struct {
		Mode   string `json:"mode"`
		Points int64  `json:"points"`
	} `json:"points_to_spend"`
	Tenders []string         `json:"tenders"`
	Limits  map[string]limit `json:"limit_state"`
	Budgets map[string]left  `json:"budget_state"`
}

type line struct {
	LineID         string  `json:"line_id"`
	Item           string  `json:"item"`
	Description    string  `json:"description"`
	Quantity       string  `json:"quantity"`
	Unit           string  `json:"unit"`
	UnitPrice      int64   `json:"unit_price"`
	Amount         *int64  `json:"amount"`
	Entry          string  `json:"entry"`
	PriceOverride  bool    `json:"price_override"`
	TaxCode        string  `json:"tax_code"`
	Category       *string `json:"category"`
	ManualDiscount *struct {
		Amount int64  `json:"amount"`
		Reason string `json:"reason"`
	} `json:"manual_discount"`
}

type shopper struct {
	ID            string   `json:"id"`
	Card          string   `json:"card"`
	Household     string   `json:"household"`
	Segments      []string `json:"segments"`
	Tier          string   `json:"tier"`
	Available     int64    `json:"available"`
	Birthday      string   `json:"birthday"`
	FirstPurchase bool     `json:"first_purchase"`
}

type coupon struct {
	Code  string `json:"code"`
	Pool  string `json:"pool"`
	State string `json:"state"`
	Entry string `json:"entry"`
}

// limit is what is left of a promotion. Files call the money that is left of a budget by several names.
type limit struct {
	Remaining       *int64 `json:"remaining"`
	Limit           string `json:"limit"`
	ResetsAt        string `json:"resets_at"`
	BudgetRemaining *left  `json:"budget_remaining"`
	RemainingBudget *left  `json:"remaining_budget"`
	BudgetLeft      *left  `json:"budget_left"`
	Budget          *left  `json:"budget"`
}

// left is money that is left: a number, or an object that says it is remaining.
type left int64

func (l *left) UnmarshalJSON(b []byte) error {
	var named struct {
		Remaining int64 `json:"remaining"`
	}
	if err := json.Unmarshal(b, &named); err == nil {
		*l = left(named.Remaining)
		return nil
	}
	return json.Unmarshal(b, (*int64)(l))
}

type returned struct {
	LineID   string `json:"line_id"`
	Quantity string `json:"quantity"`
	Reason   string `json:"reason"`
}

// read reads a file as far as its vectors.
func read(b []byte) (*file, error) {
	var f file
	if err := strictly(b, &f); err != nil {
		return nil, fmt.Errorf("read vectors: %w", err)
	}
	if f.Schema != "vectors/v1" {
		return nil, fmt.Errorf("read vectors: schema is %q, want vectors/v1", f.Schema)
	}
	return &f, nil
}

func strictly(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	return d.Decode(v)
}

// readVector reads one vector. A key that nothing reads is told, because the vector may then try less than
// it says; it is no fault of the engine.
func readVector(b json.RawMessage) (v *vector, unread string, err error) {
	v = &vector{}
	if err := strictly(b, v); err == nil {
		return v, "", nil
	} else if _, unknown, ok := strings.Cut(err.Error(), "unknown field "); ok {
		unread = unknown
	}
	v = &vector{}
	if err := json.Unmarshal(b, v); err != nil {
		return v, "", fmt.Errorf("read vector: %w", err)
	}
	return v, unread, nil
}

// rules gives what a vector's programme is made of.
func (v *vector) rules() (pricing.Rules, error) {
	rules := pricing.Rules{Revision: 1}
	var err error
	if rules.Promotions, err = promotion.ReadJSON(v.Promotions); err != nil {
		return rules, err
	}
	for id, s := range v.Sets {
		out := promotion.Set{ID: id, Revision: max(s.Revision, 1)}
		if s.Include != nil {
			out.Include = &promotion.Filter{Items: s.Include.Items, Categories: s.Include.Categories, Tags: s.Include.Tags}
		}
		if s.Exclude != nil {
			out.Exclude = promotion.Filter{Items: s.Exclude.Items, Categories: s.Exclude.Categories, Tags: s.Exclude.Tags}
		}
		rules.Sets = append(rules.Sets, out)
	}
	rules.Policy, err = v.Policy.read()
	return rules, err
}

func (p *policy) read() (out pricing.Policy, err error) {
	out.Currency = p.Currency
	if out.MaxLineDiscount, err = percent("max_line_discount", p.MaxLineDiscount); err != nil {
		return out, err
	}
	if out.MaxBasketDiscount, err = percent("max_basket_discount", p.MaxBasketDiscount); err != nil || p.Points == nil {
		return out, err
	}
	if e := p.Points.Earn; e != nil {
		out.Points.Earn = pricing.Rate{Points: e.Points, Amount: e.PerSpend}
	}
	if x := p.Points.Value; x != nil {
		out.Points.Value = pricing.Rate{Points: x.Points, Amount: x.Amount}
	}
	out.Points.Block, out.Points.MinSpend = p.Points.Block, p.Points.MinSpend
	out.Points.MaxShare, err = percent("points/max_share", p.Points.MaxShare)
	return out, err
}

// percent gives hundredths of a percent.
func percent(name string, s *string) (*int64, error) {
	if s == nil {
		return nil, nil
	}
	whole, rest, _ := strings.Cut(*s, ".")
	n, err := strconv.ParseInt(whole+(rest + "00")[:2], 10, 64)
	if err != nil || len(rest) > 2 {
		return nil, fmt.Errorf("read policy: %s: want a percent with at most 2 decimals", name)
	}
	return &n, nil
}

// basket gives what a vector asks.
func (v *vector) basket() (*pricing.Basket, error) {
	q := &v.Quote
	zone, err := time.LoadLocation(q.TimeZone)
	if err != nil {
		return nil, fmt.Errorf("read time_zone: %w", err)
	}
	b := &pricing.Basket{
		Store: q.Store, StoreSets: q.StoreSets, Channel: q.Channel, At: q.At, Zone: zone, Currency: q.Currency,
		Spend: pricing.Spend{Mode: q.Spend.Mode, Points: q.Spend.Points}, Tenders: q.Tenders,
		Limits: map[string]pricing.Limit{}, ExplainAll: true,
	}
	if b.Currency == "" {
		b.Currency = "EUR" // amounts are minor units whatever they are of
	}
	for i := range q.Lines {
		b.Lines = append(b.Lines, v.line(&q.Lines[i]))
	}
	if s := q.Shopper; s != nil {
		b.Shopper = &pricing.Shopper{
			ID: s.ID, Card: s.Card, Segments: s.Segments, Tier: s.Tier, Available: s.Available,
			Birthday: s.Birthday, FirstPurchase: s.FirstPurchase,
		}
	}
	for _, c := range q.Coupons {
		b.Coupons = append(b.Coupons, pricing.Coupon{Code: c.Code, Pool: c.Pool, State: c.State})
	}
	for id, l := range q.Limits {
		out := pricing.Limit{Remaining: l.Remaining, Limit: l.Limit, ResetsAt: l.ResetsAt}
		for _, left := range []*left{l.BudgetRemaining, l.RemainingBudget, l.BudgetLeft, l.Budget} {
			if left != nil {
				out.Budget = (*int64)(left)
			}
		}
		b.Limits[id] = out
	}
	for id, money := range q.Budgets {
		l := b.Limits[id]
		l.Budget = (*int64)(&money)
		b.Limits[id] = l
	}
	return b, nil
}

func (v *vector) line(l *line) pricing.Line {
	out := pricing.Line{
		LineID: l.LineID, Item: l.Item, Description: l.Description, Quantity: l.Quantity, Unit: l.Unit,
		UnitPrice: l.UnitPrice, Amount: l.Amount, PriceOverride: l.PriceOverride,
	}
	i := v.Items[l.Item]
	out.Facts = pricing.Item{
		Category: i.Category, Tags: i.Tags, FloorPrice: i.FloorPrice,
		NoDiscount: i.NoDiscount, NoPoints: i.NoPoints, Weighed: i.Weighed,
	}
	if l.Category != nil {
		out.Facts.Category = *l.Category
	}
	if m := l.ManualDiscount; m != nil {
		out.ManualDiscount = &pricing.ManualDiscount{Amount: m.Amount, Reason: m.Reason}
	}
	return out
}
