package promotion

// trigger reads what else must be so: conditions and the coupon.
func (r *reader) trigger(k *keys, p *Promotion) {
	if v, ok := k.take("when"); ok {
		at := k.pointer("when")
		for i, v := range r.list(at, v, 0) {
			p.When = append(p.When, r.condition(index(at, i), v))
		}
	}
	if v, ok := k.take("coupon"); ok {
		p.Coupon = r.coupon(k.pointer("coupon"), v)
	}
}

// condition kinds, each with the keys that go with it.
func conditionKinds() map[string][]string {
	return map[string][]string{
		"min_quantity": {"unit", "set"}, "min_spend": {"basis", "set"},
		"first_purchase": nil, "birthday": nil, "tender": nil,
	}
}

func (r *reader) condition(at string, v any) Condition {
	c := Condition{Set: All, Unit: "pc"}
	k := r.object(at, v)
	kind := ""
	for _, m := range k.left {
		if _, ok := conditionKinds()[m.key]; ok {
			if kind != "" {
				r.fault(at, "want one kind of condition, not %s and %s: all entries of when must hold, so write two", kind, m.key)
			}
			kind = m.key
		}
	}
	if kind == "" {
		r.fault(at, "want one of min_quantity, min_spend, first_purchase, birthday, tender")
		return c
	}
	v, _ = k.take(kind)
	r.conditionValue(k.pointer(kind), kind, v, &c)
	for _, key := range conditionKinds()[kind] {
		v, ok := k.take(key)
		if !ok {
			continue
		}
		switch at := k.pointer(key); key {
		case "set":
			c.Set = r.token(at, v)
		case "unit":
			c.Unit = r.oneOf(at, v, "pc", "kg", "l", "m")
		case "basis":
			c.Gross = r.oneOf(at, v, "net", "gross") == "gross"
		}
	}
	if c.MinQuantity%1000 != 0 && c.Unit == "pc" {
		r.fault(k.pointer("min_quantity"), "pieces are whole: name a unit of kg, l or m")
	}
	k.done()
	return c
}

func (r *reader) conditionValue(at, kind string, v any, c *Condition) {
	switch kind {
	case "min_quantity":
		c.MinQuantity = r.quantity(at, v)
	case "min_spend":
		spend := r.money(at, v)
		c.MinSpend = &spend
	case "first_purchase":
		if c.FirstPurchase = r.truth(at, v); !c.FirstPurchase {
			r.fault(at, "want true: leave it out where it does not matter")
		}
	case "birthday":
		c.Birthday = true
		k := r.object(at, v)
		if v, ok := k.take("days_before"); ok {
			c.DaysBefore = int(r.whole(k.pointer("days_before"), v, 0, maxDays))
		}
		if v, ok := k.take("days_after"); ok {
			c.DaysAfter = int(r.whole(k.pointer("days_after"), v, 0, maxDays))
		}
		k.done()
	case "tender":
		for i, v := range r.list(at, v, 1) {
			c.Tender = append(c.Tender, r.limited(index(at, i), v, 1, 32))
		}
	}
}

func (r *reader) coupon(at string, v any) *Coupon {
	k := r.object(at, v)
	c := &Coupon{Required: true}
	if v, ok := k.take("required"); ok {
		c.Required = r.truth(k.pointer("required"), v)
	}
	if v, ok := k.need("pool"); ok {
		c.Pool = r.token(k.pointer("pool"), v)
	}
	if v, ok := k.take("single_use"); ok {
		c.SingleUse = r.truth(k.pointer("single_use"), v)
	}
	if v, ok := k.take("on_return"); ok {
		c.RearmOnce = r.oneOf(k.pointer("on_return"), v, "keep_used", "rearm_once") == "rearm_once"
	}
	k.done()
	return c
}

// bounds reads how a promotion stacks and how much it may give.
func (r *reader) bounds(k *keys, p *Promotion) {
	if v, ok := k.take("stacking"); ok {
		r.stacking(k.pointer("stacking"), v, &p.Stacking)
	}
	if v, ok := k.take("caps"); ok {
		in := r.object(k.pointer("caps"), v)
		if v, ok := in.take("per_line"); ok {
			p.Caps.PerLine = r.moneyAt(in.pointer("per_line"), v)
		}
		if v, ok := in.take("per_basket"); ok {
			p.Caps.PerBasket = r.moneyAt(in.pointer("per_basket"), v)
		}
		in.done()
	}
	if v, ok := k.take("limits"); ok {
		r.limits(k.pointer("limits"), v, &p.Limits)
	}
	if v, ok := k.take("budget"); ok {
		p.Budget = r.budget(k.pointer("budget"), v)
	}
}

func (r *reader) moneyAt(at string, v any) *int64 {
	m := r.money(at, v)
	return &m
}

func (r *reader) stacking(at string, v any, s *Stacking) {
	k := r.object(at, v)
	if v, ok := k.take("priority"); ok {
		s.Priority = int(r.whole(k.pointer("priority"), v, 0, 100))
	}
	if v, ok := k.take("mode"); ok {
		s.Mode = r.oneOf(k.pointer("mode"), v, Stack, BestOf, Exclusive)
	}
	if v, ok := k.take("group"); ok {
		s.Group = r.token(k.pointer("group"), v)
	} else if s.Mode == BestOf {
		r.fault(k.pointer("group"), "is needed: the best of which group?")
	}
	if v, ok := k.take("scope"); ok {
		s.Basket = r.oneOf(k.pointer("scope"), v, "line", "basket") == "basket"
	}
	k.done()
}

func (r *reader) limits(at string, v any, l *Limits) {
	k := r.object(at, v)
	if v, ok := k.take("per_basket"); ok {
		l.PerBasket = r.whole(k.pointer("per_basket"), v, 1, maxPoints)
	}
	for _, c := range []struct {
		key string
		to  **Count
	}{{"per_shopper", &l.PerShopper}, {"per_household", &l.PerHousehold}, {"per_store", &l.PerStore}, {"total", &l.Total}} {
		if v, ok := k.take(c.key); ok {
			*c.to = r.count(k.pointer(c.key), v)
		}
	}
	k.done()
}

func periods() []string { return []string{"day", "week", "month", "year", "ever"} }

func (r *reader) count(at string, v any) *Count {
	k := r.object(at, v)
	c := &Count{}
	if v, ok := k.need("count"); ok {
		c.Count = r.whole(k.pointer("count"), v, 1, maxPoints)
	}
	if v, ok := k.need("period"); ok {
		c.Period = r.oneOf(k.pointer("period"), v, periods()...)
	}
	k.done()
	return c
}

func (r *reader) budget(at string, v any) *Budget {
	k := r.object(at, v)
	b := &Budget{}
	if v, ok := k.need("amount"); ok {
		b.Amount = r.money(k.pointer("amount"), v)
	}
	if v, ok := k.take("period"); ok {
		b.Period = r.oneOf(k.pointer("period"), v, periods()...)
	}
	if v, ok := k.take("per"); ok {
		b.Per = r.oneOf(k.pointer("per"), v, "brand", "store")
	}
	if v, ok := k.take("on_short"); ok {
		b.Partial = r.oneOf(k.pointer("on_short"), v, "skip", "partial") == "partial"
	}
	k.done()
	return b
}

// books reads what accounting and reports want.
func (r *reader) books(k *keys, p *Promotion) {
	if v, ok := k.take("funding"); ok {
		in := r.object(k.pointer("funding"), v)
		if v, ok := in.take("code"); ok {
			p.Funding.Code = r.limited(in.pointer("code"), v, 0, 32)
		}
		if v, ok := in.take("supplier"); ok {
			p.Funding.Supplier = r.limited(in.pointer("supplier"), v, 0, 64)
		}
		if v, ok := in.take("share"); ok {
			p.Funding.Share = r.percent(in.pointer("share"), v)
		}
		in.done()
	}
	p.Labels = r.tokens(k, "labels")
}
