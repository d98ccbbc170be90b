package promotion

// Mechanic is what a promotion does: one of the types below. Sets are ids of product sets.
type Mechanic interface{ Type() string }

// Choice is which pieces get a benefit.
type Choice int

// Choices of a mechanic. Pieces are told apart by their shelf price.
const (
	Cheapest       Choice = iota // of all that qualify
	MostExpensive                // of all that qualify
	CheapestPerSet               // sets are formed from the dearest down; the cheapest of each gets the benefit
)

// Benefit is what a piece or a set of pieces gets: one of the fields is set.
type Benefit struct {
	Percent       *int64 // hundredths of a percent off
	Amount, Price *int64 // minor units: off, or the new price
}

// Quantity is so many pieces of a set.
type Quantity struct {
	Set    string
	Pieces int64
}

// Tier is one step of a spend threshold: Amount or Percent is set.
type Tier struct {
	Spend   int64
	Amount  *int64
	Percent *int64 // hundredths of a percent
}

// What an Amount is taken off.
const (
	PerUnit   = "unit"
	PerLine   = "line"
	PerBasket = "basket"
)

type (
	// Percentage takes a percent off each line of a set, or off all of it at once.
	Percentage struct {
		Set     string
		Percent int64 // hundredths
		Basket  bool  // level: basket
		Regular bool  // base: the shelf price; otherwise what is left after discounts so far
	}
	// Amount takes money off each unit, each line or the basket.
	Amount struct {
		Set    string
		Amount int64
		Per    string // PerUnit, PerLine, PerBasket
	}
	// FixedPrice gives units a price, and never a higher one.
	FixedPrice struct {
		Set   string
		Price int64
	}
	// NthItem gives a benefit to one of N pieces.
	NthItem struct {
		Set    string
		N      int64
		Choose Choice
		Benefit
	}
	// BuyGet gives a benefit to pieces of Get for pieces of Buy.
	BuyGet struct {
		Buy, Get Quantity
		Choose   Choice
		Benefit
	}
	// MixMatch gives a benefit to a set made of several parts.
	MixMatch struct {
		Components []Quantity
		Choose     Choice // Cheapest or MostExpensive
		Benefit
	}
	// SpendThreshold takes money off once enough is spent.
	SpendThreshold struct {
		Set    string
		Gross  bool // basis: shelf prices; otherwise what is left after discounts so far
		Repeat bool // the tier reached counts as often as its spend fits
		Tiers  []Tier
	}
	// FreeItem makes pieces free that are in the basket. It adds none.
	FreeItem struct {
		Set    string
		Pieces int64
	}
	// PointsMultiplier multiplies the base points of a set.
	PointsMultiplier struct {
		Set    string
		Factor int64 // hundredths, at least 100
	}
	// BonusPoints adds points.
	BonusPoints struct {
		Set     string
		Points  int64
		PerUnit bool // otherwise once for the basket
	}
)

// The names of the types in documents.
const (
	typePercentage = "percentage"
	typeAmount     = "amount"
	typeFixedPrice = "fixed_price"
	typeNthItem    = "nth_item"
	typeBuyGet     = "buy_x_get_y"
	typeMixMatch   = "mix_and_match"
	typeThreshold  = "spend_threshold"
	typeFreeItem   = "free_item"
	typeMultiplier = "points_multiplier"
	typeBonus      = "bonus_points"
)

func (*Percentage) Type() string       { return typePercentage }
func (*Amount) Type() string           { return typeAmount }
func (*FixedPrice) Type() string       { return typeFixedPrice }
func (*NthItem) Type() string          { return typeNthItem }
func (*BuyGet) Type() string           { return typeBuyGet }
func (*MixMatch) Type() string         { return typeMixMatch }
func (*SpendThreshold) Type() string   { return typeThreshold }
func (*FreeItem) Type() string         { return typeFreeItem }
func (*PointsMultiplier) Type() string { return typeMultiplier }
func (*BonusPoints) Type() string      { return typeBonus }
