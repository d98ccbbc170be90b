package books

import (
	"encoding/binary"
	"fmt"

	"tillstream/kv/record"
)

// back is what a return says.
type back struct {
	rid     record.RID
	account uint32 // number plus one of whom it names; zero: nobody
	kind    record.Kind
	rearm   bool
	day     uint16 // on which it came
	points  int64
	spent   int64
	entry   uint64
}

// backWords is how many words a return takes: a node of a list.
const backWords = 6

func (r *back) append(w []uint64) []uint64 {
	return append(w, binary.BigEndian.Uint64(r.rid[:]), binary.BigEndian.Uint64(r.rid[8:]),
		uint64(r.day)<<48|uint64(r.kind)<<40|b2u(r.rearm)<<32|uint64(r.account), uint64(r.points), uint64(r.spent), r.entry)
}

func readBack(w []uint64) (r back) {
	binary.BigEndian.PutUint64(r.rid[:], w[0])
	binary.BigEndian.PutUint64(r.rid[8:], w[1])
	r.day, r.kind, r.rearm, r.account = uint16(w[2]>>48), record.Kind(w[2]>>40), w[2]>>32&1 == 1, uint32(w[2])
	r.points, r.spent, r.entry = int64(w[3]), int64(w[4]), w[5]
	return r
}

// waiting are returns whose sale has not come, in the order in which they came.
type waiting struct {
	of   record.RID
	back uint32 // list of them
}

func waitForm(ls *lists) form[waiting] {
	return form[waiting]{
		part: partWaiting,
		key:  func(w *waiting) *[16]byte { return (*[16]byte)(&w.of) },
		sum:  func(w *waiting) digest { return waitSeed().id((*[16]byte)(&w.of)).words(ls, w.back) },
		put: func(b []byte, w *waiting) []byte {
			return appendWords(append(b, w.of[:]...), ls, w.back)
		},
		get: func(r *record.Reader, w *waiting) bool {
			r.Fill(w.of[:])
			w.back = readWords(r, ls)
			return w.back != 0 && len(ls.read(nil, w.back))%backWords == 0
		},
		drop: func(w *waiting) { ls.drop(w.back) },
	}
}

// returned posts a return that names its sale, or lets it wait.
func (s *step) returned(store uint16, h *record.Header, l *line) {
	b := s.b
	r := back{
		rid: h.RID, kind: h.Kind, rearm: h.Rearm, day: s.today, points: h.Points, spent: h.Spent, entry: s.e.Number,
	}
	n, known := b.rids.number(&h.Of)
	sale := known && b.rids.sold(n).account&notSale == 0
	if !h.Account.IsZero() {
		// Its item goes out whatever comes of the return, or the edge's overlay of this record would never end.
		acc, i := s.touch(&h.Account, store)
		r.account = i + 1
		if !known || !sale {
			s.apart(acc, i, &r, known, l)
		}
		s.done(acc)
	}
	switch {
	case sale:
		s.link(&r, n, l)
	case known:
		s.incident(fmt.Sprintf("%s: return %s names receipt %s, which is no sale: it is posted as one without a receipt", s.where(), h.RID, h.Of))
	default:
		s.wait(&h.Of, &r)
	}
	if l.kind == lineFate {
		b.totals.Anonymous++
		s.tell(l)
	} else {
		b.totals.Transactions++
	}
}

// apart posts a return in the account that it names: nothing yet if it waits for its sale.
func (s *step) apart(acc *account, i uint32, r *back, known bool, l *line) {
	l.kind, l.account = linePosting, i
	if l.Kind = r.kind; known {
		s.owe(acc, r.points, 0, &l.Posting)
	} else {
		l.Cause = CauseWaits
	}
	s.book(acc, l)
}

// Bounds of what returns of one sale may take: a store that goes wrong may invent any number, and each reads
// what there is of those before.
const (
	waitingMost = 256
	returnsMost = record.MaxLines
)

// wait keeps a return until its sale comes.
func (s *step) wait(of *record.RID, r *back) {
	b := s.b
	if i, ok := b.waits.find((*[16]byte)(of)); ok {
		words := b.lists.read(nil, b.waits.at(i).back)
		if len(words) >= waitingMost*backWords {
			s.alone(r, fmt.Sprintf("names sale %s, for which %d wait", of, waitingMost))
			return
		}
		words = r.append(words)
		b.waits.change(i, func(w *waiting) { w.back = b.lists.write(w.back, words) })
		return
	}
	b.words = r.append(b.words[:0])
	b.waits.add(waiting{of: *of, back: b.lists.write(0, b.words)})
}

// link gives back from a sale, and no more than it gave: in its account, whomever the return names.
func (s *step) link(r *back, n uint32, l *line) {
	b := s.b
	i := b.deal(b.rids.at(n), n)
	d := b.deals.at(i)
	account := d.account
	points, spent := min(r.points, d.earned-d.taken), min(r.spent, d.spent-d.given)
	if account == 0 {
		points, spent = 0, 0
	}
	if points < r.points || spent < r.spent {
		s.incident(fmt.Sprintf("%s: return %s takes %d points back and gives %d back, of sale %s there were %d and %d left",
			s.where(), r.rid, r.points, r.spent, d.rid, d.earned-d.taken, d.spent-d.given))
	}
	if r.account != 0 && r.account != account {
		s.incident(fmt.Sprintf("%s: return %s names another shopper than sale %s: it is posted to the sale's", s.where(), r.rid, d.rid))
	}
	if where := b.lists.read(nil, d.returns); len(where) < returnsMost {
		where = append(where, r.entry)
		b.deals.change(i, func(d *deal) { d.returns = b.lists.write(d.returns, where) })
	}
	if r.rearm {
		s.rearm(i)
	}
	if account == 0 {
		return
	}
	acc := s.change(account - 1)
	l.account, l.Kind = account-1, r.kind
	if l.kind == lineFate {
		l.kind = linePosting
	}
	s.giveBack(acc, i, spent, &l.Posting)
	s.takeBack(acc, i, points, &l.Posting)
	s.book(acc, l)
	s.done(acc)
}

// cameTo posts what waited for a receipt, now that it is posted: if it is no sale, as if it had never come.
func (s *step) cameTo(h *record.Header, n uint32) {
	b := s.b
	i, ok := b.waits.find((*[16]byte)(&h.RID))
	if !ok {
		return
	}
	words := b.lists.read(nil, b.waits.at(i).back)
	b.waits.drop(i)
	for ; len(words) > 0; words = words[backWords:] {
		r := readBack(words)
		if h.Kind != record.KindSale {
			s.alone(&r, fmt.Sprintf("names receipt %s, which is no sale", h.RID))
			continue
		}
		s.link(&r, n, &line{kind: lineMore, Posting: Posting{Cause: CauseSale, RID: r.rid}})
	}
}

// giveUp posts what has waited for keepDays as returns without a receipt. Points that they should give back
// nobody is known to have spent.
func (s *step) giveUp(i uint32, w *waiting) {
	b := s.b
	words := b.lists.read(nil, w.back)
	of := w.of
	n := 0
	for ; n < len(words); n += backWords {
		if r := readBack(words[n:]); s.today-r.day <= keepDays {
			break
		}
	}
	if n == 0 {
		return
	}
	if n == len(words) {
		b.waits.drop(i)
	} else {
		b.waits.change(i, func(w *waiting) { w.back = b.lists.write(w.back, words[n:]) })
	}
	for ; n > 0; n, words = n-backWords, words[backWords:] {
		r := readBack(words)
		s.alone(&r, fmt.Sprintf("names sale %s, which has not come for %d days", of, keepDays))
	}
}

// alone posts a return that waited in vain.
func (s *step) alone(r *back, why string) {
	s.incident(fmt.Sprintf("return %s %s: it is posted as one without a receipt", r.rid, why))
	if r.account == 0 {
		return
	}
	acc := s.change(r.account - 1)
	l := line{kind: lineMore, account: r.account - 1, Posting: Posting{Cause: CauseAlone, Kind: r.kind, RID: r.rid}}
	s.owe(acc, r.points, 0, &l.Posting)
	s.book(acc, &l)
	s.done(acc)
}
