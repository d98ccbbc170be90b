package laws

import (
	"crypto/sha256"
	"sync"
	"time"

	"tillstream/deploy/sales"
	"tillstream/kv/record"
)

// Sent is a journal of what POS terminals send and of what tills answer, which those who send it keep
// themselves. It is safe for many goroutines.
type Sent struct {
	mu    sync.Mutex
	index map[sentAt]int // guarded by mu
	sales []Sale         // guarded by mu
}

type sentAt struct {
	rid record.RID
	at  Place
}

// NewSent makes an empty journal.
func NewSent() *Sent { return &Sent{index: map[sentAt]int{}} }

// NewSale says what a receipt is, as it is sent to a till: with this body, for this account.
func NewSale(r *sales.Receipt, at Place, account record.AccountID, body []byte) Sale {
	s := Sale{RID: r.RID, Kind: record.KindSale, Body: record.Hash(sha256.Sum256(body)), At: at}
	if r.Return {
		s.Kind = record.KindReturn
	}
	if r.Customer == "" {
		return s
	}
	s.Account = account
	c := sales.CountPoints([]sales.Receipt{*r})
	s.Points = c.Issued + c.Returned // one of them is zero
	return s
}

// Send notes a receipt before it is sent; one that is sent again to the same till is known.
func (s *Sent) Send(x Sale) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := sentAt{x.RID, x.At}
	if _, ok := s.index[k]; ok {
		return
	}
	s.index[k] = len(s.sales)
	s.sales = append(s.sales, x)
}

// Answered notes that a till has said that it has a receipt.
func (s *Sent) Answered(rid record.RID, at Place) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i, ok := s.index[sentAt{rid, at}]; ok && s.sales[i].Answered.IsZero() {
		s.sales[i].Answered = time.Now()
	}
}

// Copied notes that the disk of one till is put into the place of another: what the first was sent until now
// the other may know too, byte for byte, and send from there. Nothing else may come from there.
func (s *Sent) Copied(from, to Place) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range s.sales { // of what there is now
		k := sentAt{x.RID, to}
		if _, ok := s.index[k]; ok || x.At != from {
			continue
		}
		x.At, x.Answered = to, time.Time{} // it was answered where it was sold
		s.index[k] = len(s.sales)
		s.sales = append(s.sales, x)
	}
}

// Sales gives all. Nil: nothing was ever sent.
func (s *Sent) Sales() []Sale {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Sale(nil), s.sales...)
}
