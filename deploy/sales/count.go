package sales

// Account is what one customer has after all receipts. At most one of the two is not zero.
type Account struct {
	Points int64 // to spend
	Debt   int64 // taken back beyond what there was; the next points earned repay it
}

// Count is what the books must say after all receipts.
type Count struct {
	Customers map[string]Account // every customer of any receipt, also those with nothing
	Issued    int64              // points that sales gave
	Returned  int64              // points that returns took, debt included
	Balance   int64              // sum of the customers' points
	Debt      int64              // sum of the customers' debts
	Anonymous int                // receipts without a customer
}

// CountPoints counts, without any code of the system under test, what the base programme gives: a
// sale with a customer earns one point for each whole unit of its currency (1.00 pound, 1 yen) in its
// total, if that is above zero, and a return takes one for each in its own. The order of receipts does not matter: debt is repaid by what
// comes later, so only the net counts.
func CountPoints(receipts []Receipt) Count { return count(receipts, (*Receipt).basePoints) }

// CountPoints counts the same where each receipt earns, or takes back, what Cost says.
func (o *Offers) CountPoints(receipts []Receipt) Count {
	return count(receipts, func(r *Receipt) int64 { return o.Cost(r).Points })
}

// basePoints is what the base programme gives for a receipt, or takes.
func (r *Receipt) basePoints() int64 { return r.earns(r.Total()) }

// earns is what a receipt's customer gets for an amount, or gives back.
func (r *Receipt) earns(amount int64) int64 {
	if r.Customer == "" {
		return 0
	}
	return max(amount, 0) / whole(r.Currency)
}

func count(receipts []Receipt, of func(*Receipt) int64) Count {
	c := Count{}
	net := map[string]int64{}
	for i := range receipts {
		r := &receipts[i]
		if r.Customer == "" {
			c.Anonymous++
			continue
		}
		points := of(r)
		if r.Return {
			c.Returned += points
			net[r.Customer] -= points
		} else {
			c.Issued += points
			net[r.Customer] += points
		}
	}
	c.Customers = make(map[string]Account, len(net))
	for customer, n := range net {
		a := Account{Points: max(n, 0), Debt: max(-n, 0)}
		c.Customers[customer] = a
		c.Balance += a.Points
		c.Debt += a.Debt
	}
	return c
}

// whole is one whole unit of a currency, in minor units.
func whole(currency string) int64 {
	decimals, ok := exponent(currency)
	if !ok {
		decimals = 2 // no receipt of Read or Generate
	}
	unit := int64(1)
	for range decimals {
		unit *= 10
	}
	return unit
}
