package pricing

import (
	"cmp"
	"fmt"
	"slices"
	"sync"

	"tillstream/kv/promotion"
)

// Engine is the version of the arithmetic. The same basket under the same revision and engine gives the
// same bytes; another engine may differ, so a receipt names both.
const Engine = "1"

// Rules are the documents that a programme is made of.
type Rules struct {
	Revision   uint32 // of the whole; told in every quote
	Promotions []promotion.Promotion
	Sets       []promotion.Set
	Policy     Policy
}

// Policy is what a brand wants of every quote.
type Policy struct {
	Currency          string // ISO 4217; "" takes any
	MaxLineDiscount   *int64 // most of a piece's shelf price, in hundredths of a percent; nil: all of it
	MaxBasketDiscount *int64 // most of the basket's shelf prices, in hundredths of a percent; nil: all of it
	Points            PointsPolicy
}

// PointsPolicy says what points are earned for and what they are worth.
type PointsPolicy struct {
	Earn     Rate   // Points for each Amount paid; zero: nothing is earned
	Value    Rate   // Points pay Amount; zero: nothing can be paid
	Block    int64  // points are spent in multiples of it; 0 is 1
	MinSpend int64  // minor units: below, no points can be spent
	MaxShare *int64 // most of the basket that points pay, in hundredths of a percent; nil: all
}

// Rate is so many points for so much money in minor units.
type Rate struct{ Points, Amount int64 }

// Programme is rules made ready. It does not change, and may be used by many at once.
type Programme struct {
	revision uint32
	policy   Policy
	rules    []rule // in the order of evaluation
	sets     []set
	byItem   map[string][]int32 // sets that include an item
	byPath   map[string][]int32 // sets that include a category
	byTag    map[string][]int32
	open     []int32 // sets that include everything, but for the set of all
	groups   []string
	bySet    [][]int32 // rules by set, pool and audience: see index.go
	byPool   map[string][]int32
	byWho    map[promotion.Who][]int32
	states   sync.Pool // of *state
}

// set is a product set. Set 0 is all.
type set struct {
	id      string
	exclude *promotion.Filter // nil: nothing
}

// The phases, in order.
const (
	phaseLine = iota
	phaseBasket
	phasePoints
)

// rule is one promotion made ready. Its place in Programme.rules is its place in the evaluation.
type rule struct {
	doc        *promotion.Promotion
	phase      int
	rank       int
	sets       []int32 // whose items it works on: of its mechanic, in the mechanic's order
	conditions []condition
	group      int32 // 1 + index; 0: none
}

type condition struct {
	*promotion.Condition
	set int32
}

// line reports whether the rule works on each line for itself.
func (r *rule) perLine() bool {
	switch m := r.doc.Mechanic.(type) {
	case *promotion.Percentage:
		return !m.Basket
	case *promotion.Amount:
		return m.Per != promotion.PerBasket
	case *promotion.FixedPrice:
		return true
	}
	return false
}

// place gives a mechanic's phase, and its rank among equal priorities: what claims pieces and what takes
// amounts comes before what takes percents, which is the shop's cheaper order.
func place(m promotion.Mechanic) (phase, rank int) {
	switch m := m.(type) {
	case *promotion.FixedPrice:
		return phaseLine, 0
	case *promotion.MixMatch:
		return phaseLine, 1
	case *promotion.BuyGet, *promotion.NthItem:
		return phaseLine, 2
	case *promotion.FreeItem:
		return phaseLine, 3
	case *promotion.Amount:
		if m.Per == promotion.PerBasket {
			return phaseBasket, 4
		}
		return phaseLine, 4
	case *promotion.Percentage:
		if m.Basket {
			return phaseBasket, 5
		}
		return phaseLine, 5
	case *promotion.SpendThreshold:
		return phaseBasket, 6
	case *promotion.PointsMultiplier:
		return phasePoints, 7
	}
	return phasePoints, 8 // bonus points
}

// Compile makes rules ready. It refuses what cannot be priced: an id twice, a set that is not there, a
// policy without sense.
func Compile(rules Rules) (*Programme, error) {
	if err := rules.Policy.check(); err != nil {
		return nil, fmt.Errorf("compile revision %d: %w", rules.Revision, err)
	}
	p := &Programme{
		revision: rules.Revision, policy: rules.Policy,
		byItem: map[string][]int32{}, byPath: map[string][]int32{}, byTag: map[string][]int32{},
		byPool: map[string][]int32{}, byWho: map[promotion.Who][]int32{},
	}
	p.states.New = func() any { return &state{p: p} }
	numbers, err := p.compileSets(rules.Sets)
	if err != nil {
		return nil, fmt.Errorf("compile revision %d: %w", rules.Revision, err)
	}
	if err := p.compileRules(rules.Promotions, numbers); err != nil {
		return nil, fmt.Errorf("compile revision %d: %w", rules.Revision, err)
	}
	p.indexRules()
	return p, nil
}

// With gives the same rules under another revision and policy. What was made of the promotions is shared: a
// programme for each currency, or for a revision in which only items changed, costs nothing.
func (p *Programme) With(revision uint32, policy Policy) (*Programme, error) {
	if err := policy.check(); err != nil {
		return nil, fmt.Errorf("compile revision %d: %w", revision, err)
	}
	next := &Programme{
		revision: revision, policy: policy, rules: p.rules, sets: p.sets,
		byItem: p.byItem, byPath: p.byPath, byTag: p.byTag, open: p.open, groups: p.groups,
		bySet: p.bySet, byPool: p.byPool, byWho: p.byWho,
	}
	next.states.New = func() any { return &state{p: next} }
	return next, nil
}

func (p *Policy) check() error {
	for _, f := range []struct {
		name string
		at   *int64
	}{{"max_line_discount", p.MaxLineDiscount}, {"max_basket_discount", p.MaxBasketDiscount}, {"points/max_share", p.Points.MaxShare}} {
		if f.at != nil && (*f.at < 0 || *f.at > percentWhole) {
			return &FieldError{"/policy/" + f.name, "want 0 to 100 percent"}
		}
	}
	if _, ok := Exponent(p.Currency); p.Currency != "" && !ok {
		return &FieldError{"/policy/currency", "not an ISO 4217 code of a currency in use"}
	}
	for _, f := range []struct {
		name string
		Rate
	}{{"earn", p.Points.Earn}, {"value", p.Points.Value}} {
		if f.Points < 0 || f.Amount < 0 || f.Points > MaxQuantity || f.Amount > MaxQuantity || f.Points > 0 != (f.Amount > 0) {
			return &FieldError{"/policy/points/" + f.name, "want points and an amount, both from 1 to 1000000000"}
		}
	}
	if p.Points.Block < 0 || p.Points.MinSpend < 0 {
		return &FieldError{"/policy/points", "block and min_spend cannot be below zero"}
	}
	return nil
}

func (p *Programme) compileSets(sets []promotion.Set) (map[string]int32, error) {
	numbers := map[string]int32{promotion.All: 0}
	p.sets = []set{{id: promotion.All}}
	for i := range sets {
		s := &sets[i]
		if _, ok := numbers[s.ID]; ok {
			return nil, fmt.Errorf("product set %s: there are two", s.ID)
		}
		n := int32(len(p.sets))
		numbers[s.ID] = n
		in := set{id: s.ID}
		if x := &s.Exclude; len(x.Items)+len(x.Categories)+len(x.Tags) > 0 {
			in.exclude = x
		}
		p.sets = append(p.sets, in)
		if s.Include == nil {
			p.open = append(p.open, n)
			continue
		}
		for _, x := range s.Include.Items {
			p.byItem[x] = append(p.byItem[x], n)
		}
		for _, x := range s.Include.Categories {
			p.byPath[x] = append(p.byPath[x], n)
		}
		for _, x := range s.Include.Tags {
			p.byTag[x] = append(p.byTag[x], n)
		}
	}
	return numbers, nil
}

func (p *Programme) compileRules(docs []promotion.Promotion, sets map[string]int32) error {
	ids, groups := map[string]bool{}, map[string]int32{}
	number := func(doc *promotion.Promotion, id string) (int32, error) {
		n, ok := sets[id]
		if !ok {
			return 0, fmt.Errorf("promotion %s: there is no product set %s", doc.ID, id)
		}
		return n, nil
	}
	for i := range docs {
		doc := &docs[i]
		if ids[doc.ID] {
			return fmt.Errorf("promotion %s: there are two", doc.ID)
		}
		ids[doc.ID] = true
		r := rule{doc: doc}
		r.phase, r.rank = place(doc.Mechanic)
		for _, id := range promotion.SetsOf(doc.Mechanic) {
			n, err := number(doc, id)
			if err != nil {
				return err
			}
			r.sets = append(r.sets, n)
		}
		for j := range doc.When {
			n, err := number(doc, doc.When[j].Set)
			if err != nil {
				return err
			}
			r.conditions = append(r.conditions, condition{&doc.When[j], n})
		}
		if name := doc.Stacking.Group; doc.Stacking.Mode == promotion.BestOf {
			if groups[name] == 0 {
				p.groups = append(p.groups, name)
				groups[name] = int32(len(p.groups))
			}
			r.group = groups[name]
		}
		p.rules = append(p.rules, r)
	}
	slices.SortFunc(p.rules, func(a, b rule) int {
		return cmp.Or(cmp.Compare(a.phase, b.phase), cmp.Compare(b.doc.Stacking.Priority, a.doc.Stacking.Priority),
			cmp.Compare(a.rank, b.rank), cmp.Compare(a.doc.ID, b.doc.ID))
	})
	return nil
}
