package relay_test

import (
	"net"
	"sync"
	"testing"
)

func TestDeafHoldsAnswersUntilHealed(t *testing.T) {
	t.Parallel()
	r := open(t, echo(t, ""))
	old := dial(t, r.Addr())
	say(t, old, "whole")
	read(t, old, "whole")

	r.Deafen()
	say(t, old, "asked")
	quiet(t, old)
	young := dial(t, r.Addr())
	say(t, young, "hello")
	quiet(t, young)

	r.Heal()
	read(t, old, "asked")
	read(t, young, "hello")
}

func TestDeafCarriesWhatClientsSay(t *testing.T) {
	t.Parallel()
	ears := make(chan net.Conn)
	r := open(t, hear(t, ears))
	old := dial(t, r.Addr())
	atTarget := <-ears
	r.Deafen()
	say(t, old, "asked")
	read(t, atTarget, "asked")

	young := dial(t, r.Addr())
	say(t, young, "hello")
	read(t, <-ears, "hello")

	if err := old.Close(); err != nil { // gives up: the target must learn that
		t.Fatal(err)
	}
	ended(t, atTarget)
}

// hear accepts connections and hands them out.
func hear(t *testing.T, ears chan<- net.Conn) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			select {
			case ears <- c:
				t.Cleanup(func() { _ = c.Close() })
			case <-t.Context().Done():
				_ = c.Close()
			}
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		wg.Wait()
	})
	return l.Addr().String()
}
