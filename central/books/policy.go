package books

import (
	"encoding/binary"
	"fmt"

	"tillstream/central/fold"
	"tillstream/kv/record"
)

// Policy says for how long points are good, and how long a hold stands. Its command is in the journal, so
// that every node goes by it from the same entry on.
type Policy struct {
	Revision    uint64 `json:"revision"`     // counts the changes
	ExpireDays  uint16 `json:"expire_days"`  // points are good for so many days and to the end of that month (UTC); 0: for ever
	HoldMinutes uint16 `json:"hold_minutes"` // a hold is due then

	shortest uint16 // of all ExpireDays that there were; zero: none
}

// Bounds of a policy.
const (
	MinExpireDays  = 30
	MaxExpireDays  = 3650
	MaxHoldMinutes = 24 * 60
	holdMinutes    = 30 // without a policy
)

// Check says what is wrong with a policy.
func (p *Policy) Check() error {
	switch {
	case p.ExpireDays != 0 && (p.ExpireDays < MinExpireDays || p.ExpireDays > MaxExpireDays):
		return fmt.Errorf("points expire after %d days: want 0 (never) or %d to %d", p.ExpireDays, MinExpireDays, MaxExpireDays)
	case p.HoldMinutes < 1 || p.HoldMinutes > MaxHoldMinutes:
		return fmt.Errorf("a hold is due after %d minutes: want 1 to %d", p.HoldMinutes, MaxHoldMinutes)
	}
	return nil
}

// Policy gives the one that counts now.
func (b *Books) Policy() Policy { return b.policy }

// expires gives the day on which points expire that are earned today.
func (p *Policy) expires(today uint16) uint16 {
	if p.ExpireDays == 0 {
		return never
	}
	return endOfMonth(today, int(p.ExpireDays))
}

// mayReturn reports whether a sale may be remembered whose points were in a lot that expired on a day. A sale
// was posted at least as many days before as points are good, and is forgotten after keepDays and partDays.
func (p *Policy) mayReturn(day, today uint16) bool {
	return int(today)-int(day)+int(p.shortest) <= keepDays+partDays+1
}

// Proposal gives the policy's form in the journal: it takes the place of the one with the revision before.
func (p *Policy) Proposal() fold.Proposal {
	return fold.Proposal{Head: p.append([]byte{opPolicy})}
}

func (p *Policy) append(b []byte) []byte {
	num := binary.AppendUvarint
	return num(num(num(b, p.Revision), uint64(p.ExpireDays)), uint64(p.HoldMinutes))
}

func readPolicy(r *record.Reader) (p Policy) {
	p.Revision = r.Uvarint()
	p.ExpireDays, p.HoldMinutes = uint16(limit(r, MaxExpireDays)), uint16(limit(r, MaxHoldMinutes))
	if r.Err == nil && p.Check() != nil {
		r.Err = record.ErrFormat
	}
	return p
}

// ReadPolicyOutcome reads what Apply says to a policy: the one that counts now, and whether it is the one that
// was proposed.
func ReadPolicyOutcome(b []byte) (now Policy, taken bool, err error) {
	r := record.Reader{B: b}
	taken = r.U8() == 1
	now = readPolicy(&r)
	return now, taken, r.End()
}

// setPolicy takes a policy that follows the one that counts. The same once more is taken already.
func (s *step) setPolicy(p Policy) []byte {
	now := &s.b.policy
	taken := p.Revision == now.Revision && p.ExpireDays == now.ExpireDays && p.HoldMinutes == now.HoldMinutes
	if p.Revision == now.Revision+1 {
		taken = true
		p.shortest = now.shortest
		if p.ExpireDays != 0 && (p.shortest == 0 || p.ExpireDays < p.shortest) {
			p.shortest = p.ExpireDays
		}
		*now = p
		s.earns = p.expires(s.today)
		s.b.dated = s.b.dated || p.ExpireDays != 0
		s.tell(&line{kind: linePolicy, policy: p, Posting: Posting{Entry: s.e.Number}})
	}
	out := []byte{0}
	if taken {
		out[0] = 1
	}
	return now.append(out)
}
