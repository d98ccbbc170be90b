package promotion

// Promotion is one promotion document. (ID, Revision) never changes once it is published.
type Promotion struct {
	ID          string
	Revision    int64
	Name        string
	Text        map[string]string // by language, at most 32 characters: printed under the line
	Description map[string]string
	State       string // "active" unless said otherwise; or "draft", "paused", "ended"
	From, Until Local  // half-open, on the store's clock; None: no bound
	Schedule    []Window
	Stores      Stores
	Channels    []string // none: all
	Audience    Audience
	When        []Condition // all must hold
	Coupon      *Coupon
	Mechanic    Mechanic
	Stacking    Stacking
	Caps        Caps
	Limits      Limits
	Budget      *Budget
	Funding     Funding
	Labels      []string
}

// Window is a part of the week in which a promotion holds. From and Until are minutes of the day,
// half-open, 0 to 1440.
type Window struct {
	Days        uint8 // bit n: time.Weekday n
	From, Until int
}

// Stores says where a promotion holds: store ids and ids of store sets. Exclude wins.
type Stores struct {
	Include []string // none: all
	Exclude []string
}

// Audience says for whom a promotion holds.
type Audience struct {
	CardRequired bool
	AnyOf        []Who // none: everyone
}

// Who is one way to belong to an audience. One of the fields is set.
type Who struct{ Segment, Tier, CardPrefix, Shopper string }

// Condition is one trigger beyond the mechanic. One of the kinds is set.
type Condition struct {
	Set string // for quantity and spend; "all" unless said otherwise

	MinQuantity int64  // thousandths of Unit; 0: not asked
	Unit        string // "pc" unless said otherwise; "kg", "l", "m"

	MinSpend *int64 // minor units
	Gross    bool   // of shelf prices; otherwise of what is left after discounts so far

	FirstPurchase bool

	Birthday              bool
	DaysBefore, DaysAfter int

	Tender []string // kinds of payment, any of them
}

// Coupon ties a promotion to a pool of coupons.
type Coupon struct {
	Required  bool // true unless said otherwise
	Pool      string
	SingleUse bool
	RearmOnce bool // on_return: rearm_once; otherwise a used coupon stays used
}

// Modes of stacking.
const (
	Stack     = "stack"
	BestOf    = "best_of"
	Exclusive = "exclusive"
)

// Stacking says how a promotion goes together with others.
type Stacking struct {
	Priority int    // 0 to 100, higher first; 50 unless said otherwise
	Mode     string // Stack unless said otherwise
	Group    string // of BestOf
	Basket   bool   // scope of Exclusive: the basket; otherwise the lines it touches
}

// Caps are the most that a promotion gives, in minor units; nil: no cap.
type Caps struct{ PerLine, PerBasket *int64 }

// Limits are the most applications; nil, and zero PerBasket: no limit.
type Limits struct {
	PerBasket                                 int64
	PerShopper, PerHousehold, PerStore, Total *Count
}

// Count is so many in a period: day, week, month, year, ever.
type Count struct {
	Count  int64
	Period string
}

// Budget is the most money that a promotion gives over a period.
type Budget struct {
	Amount  int64
	Period  string // "" when not said
	Per     string // "brand", "store", or "" when not said
	Partial bool   // on_short: partial; otherwise what is left must do for the whole discount
}

// Funding says who pays, for accounting.
type Funding struct {
	Code, Supplier string
	Share          int64 // hundredths of a percent
}

// All is the set that holds everything.
const All = "all"

// Set is a product set: items by code, by category or by tag. Exclude wins.
type Set struct {
	ID       string
	Revision int64
	Include  *Filter // nil: everything
	Exclude  Filter
}

// Filter names items. A category holds those below it: "food/dairy" holds "food/dairy/milk" and not
// "food/dairyfree".
type Filter struct{ Items, Categories, Tags []string }
