package sales

import (
	"cmp"
	"slices"
	"strings"
)

// Good is what is on sale, as a file's receipts show it.
type Good struct {
	Code     string
	Name     string // the description that most of its lines have; the code if none has any
	Category string // a path, such as bags/lunch
	Service  bool   // postage, fees, vouchers, corrections by hand: no goods, so no loyalty
}

// Categories that the offers of [Offers] are about.
const (
	LunchBags = "bags/lunch"
	JumboBags = "bags/jumbo"
)

// Goods gives what the receipts' lines are of, by code.
func Goods(receipts []Receipt) []Good {
	names := map[string]map[string]int{}
	for i := range receipts {
		for _, l := range receipts[i].Lines {
			of := names[l.Item]
			if of == nil {
				of = map[string]int{}
				names[l.Item] = of
			}
			of[l.Description]++
		}
	}
	goods := make([]Good, 0, len(names))
	for code, of := range names {
		goods = append(goods, newGood(code, usual(of)))
	}
	slices.SortFunc(goods, func(a, b Good) int { return strings.Compare(a.Code, b.Code) })
	return goods
}

// usual is the description that is there most often, the first by its letters of those that are as often.
func usual(count map[string]int) (name string) {
	for text, n := range count {
		if text == "" {
			continue
		}
		if c := cmp.Compare(n, count[name]); name == "" || c > 0 || c == 0 && text < name {
			name = text
		}
	}
	return name
}

func newGood(code, name string) Good {
	g := Good{Code: code, Name: cmp.Or(name, code)}
	switch upper := strings.ToUpper(code); {
	case strings.HasPrefix(upper, "GIFT_"):
		g.Category, g.Service = "services/voucher", true
	case slices.Contains(services(), upper):
		g.Category, g.Service = "services/other", true
	case strings.HasPrefix(upper, "85099"):
		g.Category = JumboBags
	default:
		g.Category = category(strings.ToUpper(g.Name))
	}
	return g
}

// services are the codes of Online Retail that are no goods. BANK CHARGES would be one, but for its blank: no
// item master takes such a code, and what a master does not have earns points as goods do.
func services() []string {
	return []string{"POST", "DOT", "C2", "M", "D", "S", "B", "CRUK", "AMAZONFEE"}
}

// category goes by a name's words, the first that fits.
func category(name string) string {
	for _, c := range [...]struct{ words, path string }{
		{"LUNCH BAG", LunchBags},
		{"BAG", "bags/other"},
		{"CAKE CASE", "kitchen/baking"}, {"CAKESTAND", "kitchen/baking"}, {"CAKE STAND", "kitchen/baking"}, {"CAKE", "kitchen/baking"},
		{"MUG", "kitchen/table"}, {"CUP", "kitchen/table"}, {"PLATE", "kitchen/table"}, {"BOWL", "kitchen/table"},
		{"HEART", "gifts/hearts"},
		{"CHRISTMAS", "gifts/christmas"},
		{"CARD", "gifts/paper"}, {"WRAP", "gifts/paper"}, {"TISSUE", "gifts/paper"},
		{"CANDLE", "home/light"}, {"T-LIGHT", "home/light"}, {"LANTERN", "home/light"}, {"LAMP", "home/light"},
	} {
		if strings.Contains(name, c.words) {
			return c.path
		}
	}
	return "gifts/other"
}
