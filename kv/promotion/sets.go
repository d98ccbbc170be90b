package promotion

// SetsOf gives the sets that a mechanic works on, in its order.
func SetsOf(m Mechanic) []string {
	switch m := m.(type) {
	case *Percentage:
		return []string{m.Set}
	case *Amount:
		return []string{m.Set}
	case *FixedPrice:
		return []string{m.Set}
	case *NthItem:
		return []string{m.Set}
	case *BuyGet:
		return []string{m.Buy.Set, m.Get.Set}
	case *MixMatch:
		var sets []string
		for _, c := range m.Components {
			sets = append(sets, c.Set)
		}
		return sets
	case *FreeItem:
		return []string{m.Set}
	case *SpendThreshold:
		return []string{m.Set}
	case *PointsMultiplier:
		return []string{m.Set}
	case *BonusPoints:
		return []string{m.Set}
	}
	return nil
}

// Sets gives the sets that a promotion names in its mechanic and its conditions, All among them.
func (p *Promotion) Sets() []string {
	sets := SetsOf(p.Mechanic)
	for i := range p.When {
		sets = append(sets, p.When[i].Set)
	}
	return sets
}
