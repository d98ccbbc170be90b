package sales

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"
)

// Shares of the mix, in thousandths of receipts, counted in Online Retail. Customers are one for six
// receipts there, and 25,900 receipts are a year.
const (
	shareReturn     = 148 // a few of them of sales from before the first day, which leave debt
	shareAnonymous  = 90
	shareCorrection = 52 // stock written off: anonymous, one line, negative quantity, no amount
	receiptsEach    = 6
	firstCustomer   = 12346
	gap             = 365 * 24 * time.Hour / 25900
)

// Weights, in thousandths, of receipts of 1, 2–3, 4–7, … lines: a mean of 23 and a long tail.
var (
	saleSizes   = []int{168, 70, 116, 197, 246, 135, 45, 16, 5, 2}
	returnSizes = []int{556, 306, 95, 31, 12}
)

// Generate makes n receipts of gap after gap from a moment, the same for the same seed: sales of all
// sizes to customers and to nobody, corrections, and returns of earlier sales. Their store and till
// are empty, their currency is GBP, their numbers count up, those of returns behind a C.
func Generate(n int, seed uint64, from time.Time) []Receipt {
	g := &generator{rand: rand.New(rand.NewPCG(seed, 0x74696c6c)), seed: seed, from: from.UTC().Truncate(time.Second)}
	g.customers = max(n/receiptsEach, 1)
	g.stock(4000)
	receipts := make([]Receipt, 0, max(n, 0))
	for i := range n {
		r := g.receipt(i, receipts)
		r.Currency = "GBP"
		r.identify("generated " + strconv.FormatUint(seed, 10))
		receipts = append(receipts, r)
	}
	return receipts
}

type generator struct {
	rand      *rand.Rand
	seed      uint64
	from      time.Time
	customers int
	items     []item
	sales     []int // sales to a customer of which nothing has come back yet
}

type item struct {
	code, name string
	price      int64 // ten-thousandths
	weighed    bool
}

func (g *generator) receipt(i int, before []Receipt) Receipt {
	number := strconv.Itoa(500001 + i)
	at := g.from.Add(time.Duration(i)*gap + time.Duration(g.rand.Int64N(int64(gap)))).Truncate(time.Second)
	switch kind := g.rand.IntN(1000); {
	case kind < shareReturn:
		r := g.giveBack(before)
		r.Number, r.At, r.Return = "C"+number, at, true
		return r
	case kind < shareReturn+shareCorrection:
		it := g.item()
		q := g.format(-1000 * (1 + g.rand.Int64N(200)))
		return Receipt{Number: number, At: at, Lines: []Line{{Item: it.code, Description: "written off", Quantity: q}}}
	case kind < shareReturn+shareCorrection+shareAnonymous:
		return Receipt{Number: number, At: at, Lines: g.lines(saleSizes)}
	}
	g.sales = append(g.sales, i)
	return Receipt{Number: number, At: at, Customer: g.customer(), Lines: g.lines(saleSizes)}
}

// giveBack makes a return: of some lines of an earlier sale, each sale at most once; or, one in ten
// and as long as there is none, of what was bought before the first day. Half of those come from
// people who never buy again, so that some debt stays.
func (g *generator) giveBack(before []Receipt) Receipt {
	if len(g.sales) == 0 || g.rand.IntN(10) == 0 {
		r := Receipt{Customer: g.customer(), Lines: g.lines(returnSizes)}
		if g.rand.IntN(2) == 0 {
			r.Customer = strconv.Itoa(firstCustomer + g.customers + g.rand.IntN(1+g.customers/20))
		}
		return r
	}
	k := g.rand.IntN(len(g.sales))
	sale := &before[g.sales[k]]
	g.sales[k] = g.sales[len(g.sales)-1]
	g.sales = g.sales[:len(g.sales)-1]
	r := Receipt{Customer: sale.Customer}
	first, want := g.rand.IntN(len(sale.Lines)), g.size(returnSizes)
	for _, l := range sale.Lines[first:min(first+want, len(sale.Lines))] {
		r.Lines = append(r.Lines, g.part(l))
	}
	return r
}

// part is a line of which all comes back, or, now and then, half of the pieces.
func (g *generator) part(l Line) Line {
	pieces, err := strconv.ParseInt(l.Quantity, 10, 64)
	if err != nil || pieces < 2 || pieces%2 != 0 || l.Amount%2 != 0 || g.rand.IntN(3) > 0 {
		return l // also what is weighed comes back whole
	}
	l.Quantity, l.Amount = strconv.FormatInt(pieces/2, 10), l.Amount/2
	return l
}

func (g *generator) lines(sizes []int) []Line {
	lines := make([]Line, g.size(sizes))
	for i := range lines {
		it := g.item()
		q := 1000 * int64(g.pick(pieceCounts))
		if it.weighed {
			q = 50 + g.rand.Int64N(2950)
		}
		lines[i] = Line{Item: it.code, Description: it.name, Quantity: g.format(q), Amount: mustAmount(q, it.price)}
	}
	return lines
}

// size draws how many lines: a class of [2^k, 2^k+1) by its weight, and one within it.
func (g *generator) size(weights []int) int {
	total := 0
	for _, w := range weights {
		total += w
	}
	x := g.rand.IntN(total)
	for k, w := range weights {
		if x -= w; x < 0 {
			return 1<<k + g.rand.IntN(1<<k)
		}
	}
	return 1
}

func (g *generator) pick(from []int) int { return from[g.rand.IntN(len(from))] }

func (g *generator) format(q int64) string { return string(appendQuantity(nil, q)) }

// skewed draws below n, low numbers more often: some customers and items are seen all the time.
func (g *generator) skewed(n int) int { return g.rand.IntN(1 + g.rand.IntN(n)) }

func (g *generator) customer() string { return strconv.Itoa(firstCustomer + g.skewed(g.customers)) }
func (g *generator) item() *item      { return &g.items[g.skewed(len(g.items))] }

// stock makes the items on sale; one in fifty is weighed.
func (g *generator) stock(n int) {
	g.items = make([]item, n)
	for i := range g.items {
		word := func(w []string) string { return w[g.rand.IntN(len(w))] }
		it := item{code: strconv.Itoa(20001 + i), price: int64(g.pick(pennies)) * 100}
		it.name = fmt.Sprintf("%s %s %s", word(colours), word(materials), word(things))
		if it.weighed = g.rand.IntN(50) == 0; it.weighed {
			it.name = word(colours) + " " + word(materials) + " BY THE KILO"
		}
		g.items[i] = it
	}
}

// Every value as often as in every twentieth of Online Retail's rows.
var (
	pieceCounts = []int{1, 1, 1, 1, 1, 1, 2, 2, 2, 3, 3, 4, 6, 6, 8, 10, 12, 12, 24, 30}
	pennies     = []int{29, 42, 63, 83, 85, 125, 125, 163, 165, 195, 208, 246, 255, 295, 375, 413, 495, 579, 795, 995}
)

var (
	colours   = []string{"WHITE", "RED", "IVORY", "PINK", "BLUE", "SAGE", "ROSÉ", "BLACK", "CREAM", "GOLD"}
	materials = []string{"METAL", "WOOL", "GLASS", "PAPER", "CERAMIC", "WOODEN", "FELT", "ENAMEL", "WICKER", "TIN"}
	things    = []string{"LANTERN", "T-LIGHT HOLDER", "COAT HANGER", "HOT WATER BOTTLE", "MUG", "CAKE STAND",
		"PICTURE FRAME 7\"", "LUNCH BAG", "BUNTING", "DOORMAT", "JAM JAR", "TEA TOWEL", "ALARM CLOCK", "DRAWER KNOB"}
)

// mustAmount is lineAmount for the generator's own quantities and prices.
func mustAmount(quantity, price int64) int64 {
	amount, err := lineAmount(quantity, price, 2)
	if err != nil {
		panic(err)
	}
	return amount
}
