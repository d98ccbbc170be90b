package pricing

import "tillstream/kv/promotion"

// state is one basket on its way to a quote. It is used again and again; begin empties it.
type state struct {
	p      *Programme
	basket *Basket
	now    promotion.Local // on the store's clock

	lines  []line // in the order of their ids
	order  []int32
	gross  int64
	given  int64 // by promotions so far
	most   int64 // that promotions may give, by the brand's policy
	apps   []application
	shares []share
	whys   []whyNot

	slots    []int32 // by set: 1 + its holding
	holdings []holding
	pairs    []setLine
	members  []int32
	found    []int32
	live     []int32 // rules that passed the gates

	trial bool // changes are noted in undo
	undo  []undo
	saved []run

	turn    int32 // number of the group's turn under way or last
	inGroup bool  // only pieces without the turn's mark can be used
	spreader
	scratch []part
	picked  []pick
	pickAt  []int32 // by line: 1 + its first pick, while picks are gathered
}

// application is what one rule did.
type application struct {
	rule     int32
	times    int64
	amount   int64
	wanted   int64 // before it was cut
	by       string
	missing  int64 // to the next tier; 0: there is none
	from, to int   // its shares
}

// share is what a line got of an application.
type share struct {
	line   int32
	amount int64
}

// undo is how a line was before a trial.
type undo struct {
	line     int32
	now      int64
	locked   int32
	from, to int // its runs, in saved
}

// begin makes the state ready for a basket.
func (s *state) begin(b *Basket) error {
	s.basket = b
	s.now = localOf(b)
	s.given = 0
	s.apps, s.shares, s.whys, s.live = s.apps[:0], s.shares[:0], s.whys[:0], s.live[:0]
	s.trial, s.inGroup = false, false
	if err := b.check(&s.p.policy); err != nil {
		return err
	}
	if err := s.readLines(); err != nil {
		return err
	}
	s.most = MaxMoney
	if most := s.p.policy.MaxBasketDiscount; most != nil {
		s.most, _ = muldiv(s.gross, *most, percentWhole)
		for i := range s.lines {
			s.most -= s.lines[i].manual // what the cashier gave counts, and stays
		}
		s.most = max(s.most, 0)
	}
	s.findSets()
	return nil
}

// again takes everything back to where begin left it, for another plan for the same basket.
func (s *state) again() error {
	s.given = 0
	s.apps, s.shares = s.apps[:0], s.shares[:0]
	s.trial, s.inGroup = false, false
	return s.readLines()
}

// mark is where a trial began.
type mark struct {
	apps, shares int
	given        int64
}

// try begins a trial: what follows can be taken back. There is one at a time.
func (s *state) try() mark {
	s.trial = true
	s.undo, s.saved = s.undo[:0], s.saved[:0]
	return mark{len(s.apps), len(s.shares), s.given}
}

// back ends a trial and takes back what was done in it.
func (s *state) back(m mark) {
	for _, u := range s.undo {
		l := &s.lines[u.line]
		l.now, l.locked, l.touched = u.now, u.locked, false
		l.runs = append(l.runs[:0], s.saved[u.from:u.to]...)
	}
	s.trial, s.given = false, m.given
	s.apps, s.shares = s.apps[:m.apps], s.shares[:m.shares]
}

// keep ends a trial and keeps what was done in it.
func (s *state) keep() {
	for _, u := range s.undo {
		s.lines[u.line].touched = false
	}
	s.trial = false
}

// touch notes how a line is, before it is changed.
func (s *state) touch(n int32) *line {
	l := &s.lines[n]
	if s.trial && !l.touched {
		l.touched = true
		from := len(s.saved)
		s.saved = append(s.saved, l.runs...)
		s.undo = append(s.undo, undo{n, l.now, l.locked, from, len(s.saved)})
	}
	return l
}

// take takes what each piece of a part gets off its price.
func (s *state) take(p *part) {
	if p.each == 0 {
		return
	}
	l := s.touch(p.line)
	from, to := l.split(p.at, p.n)
	for i := from; i < to; i++ {
		l.runs[i].now -= p.each
	}
	l.now -= p.each * p.n
}

// use marks the pieces of a part as used: by the group whose turn it is and, when claim is not zero, as
// trigger or reward of a rule.
func (s *state) use(p *part, claim int32) {
	l := s.touch(p.line)
	from, to := l.split(p.at, p.n)
	for i := from; i < to; i++ {
		if claim != 0 {
			l.runs[i].claim = claim
		}
		if s.inGroup {
			l.runs[i].mark = s.turn
		}
	}
}

// free reports whether pieces may still be used in the turn under way.
func (s *state) free(r *run) bool { return !s.inGroup || r.mark != s.turn }

// open reports whether promotions may touch a line.
func (l *line) open() bool { return !l.barred && l.locked == 0 }

// partsOf appends the pieces of a line that may be discounted. Their weight is their price.
func (s *state) partsOf(n int32, parts []part) []part {
	l := &s.lines[n]
	if !l.open() {
		return parts
	}
	at := int64(0)
	for i := range l.runs {
		if r := &l.runs[i]; s.free(r) {
			parts = append(parts, part{line: n, at: at, n: r.n, weight: r.now, room: r.room(), limit: r.room()})
		}
		at += l.runs[i].n
	}
	return parts
}

// partsIn gives the pieces of a set that may be discounted.
func (s *state) partsIn(set int32) []part {
	parts := s.scratch[:0]
	for _, n := range s.linesOf(set) {
		parts = s.partsOf(n, parts)
	}
	s.scratch = parts
	return parts
}

// book notes an application and what it gave each line. Parts lie in the order of lines.
func (s *state) book(a application, parts []part) {
	a.from = len(s.shares)
	for i := range parts {
		p := &parts[i]
		s.take(p)
		amount := p.each * p.n
		if amount == 0 {
			continue
		}
		if last := len(s.shares) - 1; last >= a.from && s.shares[last].line == p.line {
			s.shares[last].amount += amount
		} else {
			s.shares = append(s.shares, share{p.line, amount})
		}
		a.amount += amount
	}
	a.to = len(s.shares)
	s.given += a.amount
	s.apps = append(s.apps, a)
}
