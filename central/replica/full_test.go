package replica

import (
	"context"
	"errors"
	"os"
	"testing"

	"tillstream/central/fold"
)

// full gives a member that is open and whose history cannot be written until there is room.
func (m *member) full() (room func()) {
	m.c.t.Helper()
	m.open()
	h := m.history
	readable, err := os.Open(h.file.Name())
	if err != nil {
		m.c.t.Fatal(err)
	}
	swap := func(f *os.File) (was *os.File) {
		h.turn.Lock()
		defer h.turn.Unlock()
		h.mu.Lock()
		defer h.mu.Unlock()
		was, h.file = h.file, f
		return was
	}
	whole := swap(readable)
	return func() {
		if err := swap(whole).Close(); err != nil {
			m.c.t.Error(err)
		}
	}
}

// While history cannot be written the node goes on, answers from what waits, and says so; when there is
// room it is written by itself, and nothing is missing.
func TestAFullDiskIsSaidAndMends(t *testing.T) {
	c := newChain(t, single)
	m := c.nodes[0]
	room := m.full()
	m.run()
	m.propose("one")
	m.propose("two")
	eventually(t, "it is said", func() bool { return errors.Is(m.Err(), ErrHistory) && m.Status().Waiting > 0 })
	if got := m.told(); len(got) != 2 {
		t.Fatalf("history tells %v", got)
	}
	if err := m.Save(t.Context()); !errors.Is(err, ErrHistory) {
		t.Fatalf("a snapshot of what is not written: %v", err)
	}
	room()
	eventually(t, "it is written", func() bool { return m.Err() == nil && m.Status().Waiting == 0 })
	m.propose("three")
	if got := m.told(); len(got) != 3 {
		t.Fatalf("history tells %v", got)
	}
	if err := m.Save(t.Context()); err != nil {
		t.Fatal(err)
	}
	m.crash()
	if s, err := Load(m.dir, newTally()); err != nil || s.Entry != 4 {
		t.Fatalf("loaded up to entry %d: %v", s.Entry, err)
	}
}

// More than some of it does not wait: memory is bounded. The node then takes nothing more, answers reads,
// and another writes; with room again it comes level by itself.
func TestANodeWithoutRoomStandsStill(t *testing.T) {
	c := newChain(t, three)
	m := c.nodes[0]
	room := m.full()
	m.mayWait = 1
	m.run()
	for _, o := range c.nodes[1:] {
		o.start()
	}
	eventually(t, "another writes", func() bool {
		w := c.nodes[1].Status().Writer
		return w != "" && w != nodeID(0).String()
	})
	for _, head := range []string{"one", "two", "three"} {
		c.nodes[1].propose(head)
	}
	eventually(t, "it stands still", func() bool { return errors.Is(m.Err(), ErrHistory) })
	if got := len(m.told()); got > 1 {
		t.Fatalf("%d lines wait for the disk, of which one is too many", got)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patient)
	defer cancel()
	if _, _, err := m.Propose(ctx, fold.Proposal{Head: []byte("by another")}); err != nil {
		t.Fatalf("it does not hand on: %v", err)
	}
	room()
	c.check(nil)
	if got := m.told(); len(got) != 4 {
		t.Fatalf("history tells %v", got)
	}
	if err := m.Err(); err != nil {
		t.Fatal(err)
	}
}
